package feed

import (
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// Change is what one session changed in one append, or its whole state. What it
// holds is the receiver's, except the bytes of the values, which are shared and must
// not be changed.
type Change struct {
	Key      session.Key
	Birth    driver.Version // of what is under the key; another one after it was erased
	Revision uint64         // of the document, with this change; several updates of one append count each
	Session  driver.Version // that made it
	Server   string         // that held the session
	// Whole says that Delta names every field of the document. It may come with the
	// revision of the change before.
	Whole bool
	// Delta is empty if only something beside the document was changed.
	Delta   document.Delta
	Reasons []string  // that the game gave for updates in it, each once
	At      time.Time // when it was written, by the database's clock
	// Position is where to go on once this change, and those before it, are dealt
	// with. It may be that of a few changes earlier.
	Position Position
}

// Apply makes the change in a document that all earlier ones of the same birth were
// made in, beginning with an empty one. An error matches those of package document;
// nothing is changed then.
func (c *Change) Apply(d *document.Document) error {
	if !c.Whole {
		return d.Apply(c.Delta)
	}
	named := make(map[string]bool, len(c.Delta))
	for i := range c.Delta {
		named[c.Delta[i].Path.Field] = true
	}
	var all document.Delta
	for name := range d.Fields() {
		if !named[name] {
			all = append(all, document.Change{Path: document.Field(name)})
		}
	}
	return d.Apply(append(all, c.Delta...))
}
