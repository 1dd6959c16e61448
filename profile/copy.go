package profile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// Copy is a profile as it was read without its lock, whoever holds it. Fields
// read from it as from any Reader. It never changes: an update of its profile is
// ErrCopy. All its methods are safe for concurrent use.
type Copy struct {
	p *Profile
	v *session.View
}

// Peek reads the profile of an id without its lock, and disturbs nobody. What a
// server that has it open did in its last milliseconds is not yet in it, also
// if that is this server. Peek blocks to read from the database.
//
// Migrations that are due are run on what was read, and change nothing of what is
// stored. An older store (Options.Import) is not asked.
//
// It is session.ErrNotFound if nothing was ever stored for the id,
// session.ErrErased, driver.ErrCorrupt, ErrMigration, ErrNewerSchema, or
// ErrWrongType if a field holds a value of another type; session.Server.Peek shows
// such profiles nevertheless.
func (srv *Server) Peek(ctx context.Context, id string) (*Copy, error) {
	v, err := srv.ss.Peek(ctx, srv.key(id))
	if err != nil {
		return nil, err
	}
	if !srv.opts.Tool {
		if _, err = srv.schema.migrateDocument(v.Key, v.Document, srv.migrator()); err != nil {
			return nil, fmt.Errorf("peek: %w", err)
		}
	}
	p, err := detached(srv, v.Key, v.Document)
	if err != nil {
		return nil, fmt.Errorf("peek: %w", err)
	}
	p.failed.revision = v.Revision
	return &Copy{p, v}, nil
}

// Profile returns the profile that is read, which cannot be updated or saved;
// its Err is ErrCopy.
func (c *Copy) Profile() *Profile { return c.p }

// Key returns the profile's kind and id.
func (c *Copy) Key() session.Key { return c.v.Key }

// Revision returns how many updates have changed the profile up to what was
// read, those of Lazy fields alone aside: what ExpectRevisionOp compares with.
func (c *Copy) Revision() uint64 { return c.v.Revision }

// Version returns the version of the player's root that was read. What lay in
// the journal only has no version yet.
func (c *Copy) Version() driver.Version { return c.v.Version }

// Birth returns the version that created the profile.
func (c *Copy) Birth() driver.Version { return c.v.Birth }

// Created returns when the player's root was created, by the database's clock.
func (c *Copy) Created() time.Time { return c.v.Created }

// Updated returns when the player's root was last written, by the database's
// clock.
func (c *Copy) Updated() time.Time { return c.v.Updated }

// Holder returns who had the profile open, or nil for nobody.
func (c *Copy) Holder() *session.Holder {
	if c.v.Holder == nil {
		return nil
	}
	h := *c.v.Holder
	return &h
}

// Fields iterates over the names and values that are stored, those included
// that the schema does not know, in the order in which they are stored. What is
// not stored, and reads as its default, is not among them, nor is what Holdfast
// keeps for itself under names that begin with "~".
func (c *Copy) Fields() iter.Seq2[string, json.RawMessage] {
	var names []string
	var values []json.RawMessage
	c.begin()
	for name, value := range c.openDocument().Fields() {
		if !reserved(name) {
			names, values = append(names, name), append(values, bytes.Clone(value))
		}
	}
	c.closeDocument()
	c.end()
	return func(yield func(string, json.RawMessage) bool) {
		for i, name := range names {
			if !yield(name, values[i]) {
				return
			}
		}
	}
}

// JSON returns all that is stored, Holdfast's own included, as one compact JSON
// object.
func (c *Copy) JSON() json.RawMessage { return textOf(c) }

// textOf returns the document of what is read.
func textOf(r Reader) json.RawMessage {
	r.begin()
	defer r.end()
	defer r.closeDocument()
	return r.openDocument().AppendJSON(nil)
}

func (c *Copy) begin() *Profile                  { return c.p.begin() }
func (c *Copy) end()                             { c.p.end() }
func (c *Copy) openDocument() *document.Document { return c.p.openDocument() }
func (c *Copy) closeDocument()                   { c.p.closeDocument() }
