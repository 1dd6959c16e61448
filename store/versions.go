package store

import (
	"context"
	"iter"
	"slices"
	"time"
)

// VersionsOptions say which versions are listed. Nil is the same as the zero
// value.
type VersionsOptions struct {
	From        time.Time // only versions written at this time or later; zero: from the first
	To          time.Time // only versions written before this time; zero: to the last
	NewestFirst bool      // the order; else the oldest come first
}

// Versions yields the versions of a key that can be read, the present one
// included, as entries without what is in them: value, metadata, user ids and
// Deleted are what GetVersion tells. A key that was never written has none.
func (s *Store) Versions(ctx context.Context, key string, o *VersionsOptions) iter.Seq2[Entry, error] {
	if o == nil {
		o = &VersionsOptions{}
	}
	return func(yield func(Entry, error) bool) {
		dbKey, err := s.dbKey("list versions", key)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		list, err := s.db.Versions(ctx, dbKey)
		if err != nil {
			yield(Entry{}, s.wrap("list versions", key, err))
			return
		}
		if o.NewestFirst {
			slices.Reverse(list)
		}
		for _, d := range list {
			at := d.Updated.Wall
			if at.Before(o.From) || !o.To.IsZero() && !at.Before(o.To) {
				continue
			}
			e := Entry{Key: key, Version: d.Version, Created: d.Created, Updated: at, Marked: d.Marked}
			if !yield(e, nil) {
				return
			}
		}
	}
}
