package profile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// What is stored is brought to the schema's form between the taking of the lock
// and the first look at a field:
//
//	session open ──▶ nothing to do ─────────────────────────▶ decoded
//	      └─▶ copied ─▶ imported? ─▶ migrated? ─▶ decoded ─▶ one update
//
// The work is done on a copy. Only if all of it has gone well, and every field
// of the copy is of its type, is the difference made in the session's document, as
// one update with the notes of what was done (~schema, ~import). Whatever fails
// before that leaves the stored profile as it was; a crash after it leaves the
// update in the journal whole or not at all. So each step's effect and its note
// are never apart, and who finds the note does not do it again.

// todo is what is to be done with a session's document before it is decoded.
type todo struct {
	due     []*Migration
	imports bool  // the older store is to be asked
	err     error // why it cannot be
}

// slow reports whether there is anything to do, which the game's own code does.
func (t *todo) slow() bool { return t != nil && t.err == nil && (len(t.due) > 0 || t.imports) }

func (srv *Server) todo(s *session.Session) *todo {
	s.Lock()
	defer s.Unlock()
	d, t := s.Document(), new(todo)
	if srv.opts.Tool {
		return t // it knows no fields, and keeps them in whatever form they have
	}
	t.due, t.err = srv.schema.due(s.Key(), d)
	t.imports = srv.opts.Import != nil && untouched(d)
	return t
}

// untouched reports whether nothing of the game's was ever in a document, nor was
// the older store asked for it.
func untouched(d *document.Document) bool {
	n := d.Len()
	for _, path := range []document.Path{schemaPath, slotSchemaPath} {
		if d.Has(path) {
			n--
		}
	}
	return n == 0
}

// prepare does what is to be done and decodes the profile.
func (p *Profile) prepare(ctx context.Context, t *todo) error {
	p.s.Lock()
	d := p.s.Document().Clone()
	p.s.Unlock()
	draft, due, why := newDraft(p.key, d), t.due, "" // t.due: of what is stored
	if t.imports {
		var err error
		if due, err = p.importInto(ctx, draft); err != nil {
			return err
		}
		why = "imported from the older store"
	}
	if len(due) > 0 {
		var err error
		if draft.slots, err = p.schema.ownership(d); err != nil {
			return err
		}
		if err := p.srv.migrator().run(p.schema, draft, due); err != nil {
			return err
		}
		why = strings.TrimPrefix(why+"; migrated by "+names(due), "; ")
	}
	if err := p.schema.noteSlots(draft, p.srv.slotTime()); err != nil {
		return fmt.Errorf("load %v: %s: %w", p.key, why, err)
	}
	if err := p.loadSlots(d); err != nil {
		if t.imports {
			return &ImportError{Key: p.key, Data: true, Err: err}
		}
		return err
	}
	if err := p.applyDraft(ctx, draft, why); err != nil {
		return fmt.Errorf("load %v: %s: %w", p.key, why, err)
	}
	if t.imports {
		// A crash before this only means that the store is asked again; after it the
		// game may hand out what depends on what was imported.
		if err := p.s.Sync(ctx); err != nil {
			return fmt.Errorf("load %v: %s: %w", p.key, why, err)
		}
	}
	return nil
}

func names(ms []*Migration) string {
	all := make([]string, len(ms))
	for i, m := range ms {
		all[i] = m.Name
	}
	return strings.Join(all, ", ")
}

// applyDraft makes in the session what a draft has changed, as one update. Nobody has
// the profile yet.
func (p *Profile) applyDraft(ctx context.Context, draft *Draft, why string) error {
	tx, err := p.beginWhenTrusted(ctx)
	if err != nil {
		return err
	}
	for _, c := range draft.delta() {
		if c.Value == nil {
			err = tx.Delete(c.Path, false)
		} else {
			err = tx.Set(c.Path, c.Value, false)
		}
		if err != nil {
			session.Rollback(tx)
			return err
		}
	}
	tx.Because(why)
	return session.Commit(false, tx)
}

// trustedEvery is the time from one try to begin an update to the next, while the
// server is suspended.
const trustedEvery = 20 * time.Millisecond

// beginWhenTrusted begins an update. Of a server that is suspended, it waits until
// that is decided: it passes, or the session is lost.
func (p *Profile) beginWhenTrusted(ctx context.Context) (*session.Tx, error) {
	for {
		tx, err := p.s.Begin()
		if !errors.Is(err, session.ErrSuspended) {
			return tx, err
		}
		timer := time.NewTimer(trustedEvery)
		select {
		case <-timer.C:
		case <-p.s.Done():
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
	}
}
