package document

import "bytes"

// Equal reports whether two JSON values mean the same. Numbers are compared as
// exact decimals: 1.0, 1 and 10e-1 are one number, 2^53 and 2^53+1 are two.
// Strings are compared by their characters, however they are escaped, arrays in
// order and objects without regard to it. Whitespace does not matter. Both
// texts must be valid, as Compact takes them; for any other the answer has no
// meaning.
func Equal(a, b []byte) bool { return equal(a, b, 0) }

func equal(a, b []byte, depth int) bool {
	a, b = trimSpace(a), trimSpace(b)
	if bytes.Equal(a, b) {
		return true
	}
	if len(a) == 0 || len(b) == 0 || depth > maxDepth {
		return false
	}
	switch {
	case a[0] == '{' && b[0] == '{':
		return equalObjects(a, b, depth+1)
	case a[0] == '[' && b[0] == '[':
		return equalArrays(a, b, depth+1)
	case a[0] == '"' && b[0] == '"':
		return equalStrings(a, b)
	case isNumber(a) && isNumber(b):
		return parseDecimal(a).equal(parseDecimal(b))
	}
	return false
}

func trimSpace(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

func equalStrings(a, b []byte) bool {
	if bytes.IndexByte(a, '\\') < 0 && bytes.IndexByte(b, '\\') < 0 {
		return bytes.Equal(a, b)
	}
	return unquote(a) == unquote(b)
}

func equalArrays(a, b []byte, depth int) bool {
	x, y := scanner{text: a}, scanner{text: b}
	x.enter()
	y.enter()
	for {
		if more := x.more(); more != y.more() {
			return false
		} else if !more {
			return true
		}
		if !equal(x.value(), y.value(), depth) {
			return false
		}
	}
}

// equalObjects compares members in step as long as both objects have them in
// the same order, which is nearly always to the end.
func equalObjects(a, b []byte, depth int) bool {
	x, y := scanner{text: a}, scanner{text: b}
	x.enter()
	y.enter()
	for {
		if more := x.more(); more != y.more() {
			return false
		} else if !more {
			return true
		}
		before := [2]int{x.at, y.at}
		name, value := x.member()
		otherName, other := y.member()
		if !equalStrings(name, otherName) {
			x.at, y.at = before[0], before[1]
			return equalUnordered(x, y, depth)
		}
		if !equal(value, other, depth) {
			return false
		}
	}
}

// equalUnordered compares the members that two scanners have left.
func equalUnordered(x, y scanner, depth int) bool {
	left := make(map[string][]byte)
	for y.more() {
		name, value := y.member()
		left[unquote(name)] = value
	}
	for x.more() {
		name, value := x.member()
		key := unquote(name)
		other, ok := left[key]
		if !ok || !equal(value, other, depth) {
			return false
		}
		delete(left, key)
	}
	return len(left) == 0
}
