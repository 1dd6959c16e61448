package profile

import (
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// origin is where an update comes from that somebody asked for by id.
type origin struct {
	by       driver.Version // the id of the asker's follows; zero: it does not follow the profile
	revision uint64         // of the profile after the update, once it is committed
}

// begin notes, before the update can reach the disk, whose it is. The profile is
// locked up to end or undo, so that no other update gets its revision.
func (o *origin) begin(tx *Tx) {
	if a, w := o.audience(tx); a != nil {
		a.note(w.Revision(), o.by)
	}
}

// undo takes begin back.
func (o *origin) undo(tx *Tx) {
	if a, w := o.audience(tx); a != nil {
		a.note(w.Revision(), driver.Version{})
	}
}

// end notes what the update has made.
func (o *origin) end(tx *Tx) {
	if o != nil {
		o.revision = tx.p.Revision()
	}
}

// audience returns who has to be told of the origin, or nil.
func (o *origin) audience(tx *Tx) (*audience, *session.Tx) {
	w, ok := tx.w.(*session.Tx)
	if o == nil || o.by.IsZero() || !ok {
		return nil, nil
	}
	return tx.p.audience(false), w
}
