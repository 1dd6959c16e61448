package document

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// scanner walks over the values of a JSON text that is known to be valid. It
// checks nothing; on any other text it still ends, and never reads outside.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) skipSpace() {
	if s.at < len(s.text) && s.text[s.at] <= ' ' { // seldom
		s.skipSpaces()
	}
}

func (s *scanner) skipSpaces() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// enter steps over the bracket that opens an object or an array.
func (s *scanner) enter() {
	s.skipSpace()
	s.at++
}

// more steps over a comma and reports whether another item stands before the
// closing bracket.
func (s *scanner) more() bool {
	s.skipSpace()
	if s.at < len(s.text) && s.text[s.at] == ',' {
		s.at++
		s.skipSpace()
	}
	return s.at < len(s.text) && s.text[s.at] != '}' && s.text[s.at] != ']'
}

// member returns the quoted name and the value of a member of an object.
func (s *scanner) member() (name, value []byte) {
	name = s.value()
	s.skipSpace()
	if s.at < len(s.text) && s.text[s.at] == ':' {
		s.at++
	}
	return name, s.value()
}

// value returns the next value and steps over it.
func (s *scanner) value() []byte {
	s.skipSpace()
	start := s.at
	if start >= len(s.text) {
		return nil
	}
	s.at = valueEnd(s.text, start)
	return s.text[start:s.at:s.at]
}

// valueEnd returns the offset after the value that starts at i.
func valueEnd(text []byte, i int) int {
	switch byteAt(text, i) {
	case '"':
		return stringEnd(text, i)
	case '{', '[':
		return nestedEnd(text, i)
	}
	return scalarEnd(text, i)
}

// stringEnd returns the offset after the string that starts at i.
func stringEnd(text []byte, i int) int {
	for i++; i+8 <= len(text); {
		n := firstQuote(binary.LittleEndian.Uint64(text[i:]))
		if i += n; n == 8 {
			continue
		}
		if text[i] == '"' {
			return i + 1
		}
		i += 2 // what is escaped
	}
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(text)
}

const (
	everyByte = 0x0101010101010101
	everyHigh = 0x8080808080808080
)

// firstQuote returns the position of the first of eight bytes that is a quote or a
// backslash, or 8. A byte is zero if taking one away borrows from its highest bit; a
// byte that follows one may be taken for zero, too.
func firstQuote(w uint64) int {
	quote, slash := w^('"'*everyByte), w^('\\'*everyByte)
	found := (quote-everyByte)&^quote | (slash-everyByte)&^slash
	return bits.TrailingZeros64(found&everyHigh) / 8
}

// nestedEnd returns the offset after the object or array that starts at i.
func nestedEnd(text []byte, i int) int {
	for depth := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// scalarEnd returns the offset after the number or the literal that starts at
// i, at least one byte on.
func scalarEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case ',', '}', ']', ':', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return len(text)
}

// shape is what the limits need to know of a text.
type shape struct {
	depth    int // objects and arrays inside each other
	members  int // of the outermost object
	elements int // members of objects that are values of those members
}

// measure returns the shape of a JSON text. It may be called before the text
// is known to be valid, and bounds its nesting before anything descends into it.
func measure(text []byte) shape {
	var s shape
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '{', '[':
			depth++
			s.depth = max(s.depth, depth)
		case '}', ']':
			depth--
		case ':':
			// Only the members of an object have a colon, one each.
			switch depth {
			case 1:
				s.members++
			case 2:
				s.elements++
			}
		}
	}
	return s
}

func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// Members iterates over the names and values of a JSON object, which must be valid,
// in order. Values are parts of text. Of what is not an object there are none.
func Members(text []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if !isObject(text) {
			return
		}
		s := scanner{text: text}
		for s.enter(); s.more(); {
			if name, value := s.member(); !yield(unquote(name), value) {
				return
			}
		}
	}
}
