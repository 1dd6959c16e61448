package driver

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckKey returns an error that matches ErrInvalid unless key is text of 1 to
// MaxKey bytes without NUL.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: empty key", ErrInvalid)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: key of %d bytes, at most %d: %.40q…", ErrInvalid, len(key), MaxKey, key)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: key %.40q is not valid UTF-8", ErrInvalid, key)
	case strings.IndexByte(key, 0) >= 0:
		return fmt.Errorf("%w: key %.40q has a NUL byte", ErrInvalid, key)
	}
	return nil
}

// CheckKeys returns an error that matches ErrInvalid unless keys are what one
// call of Read takes. Drivers call it first in Read.
func CheckKeys(keys []string) error {
	if len(keys) > MaxRead {
		return fmt.Errorf("%w: read of %d keys, at most %d", ErrInvalid, len(keys), MaxRead)
	}
	for _, key := range keys {
		if err := CheckKey(key); err != nil {
			return err
		}
	}
	return nil
}

// CheckRange returns an error that matches ErrInvalid unless each bound of a
// range is empty or a key. Drivers call it first in DeleteRange.
func CheckRange(from, to string) error {
	for _, bound := range []string{from, to} {
		if bound == "" {
			continue
		}
		if err := CheckKey(bound); err != nil {
			return err
		}
	}
	return nil
}

// CheckCount returns an error that matches ErrInvalid unless the arguments are
// what Count takes. Drivers call it first in Count.
func CheckCount(from, to string, limit int) error {
	if limit < 1 || limit > MaxCount {
		return fmt.Errorf("%w: count up to %d, 1 to %d allowed", ErrInvalid, limit, MaxCount)
	}
	return CheckRange(from, to)
}

// Validate returns an error that matches ErrInvalid if the group breaks a
// limit or a rule of the contract. Drivers call it first in Commit.
func (g Group) Validate() error {
	if len(g.Batches) == 0 || len(g.Batches) > MaxGroup {
		return fmt.Errorf("%w: group of %d batches, 1 to %d allowed", ErrInvalid, len(g.Batches), MaxGroup)
	}
	if len(g.Batches) == 1 {
		return g.Batches[0].Validate()
	}
	written := make(map[string]int)
	for i := range g.Batches {
		if err := g.Batches[i].Validate(); err != nil {
			return err
		}
		for _, w := range g.Batches[i].Writes {
			if _, ok := written[w.Key]; ok {
				return fmt.Errorf("%w: two batches of one group write %q", ErrInvalid, w.Key)
			}
			written[w.Key] = i
		}
	}
	for i := range g.Batches {
		for key := range g.Batches[i].others() {
			if j, ok := written[key]; ok && j != i {
				return fmt.Errorf("%w: one batch names %q, which another of its group writes", ErrInvalid, key)
			}
		}
	}
	return nil
}

// others yields the keys that the batch names and does not write.
func (b *Batch) others() func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, c := range b.Checks {
			if !yield(c.Key) {
				return
			}
		}
		for _, key := range b.Forget {
			if !yield(key) {
				return
			}
		}
	}
}

// Validate returns an error that matches ErrInvalid if the batch breaks a
// limit or a rule of the contract.
func (b *Batch) Validate() error {
	n := len(b.Checks) + len(b.Writes) + len(b.Forget)
	switch {
	case b.ID.IsZero():
		return fmt.Errorf("%w: batch without an id", ErrInvalid)
	case len(b.Writes) == 0:
		return fmt.Errorf("%w: batch without a write", ErrInvalid)
	case n > MaxBatch:
		return fmt.Errorf("%w: batch of %d parts, at most %d", ErrInvalid, n, MaxBatch)
	}
	for i := range b.Writes {
		if err := b.Writes[i].validate(b.ID); err != nil {
			return err
		}
	}
	for key := range b.others() {
		if err := CheckKey(key); err != nil {
			return err
		}
	}
	return b.checkDistinct(n)
}

// checkDistinct refuses a key that is written or checked twice.
func (b *Batch) checkDistinct(n int) error {
	if n == 1 {
		return nil
	}
	seen := make(map[string]bool, n)
	add := func(key string) error {
		if seen[key] {
			return fmt.Errorf("%w: batch names %q twice", ErrInvalid, key)
		}
		seen[key] = true
		return nil
	}
	for _, w := range b.Writes {
		if err := add(w.Key); err != nil {
			return err
		}
	}
	for _, c := range b.Checks {
		if err := add(c.Key); err != nil {
			return err
		}
	}
	return nil
}

func (w *Write) validate(id Version) error {
	if err := CheckKey(w.Key); err != nil {
		return err
	}
	switch {
	case len(w.Value) > MaxValue:
		return fmt.Errorf("%w: value of %d bytes under %q, at most %d", ErrInvalid, len(w.Value), w.Key, MaxValue)
	case w.Delete && (w.Value != nil || w.Retain != nil || w.Mode == Once):
		return fmt.Errorf("%w: deletion of %q with a value, a retention or mode Once", ErrInvalid, w.Key)
	case w.Mark && w.Retain == nil:
		return fmt.Errorf("%w: %q is marked and has no retention", ErrInvalid, w.Key)
	case w.Mode > Once || w.Mode != Expect && !w.Version.IsZero():
		return fmt.Errorf("%w: write of %q has mode %d with version %v", ErrInvalid, w.Key, w.Mode, w.Version)
	case w.Version == id:
		return fmt.Errorf("%w: write of %q expects the version that it makes", ErrInvalid, w.Key)
	}
	return nil
}

// Normalize returns the query with its defaults filled in, or an error that
// matches ErrInvalid.
func (q Query) Normalize() (Query, error) {
	if q.Limit == 0 {
		q.Limit = MaxRead
	}
	if q.Limit < 0 || q.Limit > MaxRead {
		return q, fmt.Errorf("%w: list limit %d, 1 to %d allowed", ErrInvalid, q.Limit, MaxRead)
	}
	for _, s := range []string{q.Prefix, q.After} {
		if s == "" {
			continue
		}
		if err := CheckKey(s); err != nil {
			return q, err
		}
	}
	return q, nil
}

// After returns the smallest key that sorts after every key with the prefix,
// for drivers that list by range. It is empty if there is none.
func After(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return string(b[:i+1])
		}
	}
	return ""
}
