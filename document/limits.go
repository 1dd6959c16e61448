package document

import "fmt"

// The limits that hold where a Limits says nothing, and the ones beyond which
// it has no say.
const (
	defaultSize   = 4 << 20
	defaultDepth  = 64
	defaultFields = 10_000

	// Places inside a text are kept in 32 bits.
	maxSize = 1 << 30
	// Equal and the JSON scanner descend one call per level.
	maxDepth = 1_000
)

// Limits bound a document. The nil pointer and the zero value stand for the
// defaults. A Limits may be shared and must not be changed while in use.
type Limits struct {
	// Size is the most bytes that the encoded document, or one value, may
	// have. Zero or less means 4 MiB; more than 1 GiB means 1 GiB.
	Size int
	// Depth is how many objects and arrays may stand inside each other, the
	// document itself being the first. Zero or less means 64; more than 1,000
	// means 1,000.
	Depth int
	// Fields is how many fields and elements a document may have, counted
	// together. Zero or less means 10,000.
	Fields int
}

// resolved returns the limits with the defaults filled in.
func (l *Limits) resolved() Limits {
	if l == nil {
		l = &Limits{}
	}
	r := Limits{Size: defaultSize, Depth: defaultDepth, Fields: defaultFields}
	if l.Size > 0 {
		r.Size = min(l.Size, maxSize)
	}
	if l.Depth > 0 {
		r.Depth = min(l.Depth, maxDepth)
	}
	if l.Fields > 0 {
		r.Fields = l.Fields
	}
	return r
}

func (l *Limits) checkSize(n int) error {
	if n > l.Size {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, l.Size)
	}
	return nil
}

func (l *Limits) checkDepth(n int) error {
	if n > l.Depth {
		return fmt.Errorf("%w: %d levels of objects and arrays, at most %d", ErrTooDeep, n, l.Depth)
	}
	return nil
}

func (l *Limits) checkFields(n int) error {
	if n > l.Fields {
		return fmt.Errorf("%w: %d fields and elements, at most %d", ErrTooLarge, n, l.Fields)
	}
	return nil
}
