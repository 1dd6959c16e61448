package profile

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

const (
	// MaxMigrationName is the most bytes that a migration's name may have.
	MaxMigrationName = 50
	// MaxMigrations is how many migrations a schema may have.
	MaxMigrations = 256
)

// Migration brings profiles that an older version of the game has stored into
// the form of this one. Each is applied exactly once to each profile, when that
// is loaded: its effect and the note of its name are one update, which is made
// before anybody gets the profile. A new profile is born in the newest form.
//
// A migration stays declared for as long as there may be profiles without it, and
// one that is not Compatible for ever: by its name a program knows that it can
// read what it has made. Declare a new one after all others.
type Migration struct {
	// Name is 1 to MaxMigrationName bytes of text, and never used again for
	// another migration.
	Name string
	// Compatible says that servers which do not know the migration can go on
	// with profiles that have it: that it only adds fields, say. They keep the
	// fields that they do not know. Else such a server refuses the profile with
	// ErrNewerSchema, and leaves it as it is.
	Compatible bool
	// PerSlot says that it is for what belongs to a save slot: it is applied once to
	// each slot, when that is loaded, and sees and writes no field of the account.
	// One that is not sees and writes no field of a slot. A migration that was applied
	// before the schema had slots counts as applied to all of them.
	PerSlot bool
	// Run makes the change. It is called on a goroutine of its own with a copy of
	// the stored fields, and may be called again for the same profile if the
	// server crashes before the change has reached the disk, so it must have no
	// effect but on the Draft. An error, a panic, a write that is refused, and a
	// field that ends up with a value of another type fail the load: the stored
	// profile stays as it was. So does a Run that takes longer than
	// Options.MigrationTime. It cannot be killed then: it goes on until it
	// returns or next uses its Draft, where it ends.
	Run func(d *Draft) error
}

// Migrate returns the schema with migrations, in this order, after those that it
// has. A mistake in them, such as a name that occurs twice, is reported by Err.
//
// Which are due for a profile is decided by name, not by number: all that it does
// not have, in the schema's order. If one of them stands before a migration
// that the profile has and that is not compatible, so that it would meet fields
// in a form that it was not written for, then it is not run and the load fails:
// such a migration belongs at the end.
func (s *Schema) Migrate(ms ...Migration) *Schema {
	c := *s
	c.migrations = make([]*Migration, 0, len(s.migrations)+len(ms))
	c.migrations = append(c.migrations, s.migrations...)
	for i := range ms {
		m := ms[i]
		if m.Run == nil {
			c.mistake(fmt.Errorf("migration %q has no Run", m.Name))
		}
		c.addMigration(&m)
	}
	return &c
}

func (s *Schema) addMigration(m *Migration) {
	switch {
	case m.Name == "" || len(m.Name) > MaxMigrationName || !utf8.ValidString(m.Name):
		s.mistake(fmt.Errorf("migration %.80q: a name has 1 to %d bytes of UTF-8", m.Name, MaxMigrationName))
	case document.Field(m.Name).Check() != nil:
		s.mistake(fmt.Errorf("migration %q: %w", m.Name, document.Field(m.Name).Check()))
	case s.migration(m.Name) != nil:
		s.mistake(fmt.Errorf("two migrations are named %q", m.Name))
	case m.PerSlot && !s.hasSlots():
		s.mistake(fmt.Errorf("migration %q is for save slots, and no field is PerSlot", m.Name))
	case len(s.migrations) == MaxMigrations:
		s.mistake(fmt.Errorf("more than %d migrations", MaxMigrations))
	}
	s.migrations = append(s.migrations, m)
}

// mistake notes what is wrong with the schema, after what is known already.
func (s *Schema) mistake(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("%w %q: %w", ErrSchema, s.kind, err)
		return
	}
	s.err = fmt.Errorf("%w\n%w", s.err, err)
}

// migration returns the migration of a name, or nil.
func (s *Schema) migration(name string) *Migration {
	for _, m := range s.migrations {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// MigrationInfo is what is known of a migration by its declaration.
type MigrationInfo struct {
	Name       string
	Compatible bool
	PerSlot    bool
}

// Migrations returns the schema's migrations in their order.
func (s *Schema) Migrations() []MigrationInfo {
	infos := make([]MigrationInfo, len(s.migrations))
	for i, m := range s.migrations {
		infos[i] = MigrationInfo{m.Name, m.Compatible, m.PerSlot}
	}
	return infos
}

// firstDelta returns what a document begins with that has the newest form: the
// note that no migration is due. It is part of the commit that creates the
// root, so there is never a document of this form without it.
func (s *Schema) firstDelta(now time.Time) document.Delta {
	if len(s.migrations) == 0 {
		return nil
	}
	var first document.Delta
	for _, n := range notesOf(s.migrations) {
		text, err := appliedWith(nil, n.migrations, now)
		if err != nil {
			return nil // cannot be: a schema whose names cannot be encoded is not opened
		}
		first = append(first, document.Change{Path: n.path, Value: text})
	}
	return first
}

// notes are migrations that are noted in one field.
type notes struct {
	path       document.Path
	migrations []*Migration
}

// notesOf returns where each of some migrations is noted.
func notesOf(ms []*Migration) []notes {
	account, slot := notes{path: schemaPath}, notes{path: slotSchemaPath}
	for _, m := range ms {
		if m.PerSlot {
			slot.migrations = append(slot.migrations, m)
		} else {
			account.migrations = append(account.migrations, m)
		}
	}
	return slices.DeleteFunc([]notes{account, slot}, func(n notes) bool { return len(n.migrations) == 0 })
}

// bornNote returns the note of a save slot that begins empty, in the newest form;
// nil if the schema has no migrations of slots.
func (s *Schema) bornNote(now time.Time) []byte {
	for _, c := range s.firstDelta(now) {
		if c.Path == slotSchemaPath {
			return c.Value
		}
	}
	return nil
}

// openOptions returns how a session is opened for a profile of the schema.
func (srv *Server) openOptions(o *OpenOptions) *session.OpenOptions {
	so := &session.OpenOptions{
		MustExist: o.MustExist, NoAsk: o.NoAsk, Steal: o.Steal, Waiting: o.Waiting, Ended: srv.ended, Saved: srv.saved,
	}
	if !srv.opts.Tool { // which knows no fields, and leaves those ranked that are
		so.Ranked = srv.schema.ranked
	}
	if len(srv.schema.migrations) > 0 {
		so.First = func() document.Delta { return srv.schema.firstDelta(srv.ss.Now()) }
	}
	return so
}
