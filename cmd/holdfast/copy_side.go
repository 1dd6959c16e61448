package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// side is one of the two databases of a copy.
type side struct {
	*database
	name string // see databaseName
	raw  driver.Transferer
}

// openSide opens a database that can be copied, or copied into.
func (e *env) openSide(ctx context.Context, text, name string, a access, f timeoutFlag) (*side, error) {
	of := *e
	of.db = text
	db, err := of.connect(ctx, a, f)
	if err != nil {
		return nil, err
	}
	raw, ok := db.drv.(driver.Transferer)
	if !ok {
		err := fmt.Errorf("copy %s: the engine %s cannot be copied; holdfast export and import move its players", name, db.drv.Info().Name)
		return nil, errors.Join(err, db.close())
	}
	return &side{db, name, raw}, nil
}

// askAgain is the pause between two tries of a call that was not answered.
const askAgain = 100 * time.Millisecond

// answered repeats a call until it is answered, the database was silent for too
// long, or ctx ends.
func answered[T any](ctx context.Context, s *side, call func(context.Context) (T, error)) (T, error) {
	began := time.Now()
	for {
		once, cancel := context.WithTimeout(ctx, s.patience)
		v, err := call(once)
		cancel()
		silent := errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, driver.ErrFull)
		if !silent || ctx.Err() != nil || time.Since(began) >= s.patience {
			return v, err
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
		}
	}
}

// page reads one page of records.
func (s *side) page(ctx context.Context, q driver.RecordQuery) (driver.RecordPage, error) {
	page, err := answered(ctx, s, func(ctx context.Context) (driver.RecordPage, error) { return s.raw.ReadRecords(ctx, q) })
	if err != nil {
		err = fmt.Errorf("read %s: %w", s.name, err)
	}
	return page, err
}

// records yields everything that is to be copied, in parts as it is read.
func (s *side) records(ctx context.Context, bare bool) iter.Seq2[*driver.Record, error] {
	return func(yield func(*driver.Record, error) bool) {
		q := driver.RecordQuery{Bare: bare}
		for more := true; more; {
			page, err := s.page(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Records {
				if r := &page.Records[i]; !ownEntry(r.Key) && !yield(r, nil) {
					return
				}
			}
			if more = page.More; more {
				q.From = page.Next()
			}
		}
	}
}

// ownEntry reports whether an entry belongs to a database itself and not to what
// it holds: the mark of an unfinished copy, and what package store writes
// to see that commits are answered.
func ownEntry(key string) bool {
	return key == session.UnfinishedKey() || strings.HasPrefix(key, store.SystemKey("confirm")+"/")
}

// outlines yields each entry once, with all its versions and without values.
func (s *side) outlines(ctx context.Context) iter.Seq2[*driver.Record, error] {
	return func(yield func(*driver.Record, error) bool) {
		var whole *driver.Record
		for r, err := range s.records(ctx, true) {
			if err != nil {
				yield(nil, err)
				return
			}
			if whole != nil && whole.Key == r.Key {
				whole.Retained = append(whole.Retained, r.Retained...)
				continue
			}
			if whole != nil && !yield(whole, nil) {
				return
			}
			whole = r
		}
		if whole != nil {
			yield(whole, nil)
		}
	}
}

// sameOutline reports whether two entries are the same in all but their values,
// of which their sums tell. Ticks are left out: they are those of one machine's
// clock, which another database may not be able to keep.
func sameOutline(a, b *driver.Record) bool {
	return a.Key == b.Key && sameTime(a.Created, b.Created) && slices.Equal(a.Recent, b.Recent) &&
		sameVersion(a.Present, b.Present) && slices.EqualFunc(a.Retained, b.Retained, sameRetained)
}

func sameVersion(a, b driver.RecordVersion) bool {
	return a.Version == b.Version && a.Sum == b.Sum && a.Marked == b.Marked && sameTime(a.Updated.Wall, b.Updated.Wall)
}

func sameRetained(a, b driver.RecordVersion) bool {
	return sameVersion(a, b) && a.Kept == b.Kept && sameTime(a.Replaced, b.Replaced)
}

// sameTime compares to the microsecond, which is what every database keeps.
func sameTime(a, b time.Time) bool { return a.UnixMicro() == b.UnixMicro() }
