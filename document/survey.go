package document

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"unicode/utf8"
)

// survey is one pass over a JSON text. It finds out whether the text is, byte for
// byte, what Compact would return, as everything is that was stored; and if so, what
// a document has to know of it. Whatever it does not take for compact is left to the
// JSON library, whose errors say what is wrong and where. So it may refuse what is
// good, but must never accept what the library would refuse or change.
type survey struct {
	text  []byte
	limit int  // of depth
	split bool // the members of the outermost object are asked for
	shape
	fields []member
	large  []largeField
	names  nameCheck
}

// largeField is a field of many elements.
type largeField struct {
	field, count int
	elements     []member // with places in the whole text; nil if they are small
}

const (
	// largeFrom is the number of elements from which on a document remembers how many
	// a field has, so that they need not be counted in its text.
	largeFrom = 64
	// splitFrom is the number of bytes that these elements must have on average for the
	// field to be split at once, as that costs next to nothing while their names are
	// known: so it adds no more than half to the memory of the text.
	splitFrom = 32
)

var surveys = sync.Pool{New: func() any { return new(survey) }}

// keptNames bounds the surveys that are used again.
const keptNames = 1 << 15

func (s *survey) free() {
	if cap(s.names.names) > keptNames {
		return
	}
	*s = survey{names: nameCheck{names: s.names.names[:0], table: s.names.table}}
	surveys.Put(s)
}

// isCompact reports whether the text is what Compact returns, nested up to a limit.
func isCompact(text []byte, limit int) bool {
	if len(text) > maxSize {
		return false
	}
	s := surveys.Get().(*survey)
	defer s.free()
	s.text, s.limit, s.names.text = text, limit, text
	return s.value(0, 0) == len(text)
}

// parseCompact returns the object that the text is and its shape; or nil if the text is
// no object, not compact, or exceeds a limit. The object has a copy of a text of fewer
// bytes than keep, and else the text.
func parseCompact(text []byte, l *Limits, keep int) (*object, shape) {
	if !isObject(text) || len(text) > l.Size {
		return nil, shape{}
	}
	s := surveys.Get().(*survey)
	defer s.free()
	s.text, s.limit, s.split, s.names.text = text, l.Depth, true, text
	if s.value(0, 0) != len(text) {
		return nil, shape{}
	}
	own := slices.Clip(text)
	if len(text) < keep {
		own = exactly(text)
	}
	o := &object{text: own, members: s.fields}
	if len(s.fields) > 0 {
		o.body = len(own) - 1 // see size
	}
	for _, f := range s.large {
		p := o.ownPart(f.field)
		p.elements = uint32(f.count)
		if f.elements != nil {
			p.nested = &object{text: own, members: f.elements, body: o.valueSize(f.field) - 1}
		}
	}
	o.kept = uint32(len(o.parts))
	return o, s.shape
}

// value returns the offset after the value that starts at i, inside so many objects
// and arrays, or -1 if it is not compact.
func (s *survey) value(i, depth int) int {
	if uint(i) >= uint(len(s.text)) {
		return -1
	}
	switch s.text[i] {
	case '"':
		return compactStringEnd(s.text, i)
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return literalEnd(s.text, i, "true")
	case 'f':
		return literalEnd(s.text, i, "false")
	case 'n':
		return literalEnd(s.text, i, "null")
	}
	return numberEnd(s.text, i)
}

func (s *survey) array(i, depth int) int {
	if !s.deepens(depth) {
		return -1
	}
	if i++; byteAt(s.text, i) == ']' {
		return i + 1
	}
	for ; ; i++ {
		i = s.value(i, depth)
		switch byteAt(s.text, i) {
		case ',':
		case ']':
			return i + 1
		default:
			return -1
		}
	}
}

func (s *survey) object(i, depth int) int {
	if !s.deepens(depth) {
		return -1
	}
	if i++; byteAt(s.text, i) == '}' {
		return i + 1
	}
	from := len(s.names.names)
	for ; ; i++ {
		if byteAt(s.text, i) != '"' {
			return -1
		}
		end := compactStringEnd(s.text, i)
		if byteAt(s.text, end) != ':' {
			return -1
		}
		s.names.names = append(s.names.names, name{uint32(i), uint32(end)})
		i = s.value(end+1, depth)
		switch byteAt(s.text, i) {
		case ',':
		case '}':
			if !s.close(from, i, depth) {
				return -1
			}
			return i + 1
		default:
			return -1
		}
	}
}

