package document

import (
	"encoding/binary"
	"fmt"
)

// DecodeDelta reads what AppendBinary wrote and checks all of it: names,
// values, that values are compact and within the limits, that nothing is cut
// short and nothing follows. Encoding the result gives the same bytes again.
// Values are parts of b, which must not change as long as they are in use.
//
// The number of changes is bounded by the length of b alone, since a delta that
// was merged from many may well touch more paths than a document may hold. The
// error matches ErrInvalid, ErrTooDeep or ErrTooLarge.
func DecodeDelta(b []byte, l *Limits) (Delta, error) {
	r := &deltaReader{rest: b, limits: l.resolved()}
	n := r.number()
	// A change takes two bytes at least.
	if r.err == nil && n > uint64(len(r.rest)/2) {
		r.refuse("%d changes in %d bytes", n, len(r.rest))
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode delta: %w", r.err)
	}
	delta := make(Delta, 0, n)
	for i := range n {
		c := r.change()
		if r.err != nil {
			return nil, fmt.Errorf("decode delta: change %d of %d: at offset %d: %w", i+1, n, len(b)-len(r.rest), r.err)
		}
		delta = append(delta, c)
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("decode delta: %w: %d bytes after the last change", ErrInvalid, len(r.rest))
	}
	return delta, nil
}

// deltaReader reads an encoded delta. After the first error it reads nothing
// more.
type deltaReader struct {
	rest   []byte
	limits Limits
	err    error
}

func (r *deltaReader) refuse(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
}

// number reads a varint in its shortest form; any other would make two
// encodings of one delta.
func (r *deltaReader) number() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || n > 1 && r.rest[n-1] == 0 {
		r.refuse("a number is cut short, too large or not in its shortest form")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// bytes reads so many bytes.
func (r *deltaReader) bytes(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.rest)) {
		r.refuse("%d bytes announced and %d left", n, len(r.rest))
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *deltaReader) change() Change {
	head := r.number()
	c := Change{Path: Field(string(r.bytes(head >> 2)))}
	if head&hasElement != 0 {
		c.Path.Deep = true
		c.Path.Element = string(r.bytes(r.number()))
	}
	if r.err == nil {
		r.err = c.Path.Check()
	}
	if head&hasValue != 0 {
		c.Value = r.bytes(r.number())
		r.checkValue(c)
	}
	return c
}

func (r *deltaReader) checkValue(c Change) {
	if r.err != nil {
		return
	}
	level := 1
	if c.Path.Deep {
		level = 2
	}
	if r.err = r.limits.checkSize(len(c.Value)); r.err != nil {
		return
	}
	if r.err = r.limits.checkDepth(level + measure(c.Value).depth); r.err != nil {
		return
	}
	if r.err = checkCompact(c.Value); r.err != nil {
		r.err = fmt.Errorf("value of %s: %w", shown(c.Path.String()), r.err)
	}
}
