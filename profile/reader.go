package profile

import "github.com/holdfast-games/holdfast/document"

// Reader is what fields read from: a *Profile for one value as it is now, a
// *Tx for what the update has made of it so far, or what Profile.View gives for
// several values of one moment.
type Reader interface {
	// Profile returns the profile that is read.
	Profile() *Profile

	// begin takes what lock reading slots needs, and end releases it.
	begin() *Profile
	end()
	// openDocument returns the document between begin and end, for the one
	// goroutine that calls it, until closeDocument.
	openDocument() *document.Document
	closeDocument()
}

// view reads while its profile's lock is held. It is the profile under another
// type, so that it costs no allocation.
type view Profile

func (v *view) Profile() *Profile                { return (*Profile)(v) }
func (v *view) begin() *Profile                  { return (*Profile)(v) }
func (v *view) end()                             {}
func (v *view) openDocument() *document.Document { return (*Profile)(v).openDocument() }
func (v *view) closeDocument()                   { (*Profile)(v).closeDocument() }

// slotOf returns the slot of a field in what r reads, which must have begun,
// or nil if the field is not in the schema. That is logged once per field.
func slotOf(p *Profile, f *field) *slot {
	if i := p.schema.position(f); i >= 0 {
		return &p.slots[i]
	}
	p.srv.stranger(p, f)
	return nil
}
