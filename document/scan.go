package document

import (
	"bytes"
	"iter"
)

// scanner walks over the values of a JSON text that is known to be valid. It
// checks nothing; on any other text it still ends, and never reads outside.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) skipSpace() {
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
	switch s.text[start] {
	case '"':
		s.at = stringEnd(s.text, start)
	case '{', '[':
		s.at = nestedEnd(s.text, start)
	default:
		s.at = scalarEnd(s.text, start)
	}
	return s.text[start:s.at:s.at]
}

// shortString is how many bytes of a string are looked at one by one, as most strings
// end within them; from there on they are searched faster.
const shortString = 24

// stringEnd returns the offset after the string that starts at i.
func stringEnd(text []byte, i int) int {
	i++
	for short := min(i+shortString, len(text)); i < short; i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return longStringEnd(text, i)
}

// longStringEnd is stringEnd from i on, which is inside the string and not escaped.
func longStringEnd(text []byte, i int) int {
	for start := i; i < len(text); i++ {
		n := bytes.IndexByte(text[i:], '"')
		if n < 0 {
			break
		}
		i += n
		escapes := i
		for escapes > start && text[escapes-1] == '\\' {
			escapes--
		}
		if (i-escapes)%2 == 0 {
			return i + 1
		}
	}
	return len(text)
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