func (s *survey) deepens(depth int) bool {
	s.depth = max(s.depth, depth)
	return depth <= s.limit
}

// close takes the names of an object from from on, which ends at end, for what they
// tell, and reports whether they are distinct.
func (s *survey) close(from, end, depth int) bool {
	names := s.names.names[from:]
	s.names.names = s.names.names[:from]
	switch depth {
	case 1:
		s.members = len(names)
		if s.split {
			s.fields = membersOf(names, end)
		}
	case 2:
		s.elements += len(names)
		if s.split && len(names) >= largeFrom {
			s.large = append(s.large, s.largeField(from-1, names, end))
		}
	}
	return s.names.distinct(names)
}

func (s *survey) largeField(field int, names []name, end int) largeField {
	f := largeField{field: field, count: len(names)}
	if size := end - int(names[0].start); size >= splitFrom*len(names) {
		f.elements = membersOf(names, end)
	}
	return f
}

// membersOf returns the members that have the names, of which the last one's value
// ends at end.
func membersOf(names []name, end int) []member {
	members := make([]member, len(names))
	for i, n := range names {
		after := end
		if i+1 < len(names) {
			after = int(names[i+1].start) - 1
		}
		members[i] = member{at: n.start, name: n.end - n.start, size: uint32(after) - n.end - 1}
	}
	return members
}

// byteAt returns the byte at i, or zero if there is none.
func byteAt(text []byte, i int) byte {
	if uint(i) >= uint(len(text)) {
		return 0
	}
	return text[i]
}

func literalEnd(text []byte, i int, literal string) int {
	if end := i + len(literal); end <= len(text) && string(text[i:end]) == literal {
		return end
	}
	return -1
}

// numberEnd returns the offset after the number that starts at i, or -1 if there is
// none.
func numberEnd(text []byte, i int) int {
	if byteAt(text, i) == '-' {
		i++
	}
	if byteAt(text, i) == '0' {
		i++ // no digit may follow: what does is refused by who asks
	} else if i = digitsEnd(text, i); i < 0 {
		return -1
	}
	if byteAt(text, i) == '.' {
		if i = digitsEnd(text, i+1); i < 0 {
			return -1
		}
	}
	if c := byteAt(text, i); c == 'e' || c == 'E' {
		i++
		if c := byteAt(text, i); c == '+' || c == '-' {
			i++
		}
		return digitsEnd(text, i)
	}
	return i
}

// digitsEnd returns the offset after the digits that start at i, or -1 if there are
// none.
func digitsEnd(text []byte, i int) int {
	start := i
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// firstSpecial returns the position of the first of eight bytes that means something
// in a string: a quote, a backslash, a control character, or a part of a character
// outside of ASCII; or 8. A byte that follows a special one may be taken for one, too.
func firstSpecial(w uint64) int {
	quote, slash := w^('"'*everyByte), w^('\\'*everyByte)
	found := w | (quote-everyByte)&^quote | (slash-everyByte)&^slash | (w-' '*everyByte)&^w
	return bits.TrailingZeros64(found&everyHigh) / 8
}

// compactStringEnd returns the offset after the string that starts at i, or -1 if it
// is no string, or not in its shortest form.
func compactStringEnd(text []byte, i int) int {
	for i++; ; {
		for i+8 <= len(text) {
			n := firstSpecial(binary.LittleEndian.Uint64(text[i:]))
			if i += n; n < 8 {
				break
			}
		}
		switch c := byteAt(text, i); {
		case c == '"':
			return i + 1
		case c == '\\':
			n := escapeLen(text[i:])
			if n == 0 {
				return -1
			}
			i += n
		case c < ' ': // or the end
			return -1
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && n == 1 {
				return -1
			}
			i += n
		}
	}
}

// escapeLen returns the length of the escape that text starts with, or zero unless the
// shortest form of a string has it.
func escapeLen(text []byte) int {
	switch byteAt(text, 1) {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u': // a control character that has no letter, in lower case
		if len(text) < 6 || string(text[2:4]) != "00" || text[4] != '0' && text[4] != '1' {
			return 0
		}
		switch c := text[5]; {
		case text[4] == '0' && (c == '8' || c == '9' || c == 'a' || c == 'c' || c == 'd'):
			return 0
		case c-'0' <= 9, c-'a' <= 'f'-'a':
			return 6
		}
	}
	return 0
}
