package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// Imported is what an older store has of a player (Options.Import).
type Imported struct {
	// Fields are values by the names of fields, as the profile stores them. Names
	// that the schema does not know are kept too; those that begin with "~" are
	// refused.
	Fields map[string]json.RawMessage
	// Migrated names the last of the schema's migrations whose form the fields
	// have already: those after it are run on them. Empty means that all are run,
	// which is right for a function that was written before the first one.
	Migrated string
}

// imported is the value of the reserved field ~import.
type imported struct {
	At    time.Time `json:"at"`
	Found bool      `json:"found"`
}

// importInto asks the older store and puts what it gives into a draft, with the
// notes of that. It returns the migrations that are to be run then. The error is
// an *ImportError.
func (p *Profile) importInto(ctx context.Context, d *Draft) ([]*Migration, error) {
	got, err := callImport(ctx, p.srv.opts.Import, p.key)
	if err != nil {
		return nil, &ImportError{Key: p.key, Err: err}
	}
	due, err := p.schema.fill(d, got, p.srv.ss.Now())
	if err != nil {
		return nil, &ImportError{Key: p.key, Data: true, Err: err}
	}
	return due, nil
}

// callImport calls the game's function, and turns a panic of it into an error.
func callImport(ctx context.Context, fn func(context.Context, session.Key) (*Imported, error), key session.Key) (got *Imported, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	if got, err = fn(ctx, key); err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // who asked for it has gone, perhaps before it was whole
	}
	return got, err
}

// fill puts what was imported into a draft, and returns the migrations that its
// form lacks.
func (s *Schema) fill(d *Draft, got *Imported, now time.Time) ([]*Migration, error) {
	note := imported{now.UTC().Truncate(time.Second), got != nil}
	text, err := encode(&note, nil)
	if err != nil {
		return nil, err
	}
	if err := d.put(importPath.Field, text); err != nil {
		return nil, err
	}
	if got == nil {
		return s.due(d.key, d.doc)
	}
	has := 0
	if got.Migrated != "" {
		has = 1 + slices.IndexFunc(s.migrations, func(m *Migration) bool { return m.Name == got.Migrated })
		if has == 0 {
			return nil, fmt.Errorf("%w: it says that it has the migration %.80q, which the schema does not have", driver.ErrInvalid, got.Migrated)
		}
	}
	for _, path := range []document.Path{schemaPath, slotSchemaPath} {
		d.note(path.Field)
		d.doc.Delete(path)
	}
	if text, err = appliedWith(nil, s.migrations[:has], now); err != nil {
		return nil, err
	}
	if len(s.migrations) > 0 {
		if err := d.put(schemaPath.Field, text); err != nil {
			return nil, err
		}
	}
	return s.migrations[has:], d.setAll(got.Fields)
}

// setAll writes fields that were imported, in the order of their names.
func (d *Draft) setAll(fields map[string]json.RawMessage) error {
	limits := d.doc.Limits()
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := d.writable(name); err != nil {
			return err
		}
		value, err := document.Compact(fields[name], &limits)
		if err != nil {
			return fmt.Errorf("field %.80q: %w", name, err)
		}
		if err := d.put(name, value); err != nil {
			return err
		}
	}
	return nil
}
