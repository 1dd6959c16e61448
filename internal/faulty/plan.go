package faulty

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/holdfast-games/holdfast/driver"
)

// ErrDown is what a call gets that was not made because the database was
// away. It matches driver.ErrUnavailable.
var ErrDown error = downError{}

type downError struct{}

func (downError) Error() string        { return "database down" }
func (downError) Is(target error) bool { return target == driver.ErrUnavailable }

// Nth gives a fault to the calls of a method that have these numbers.
func Nth(op Op, f Fault, numbers ...int) Plan {
	return func(c *Call) Fault {
		if c.Op == op && slices.Contains(numbers, c.N) {
			return f
		}
		return Fault{}
	}
}

// All gives a fault to all calls of these methods, or of every method if none
// is named.
func All(f Fault, ops ...Op) Plan {
	return func(c *Call) Fault {
		if len(ops) == 0 || slices.Contains(ops, c.Op) {
			return f
		}
		return Fault{}
	}
}

// Naming gives a fault to commits that write a key.
func Naming(key string, f Fault) Plan {
	return func(c *Call) Fault {
		if c.Op == Commit && slices.Contains(c.Keys, key) {
			return f
		}
		return Fault{}
	}
}

// Refuse refuses for good each group that writes a key, as a database does
// that chokes on one value.
func Refuse(key string) Plan {
	return Naming(key, Fault{Err: fmt.Errorf("%w: will not store %q", errRefused, key)})
}

var errRefused = errors.New("refused for good")

// Refused reports whether an error is what Refuse made of a commit.
func Refused(err error) bool { return errors.Is(err, errRefused) }

// Random makes a part of the calls fail, down and lost being between 0 and
// 1: of all calls, down are not made and lost are not answered. The same seed
// and the same calls give the same faults.
func Random(seed uint64, down, lost float64) Plan {
	dice := rand.New(rand.NewPCG(seed, 0))
	return func(*Call) Fault {
		switch x := dice.Float64(); {
		case x < down:
			return Fault{Err: ErrDown}
		case x < down+lost:
			return Fault{Lost: true}
		}
		return Fault{}
	}
}
