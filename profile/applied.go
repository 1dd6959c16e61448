package profile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// applied is what the reserved fields ~schema and ~slotschema tell of one migration,
// under its name.
type applied struct {
	At         time.Time `json:"at"`
	Compatible bool      `json:"compatible,omitempty"`
}

// due returns the migrations that a document lacks, in order. The error is a
// *NewerSchemaError if it has one that the schema does not know and that is not
// compatible, and a *MigrationError if one is due that can only come too late.
func (s *Schema) due(key session.Key, d *document.Document) ([]*Migration, error) {
	account, err := s.notedIn(key, d, schemaPath)
	if err != nil {
		return nil, err
	}
	slot, err := s.notedIn(key, d, slotSchemaPath)
	if err != nil {
		return nil, err
	}
	due, err := s.lacking(key, false, account)
	if err != nil || noneLoaded(d) {
		return due, err
	}
	more, err := s.lacking(key, true, slot, account)
	return append(due, more...), err
}

// dueOfSlot is due for a document that holds what belongs to a save slot and nothing
// else, beside the one that holds what belongs to the account.
func (s *Schema) dueOfSlot(key session.Key, parked, account *document.Document) ([]*Migration, error) {
	slot, err := s.notedIn(key, parked, slotSchemaPath)
	if err != nil {
		return nil, err
	}
	before, err := s.notedIn(key, account, schemaPath)
	if err != nil {
		return nil, err
	}
	return s.lacking(key, true, slot, before)
}

// notedIn returns what a document notes of migrations in one field, if this schema
// can go on with it.
func (s *Schema) notedIn(key session.Key, d *document.Document, path document.Path) (map[string]applied, error) {
	text, ok := d.Get(path)
	if !ok {
		return nil, nil
	}
	var has map[string]applied
	if err := decodeApplied(path, text, &has); err != nil {
		return nil, fmt.Errorf("load %v: %w", key, err)
	}
	return has, s.newer(key, has)
}

// lacking returns the migrations of slots, or of the account, that are noted nowhere.
func (s *Schema) lacking(key session.Key, perSlot bool, noted ...map[string]applied) (due []*Migration, err error) {
	for _, m := range s.migrations {
		if m.PerSlot != perSlot {
			continue
		}
		at := slices.IndexFunc(noted, func(has map[string]applied) bool { _, ok := has[m.Name]; return ok })
		if at < 0 {
			due = append(due, m)
			continue
		}
		if len(due) > 0 && !noted[at][m.Name].Compatible {
			return nil, &MigrationError{key, due[0].Name, fmt.Errorf("%w: %q", errOutOfOrder, m.Name)}
		}
	}
	return due, nil
}

// noneLoaded reports whether a document says that no save slot is loaded.
func noneLoaded(d *document.Document) bool {
	loaded, ok := d.Get(document.Element(slotsField, loadedElement))
	return ok && string(loaded) == `""`
}

// settled returns an error unless a document that another server has open is in the
// schema's form: to migrate it is for who opens it next.
func (s *Schema) settled(key session.Key, d *document.Document) error {
	due, err := s.due(key, d)
	if err == nil && len(due) > 0 {
		err = &MigrationError{key, due[0].Name, errElsewhere}
	}
	return err
}

// newer returns the error for the first migration, by the time at which it was
// applied, that keeps this schema from reading the document.
func (s *Schema) newer(key session.Key, has map[string]applied) error {
	var names []string
	for name, a := range has {
		if !a.Compatible && s.migration(name) == nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	first := slices.MinFunc(names, func(a, b string) int {
		return cmp.Or(has[a].At.Compare(has[b].At), cmp.Compare(a, b))
	})
	return &NewerSchemaError{Key: key, Migration: first, At: has[first].At}
}

func decodeApplied[T any](path document.Path, text []byte, has *map[string]T) error {
	err := decode(text, has)
	if err == nil && !isObject(text) {
		err = fmt.Errorf("not a JSON object")
	}
	if err != nil {
		return fmt.Errorf("%w: field %q holds %.60q: %w", ErrWrongType, path.Field, text, err)
	}
	return nil
}

// appliedWith returns the value of such a field with more migrations, after an older
// one, which is nil if there was none. Whatever else that says is kept.
func appliedWith(old []byte, more []*Migration, now time.Time) ([]byte, error) {
	all := make(map[string]json.RawMessage)
	if old != nil {
		if err := decodeApplied(schemaPath, old, &all); err != nil {
			return nil, err
		}
	}
	for _, m := range more {
		a := applied{now.UTC().Truncate(time.Second), m.Compatible}
		text, err := encode(&a, nil)
		if err != nil {
			return nil, err
		}
		all[m.Name] = text
	}
	return encode(&all, nil)
}
