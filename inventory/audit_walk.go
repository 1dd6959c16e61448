package inventory

import (
	"bytes"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// found is an instance in a JSON text.
type found struct {
	keyParts
	at *trail
}

// trail is where something stands: the names of the objects around it.
type trail struct {
	name string
	up   *trail
}

// path returns the names, parted by '/'.
func (t *trail) path() string {
	if t.up == nil {
		return t.name
	}
	return t.up.path() + "/" + t.name
}

// maxWalk is how deep objects are looked into: as deep as a document may be.
const maxWalk = 1000

// walk calls fn with each instance in a valid JSON text, wherever it stands in objects:
// a member whose name is an instance's key and whose value has a history. It returns
// false if it did not look to the bottom.
func walk(text []byte, fn func(found)) bool { return walkUnder(text, nil, 0, fn) }

func walkUnder(text []byte, up *trail, depth int, fn func(found)) bool {
	if bytes.IndexByte(text, sep) < 0 {
		return true
	}
	if depth > maxWalk {
		return false
	}
	whole := true
	for name, value := range document.Members(text) {
		if !isObject(value) {
			continue
		}
		k, isKey := instanceOf(name, value)
		deeper := bytes.IndexByte(value, sep) >= 0
		if !isKey && !deeper {
			continue
		}
		at := &trail{name, up}
		if isKey {
			fn(found{k, at})
		}
		if deeper {
			whole = walkUnder(value, at, depth+1, fn) && whole
		}
	}
	return whole
}

// instanceOf returns what a member's name says, and whether it is an instance.
func instanceOf(name string, value []byte) (k keyParts, ok bool) {
	if len(name) <= idLength+1 || name[len(name)-idLength-1] != sep {
		return k, false
	}
	k, err := splitKey(name)
	if err != nil || k.id.IsZero() {
		return k, false
	}
	for member, v := range document.Members(value) {
		if member == "h" {
			return k, isObject(v)
		}
	}
	return k, false
}

// idOf returns the id of an instance at the end of its path.
func idOf(path string) (driver.Version, bool) {
	i := strings.LastIndexByte(path, sep)
	id, err := driver.ParseVersion(path[i+1:])
	return id, err == nil
}
