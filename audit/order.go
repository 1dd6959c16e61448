package audit

import (
	"bytes"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
)

// order keeps the acts of this process in the order in which they were prepared, also
// those of one millisecond: a theft comes before what it was for, however fast the
// database is.
var order struct {
	sync.Mutex
	last driver.Version
}

// inOrder returns the id, or a later one of the same millisecond if the last act of
// that has a later one than this.
func inOrder(id driver.Version) driver.Version {
	order.Lock()
	defer order.Unlock()
	if bytes.Equal(id[:6], order.last[:6]) && bytes.Compare(id[:], order.last[:]) <= 0 {
		id = next(order.last)
	}
	order.last = id
	return id
}

// next returns the id that follows another.
func next(id driver.Version) driver.Version {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}
