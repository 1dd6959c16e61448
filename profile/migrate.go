package profile

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// maxLost is how many runs of migrations that did not end in time may go on
// before none is begun any more: each may keep a processor busy.
const maxLost = 16

// migrator runs migrations on copies of documents.
type migrator struct {
	now   time.Time
	limit time.Duration // for all that are due of one document
	lost  *atomic.Int32
}

func (c *common) migrator() *migrator {
	return &migrator{c.ss.Now(), c.opts.MigrationTime, &c.lost}
}

// migrateDocument brings a document that is the caller's own into the schema's
// form, with the note of that in ~schema, and returns what has changed. It is the
// way for whatever is stored as fields: a root, a version of it, a part of it. The
// error matches ErrMigration, ErrNewerSchema or ErrWrongType; the document is of
// no use then, and must not be touched: a migration that is late may still use it.
func (s *Schema) migrateDocument(key session.Key, d *document.Document, m *migrator) (document.Delta, error) {
	due, err := s.due(key, d)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	draft := newDraft(key, d)
	if draft.slots, err = s.ownership(d); err != nil {
		return nil, err
	}
	if err := m.run(s, draft, due); err != nil {
		return nil, err
	}
	return draft.delta(), nil
}

// run runs migrations on a draft, notes them there, and checks what they have
// written. The error is a *MigrationError.
func (m *migrator) run(s *Schema, d *Draft, due []*Migration) error {
	if name, err := m.runAll(d, due); err != nil {
		return &MigrationError{d.key, name, err}
	}
	for _, n := range notesOf(due) {
		if err := d.noteApplied(n, m.now); err != nil {
			return &MigrationError{d.key, n.migrations[0].Name, fmt.Errorf("note it: %w", err)}
		}
	}
	for field, name := range d.by {
		f := s.Field(field)
		value, ok := d.doc.Get(document.Field(field))
		if f == nil || !ok {
			continue
		}
		if err := loadSlot(f, new(slot), value); err != nil {
			return &MigrationError{d.key, name, err}
		}
	}
	return nil
}

// migrateSlot brings what was parked of a save slot into the schema's form. The
// document is the caller's own, and of no use after an error.
func (s *Schema) migrateSlot(key session.Key, parked *document.Document, due []*Migration, m *migrator) error {
	if len(due) == 0 {
		return nil
	}
	draft := newDraft(key, parked)
	draft.slots = func(string) ownership { return ofSlot }
	return m.run(s, draft, due)
}

// noteApplied notes that migrations were applied.
func (d *Draft) noteApplied(n notes, now time.Time) error {
	d.note(n.path.Field)
	noted, _ := d.doc.Get(n.path)
	text, err := appliedWith(noted, n.migrations, now)
	if err == nil {
		_, err = d.doc.Set(n.path, text)
	}
	return err
}

// runOutcome is how a run of migrations ended.
type runOutcome struct {
	name string // of the migration that failed
	err  error
}

// runAll calls the migrations on a goroutine of its own, and waits for them no
// longer than it may.
func (m *migrator) runAll(d *Draft, due []*Migration) (failed string, err error) {
	if m.lost.Load() >= maxLost {
		return due[0].Name, fmt.Errorf("not begun: %d runs before it %w, and go on", maxLost, ErrTooSlow)
	}
	var at atomic.Pointer[Migration]
	at.Store(due[0])
	done := make(chan runOutcome, 1)
	var ended atomic.Bool // by whichever comes first: its return, or the end of its time
	go func() {
		out := runOutcome{err: errors.New("it ended its goroutine")}
		defer func() {
			if r := recover(); r != nil {
				out.err = fmt.Errorf("panic: %v", r)
			}
			out.name = at.Load().Name
			if !ended.CompareAndSwap(false, true) {
				m.lost.Add(-1)
			}
			done <- out
		}()
		for _, mg := range due {
			at.Store(mg)
			if err := mg.runOn(d); err != nil {
				out.err = err
				return
			}
		}
		out.err = nil
	}()
	timer := time.NewTimer(m.limit)
	defer timer.Stop()
	select {
	case out := <-done:
		return out.name, out.err
	case <-timer.C:
	}
	if !ended.CompareAndSwap(false, true) {
		out := <-done // at the same time
		return out.name, out.err
	}
	d.over.Store(true)
	m.lost.Add(1)
	return at.Load().Name, fmt.Errorf("%w: more than %v", ErrTooSlow, m.limit)
}

// runOn calls one migration.
func (mg *Migration) runOn(d *Draft) error {
	if mg.Run == nil {
		return errNoFunction
	}
	d.current = mg
	if err := mg.Run(d); err != nil {
		return err
	}
	return d.err
}
