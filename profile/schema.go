package profile

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/holdfast-games/holdfast/session"
)

// Schema is a kind of profile and its fields. It is immutable and safe for
// concurrent use.
type Schema struct {
	kind       string
	fields     []Field          // by position
	table      []place          // open addressing, by the hash of the name; a power of two long
	migrations []*Migration     // in their order
	ranked     []session.Ranked // not nil
	err        error

	volatile bool    // there are volatile fields
	grows    bool    // there are play times
	derived  [][]int // by position: the computed fields, if any, that a write makes anew

	slotRules SlotRules
}

// place is where a field stands in a schema.
type place struct {
	f   *field
	pos int
}

// NewSchema returns the schema of a kind, which is the first part of the
// profiles' keys (1 to session.MaxKind bytes). A mistake in it, such as two
// fields of one name, a default that is out of bounds or a Computed field without one
// of its dependencies, does not panic: Err reports it, and Open returns it.
func NewSchema(kind string, fields ...Field) *Schema {
	s := &Schema{kind: kind}
	var errs []error
	if err := (session.Key{Kind: kind, ID: "x"}).Check(); err != nil {
		errs = append(errs, err)
	}
	seen := make(map[string]bool)
	for i, f := range fields {
		if f == nil {
			errs = append(errs, fmt.Errorf("field %d is nil", i+1))
			continue
		}
		if c := f.common(); c.err != nil {
			errs = append(errs, c.err)
		}
		if reserved(f.Name()) {
			errs = append(errs, fmt.Errorf("field %q: names that begin with %q are Holdfast's own", f.Name(), reservedPrefix))
		}
		if seen[f.Name()] {
			errs = append(errs, fmt.Errorf("two fields are named %q", f.Name()))
			continue
		}
		seen[f.Name()] = true
		s.fields = append(s.fields, f)
		s.volatile = s.volatile || f.Volatile()
		s.grows = s.grows || f.common().settings.grows
	}
	var err error
	if s.ranked, err = rankedBy(s.fields); err != nil {
		errs = append(errs, err)
	}
	s.index()
	if errs = append(errs, s.derive()...); len(errs) > 0 {
		s.err = fmt.Errorf("%w %q: %w", ErrSchema, kind, errors.Join(errs...))
	}
	return s
}

func (s *Schema) index() {
	s.table = make([]place, 1<<bits.Len(uint(2*len(s.fields)+1)))
	for i, f := range s.fields {
		c := f.common()
		at := int(c.hash) & (len(s.table) - 1)
		for s.table[at].f != nil {
			at = (at + 1) & (len(s.table) - 1)
		}
		s.table[at] = place{c, i}
	}
}

// position returns where a field stands, or -1. A loop over a table is a few
// times faster than a map, and this is in the path of every read.
func (s *Schema) position(f *field) int {
	mask := len(s.table) - 1
	for at := int(f.hash) & mask; ; at = (at + 1) & mask {
		switch e := &s.table[at]; e.f {
		case f:
			return e.pos
		case nil:
			return -1
		}
	}
}

// Kind returns the kind.
func (s *Schema) Kind() string { return s.kind }

// Key returns the key of the profile of an id.
func (s *Schema) Key(id string) session.Key { return session.Key{Kind: s.kind, ID: id} }

// Fields returns the fields in the order in which they were given.
func (s *Schema) Fields() []Field { return slices.Clone(s.fields) }

// Field returns the field of a name, or nil if there is none.
func (s *Schema) Field(name string) Field {
	for _, f := range s.fields {
		if f.Name() == name {
			return f
		}
	}
	return nil
}

// stored returns the field whose value is stored under a name, or nil if there is
// none: what is stored there is unknown to the schema then.
func (s *Schema) stored(name string) Field {
	if f := s.Field(name); f != nil && f.Stored() {
		return f
	}
	return nil
}

// Err returns nil, or an error that matches ErrSchema and names every mistake.
func (s *Schema) Err() error { return s.err }
