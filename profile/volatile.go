package profile

import (
	"fmt"
	"sync"

	"github.com/holdfast-games/holdfast/document"
)

// Volatile keeps a field in memory only, from the opening of the profile to its
// end: the value is never journalled, saved, sent to followers or carried along in
// a hand-over, and to write it makes nothing dirty and costs no I/O. At the next
// opening the field reads as its default. All else is as with any field: updates
// take it back with the rest, bounds and sizes are checked, listeners are told.
//
// A value that was stored under the name, when the field was not volatile yet, stays
// stored and is not read. A [Copy], a live copy, and the copies on which a trade
// across servers runs, read the default; to write a volatile field of such a copy,
// or by operations while no game has the profile open, is ErrVolatile, as nothing
// would come of it. Volatile fields may hold as much together as the stored ones
// together. A field cannot be Lazy and Volatile.
func Volatile() FieldOption { return func(s *settings) { s.volatile = true } }

// Volatile fields have a document of their own beside the session's, with the same
// limits. Whatever touches a field asks the field for the document that has it; so
// the others pay nothing for this, and none of the layers below hears of it.

// volatiles is the document of a profile's volatile fields. An update under way has
// the profile's lock and needs no other; readers lock mu, as reading may split
// fields.
type volatiles struct {
	mu  sync.Mutex
	doc *document.Document
}

func (f *field) Volatile() bool { return f.settings.volatile }
func (f *field) Stored() bool   { return !f.settings.volatile && !f.settings.computed }

// openIn returns the document that has the field in what r reads, which has begun,
// until closeIn.
func (f *field) openIn(r Reader) *document.Document {
	if !f.settings.volatile {
		return r.openDocument()
	}
	v := r.Profile().volatile
	if v == nil {
		return new(document.Document) // a field of another schema
	}
	v.mu.Lock()
	return v.doc
}

func (f *field) closeIn(r Reader) {
	if !f.settings.volatile {
		r.closeDocument()
		return
	}
	if v := r.Profile().volatile; v != nil {
		v.mu.Unlock()
	}
}

// raw returns what the document has of the field under a path. It is shared with the
// document.
func (f *field) raw(r Reader, path document.Path) ([]byte, bool) {
	value, ok := f.openIn(r).Get(path)
	f.closeIn(r)
	return value, ok
}

// documentOf returns the document that has a field, for an update that writes it.
func (tx *Tx) documentOf(f *field) *document.Document {
	if f.settings.volatile {
		return tx.p.volatile.doc
	}
	return tx.w.Document()
}

// writerOf returns what writes a field.
func (tx *Tx) writerOf(f *field) writer {
	if f.settings.volatile {
		tx.volatile.doc = tx.p.volatile.doc
		return &tx.volatile
	}
	return tx.w
}

// inVain returns the refusal of a write to a volatile field of a copy, or nil.
func (tx *Tx) inVain(f *field) error {
	if f.settings.volatile && tx.p.failed != nil && tx.p.failed.err == ErrCopy {
		return fmt.Errorf("%w, and this is a copy", ErrVolatile)
	}
	return nil
}

// unkept returns the refusal of an operation that writes a volatile field while the
// profile is open only for whoever sends such things, or nil.
func (tx *Tx) unkept(f *field, op *Op) error {
	if f.settings.volatile && !op.action.expects() && tx.p.failed == nil && !tx.p.kept.Load() {
		return fmt.Errorf("%w, and no game has the profile open", ErrVolatile)
	}
	return nil
}
