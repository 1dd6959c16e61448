package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

// errContradiction stands for the server's refusal of a group of which two
// batches name different versions of one entry.
var errContradiction error = &pgconn.PgError{Code: codeRefused, Message: "batches name different versions of one entry"}

// states are where entries stand; those that are absent are missing.
type states map[string][]driver.Version

func (s states) at(key string) driver.Version {
	if recent := s[key]; len(recent) > 0 {
		return recent[0]
	}
	return driver.Version{}
}

// look reads where the entries stand that the open batches name, all at one
// moment. Batches that are refused at that moment have their outcome then. The
// others' Always writes learn what they replace.
func (t *commit) look(ctx context.Context) error {
	s, err := t.states(ctx)
	if err != nil {
		return err
	}
	t.open = slices.DeleteFunc(t.open, func(b *batch) bool {
		b.outcome.Refused = b.refused(s)
		return b.outcome.Refused != nil
	})
	for _, b := range t.open {
		for _, c := range b.changes {
			if c.Mode == driver.Always {
				c.expected, c.recent = s.at(c.Key), s[c.Key]
			}
		}
	}
	return nil
}

// states reads where the entries stand that the open batches name.
func (t *commit) states(ctx context.Context) (states, error) {
	named := make(map[string]bool)
	for _, b := range t.open {
		for _, c := range b.Checks {
			named[c.Key] = true
		}
		for i := range b.Writes {
			named[b.Writes[i].Key] = true
		}
	}
	keys := slices.Collect(maps.Keys(named))
	s := make(states, len(keys))
	err := each(ctx, t.conn, func(rows pgx.Rows) error {
		var n int64
		var version, recent []byte
		if err := rows.Scan(&n, &version, &recent); err != nil {
			return err
		}
		v, err := lineage.ID(version)
		if err == nil {
			s[keys[n-1]], err = lineage.Decode(v, recent)
		}
		if err != nil {
			return fmt.Errorf("%w: entry %q: %w", driver.ErrCorrupt, keys[n-1], err)
		}
		return nil
	}, sqlStates, octets(keys))
	return s, err
}

// refused returns the states of the entries that are not at the version that the
// batch names, checks before writes; nil if there are none.
func (b *batch) refused(s states) (list []driver.State) {
	for _, c := range b.Checks {
		if s.at(c.Key) != c.Version {
			list = append(list, driver.State{Key: c.Key, Recent: slices.Clone(s[c.Key])})
		}
	}
	for i := range b.Writes {
		if w := &b.Writes[i]; w.Mode == driver.Expect && s.at(w.Key) != w.Version {
			list = append(list, driver.State{Key: w.Key, Recent: slices.Clone(s[w.Key])})
		}
	}
	return list
}
