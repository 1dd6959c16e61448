package replica

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// sameValue reports whether two values of a field are the same, nil being none. An
// object that a change was made to may have its members in another order than the same
// one in a state, and its texts may be escaped in another way. Numbers are compared as
// they are written: the server writes each in one way.
func sameValue(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, ok := decodeValue(a)
	if !ok {
		return false
	}
	y, ok := decodeValue(b)
	return ok && reflect.DeepEqual(x, y)
}

func decodeValue(text json.RawMessage) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	ok = d.Decode(&v) == nil
	return v, ok
}
