package driver

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Normalize returns the query with its defaults filled in, or an error that
// matches ErrInvalid.
func (q RecordQuery) Normalize() (RecordQuery, error) {
	if q.Limit == 0 {
		q.Limit = MaxRead
	}
	if q.Limit < 0 || q.Limit > MaxRead {
		return q, fmt.Errorf("%w: limit of %d versions, 1 to %d allowed", ErrInvalid, q.Limit, MaxRead)
	}
	if q.From.Skip < 0 || q.From.Skip > 0 && q.From.After == "" {
		return q, fmt.Errorf("%w: skip %d versions of the key %q", ErrInvalid, q.From.Skip, q.From.After)
	}
	if q.From.After == "" {
		return q, nil
	}
	return q, CheckKey(q.From.After)
}

// Validate returns an error that matches ErrInvalid, ErrCorrupt or ErrFormat
// unless the records may be written. Drivers call it first in WriteRecords.
func (t *Transfer) Validate() error {
	if len(t.Records) == 0 || len(t.Records) > MaxRead || len(t.Checks) > MaxBatch {
		return fmt.Errorf("%w: %d records and %d checks, 1 to %d and at most %d allowed",
			ErrInvalid, len(t.Records), len(t.Checks), MaxRead, MaxBatch)
	}
	versions := 0
	for i := range t.Records {
		r := &t.Records[i]
		if i > 0 && r.Key <= t.Records[i-1].Key {
			return fmt.Errorf("%w: the record of %q comes after that of %q", ErrInvalid, r.Key, t.Records[i-1].Key)
		}
		if versions += 1 + len(r.Retained); versions > maxVersions {
			return fmt.Errorf("%w: records of more than %d versions", ErrInvalid, maxVersions)
		}
		if err := r.Validate(); err != nil {
			return err
		}
	}
	for _, c := range t.Checks {
		if err := CheckKey(c.Key); err != nil {
			return err
		}
		if _, found := slices.BinarySearchFunc(t.Records, c.Key, func(r Record, key string) int { return strings.Compare(r.Key, key) }); found {
			return fmt.Errorf("%w: %q is checked and written", ErrInvalid, c.Key)
		}
	}
	return nil
}

// maxVersions is how many versions one call of WriteRecords may carry: more
// than any page has.
const maxVersions = 2 * MaxRead

// Validate returns an error that matches ErrInvalid, ErrCorrupt or ErrFormat
// unless the record may be written.
func (r *Record) Validate() error {
	if err := CheckKey(r.Key); err != nil {
		return err
	}
	if r.Skipped < 0 || r.Skipped > math.MaxInt32 || r.Skipped > 0 && r.Present.Value != nil {
		return fmt.Errorf("%w: record of %q skips %d versions, with a value of %d bytes", ErrInvalid, r.Key, r.Skipped, len(r.Present.Value))
	}
	if err := r.checkRecent(); err != nil {
		return err
	}
	if err := checkWall(r.Key, r.Created); err != nil {
		return err
	}
	if err := r.Present.check(r.Key, r.Skipped == 0); err != nil {
		return err
	}
	seen := map[Version]bool{r.Present.Version: true}
	for i := range r.Retained {
		v := &r.Retained[i]
		if seen[v.Version] {
			return fmt.Errorf("%w: record of %q has version %v twice", ErrInvalid, r.Key, v.Version)
		}
		seen[v.Version] = true
		if err := v.check(r.Key, true); err != nil {
			return err
		}
		if err := checkWall(r.Key, v.Replaced); err != nil {
			return err
		}
	}
	return nil
}

func (r *Record) checkRecent() error {
	if len(r.Recent) == 0 || len(r.Recent) > RecentVersions || r.Recent[0] != r.Present.Version {
		return fmt.Errorf("%w: record of %q, at %v, with the recent versions %v", ErrInvalid, r.Key, r.Present.Version, r.Recent)
	}
	seen := make(map[Version]bool, len(r.Recent))
	for _, v := range r.Recent {
		if v.IsZero() || seen[v] {
			return fmt.Errorf("%w: record of %q has the recent versions %v", ErrInvalid, r.Key, r.Recent)
		}
		seen[v] = true
	}
	return nil
}

// check refuses a version that cannot be stored as it is. One that is said to
// be damaged must be damaged by its value and sum: anything else could not be
// told where it is written.
func (v *RecordVersion) check(key string, hasValue bool) error {
	switch {
	case v.Version.IsZero():
		return fmt.Errorf("%w: record of %q has a version without an id", ErrInvalid, key)
	case len(v.Value) > MaxValue:
		return fmt.Errorf("%w: value of %d bytes under %q, at most %d", ErrInvalid, len(v.Value), key, MaxValue)
	case len(v.Updated.Boot) > MaxBoot || !utf8.ValidString(v.Updated.Boot) || strings.IndexByte(v.Updated.Boot, 0) >= 0:
		return fmt.Errorf("%w: version %v of %q names the boot %.40q", ErrInvalid, v.Version, key, v.Updated.Boot)
	}
	if err := checkWall(key, v.Updated.Wall); err != nil {
		return err
	}
	if !hasValue {
		return nil
	}
	err := Verify(key, v.Version, v.Value, Format, v.Sum)
	switch {
	case err != nil && v.Damaged == nil:
		return err
	case v.Damaged != nil && (err == nil || errors.Is(v.Damaged, ErrFormat)):
		return fmt.Errorf("version %v of %q cannot be moved as it is: %w", v.Version, key, v.Damaged)
	}
	return nil
}

// checkWall refuses times that not every database can hold.
func checkWall(key string, t time.Time) error {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return fmt.Errorf("%w: record of %q has a time in the year %d", ErrInvalid, key, y)
	}
	return nil
}
