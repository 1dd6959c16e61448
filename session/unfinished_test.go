package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// mark writes what stands in a database while a copy into it is unfinished,
// and returns its version.
func (w *world) mark(value []byte) driver.Version {
	w.t.Helper()
	id := driver.Version{1, 2, 3}
	b := driver.Batch{ID: id, Writes: []driver.Write{{Key: session.UnfinishedKey(), Value: value}}}
	if _, err := w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{b}}); err != nil {
		w.t.Fatalf("Commit: %v", err)
	}
	return id
}

// opened opens a server on the world's database and closes it again.
func (w *world) opened() error {
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.t.Fatalf("store.New: %v", err)
	}
	defer db.Close(w.ctx)
	srv, err := session.Open(w.ctx, db, nil)
	if err == nil {
		_, err = srv.Close(w.ctx)
	}
	return err
}

func TestUnfinishedCopy(t *testing.T) {
	began := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	t.Run("RefusesServersUntilItEnds", func(t *testing.T) {
		bubble(t, func(w *world) {
			u := session.Unfinished{Source: "sqlite:/srv/old.db", By: "somebody", Began: began}
			value, err := u.Encode()
			if err != nil {
				t.Fatalf("Encode: %v", err)
			}
			id := w.mark(value)
			err = w.opened()
			if !errors.Is(err, session.ErrUnfinished) || !strings.Contains(err.Error(), `"sqlite:/srv/old.db", begun 2026-05-06T07:08:09Z by "somebody"`) {
				t.Errorf("Open of a half copy: %v, want ErrUnfinished with the copy's source", err)
			}
			snap, err := w.db.List(w.ctx, driver.Query{})
			if err != nil || len(snap.Entries) != 1 || snap.Entries[0].Version != id {
				t.Errorf("after it the database holds %v (%v), want the mark alone", snap.Entries, err)
			}
			end := driver.Batch{ID: driver.Version{9}, Writes: []driver.Write{{Key: session.UnfinishedKey(), Version: id, Delete: true}}}
			if _, err := w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{end}}); err != nil {
				t.Fatalf("Commit: %v", err)
			}
			if err := w.opened(); err != nil {
				t.Errorf("Open after the copy's end: %v", err)
			}
		})
	})
	for name, value := range map[string]string{"ThatIsNoJSON": "x", "OfANewerFormat": `{"format":2}`, "ThatIsEmpty": ""} {
		t.Run("RefusesServersByAMark"+name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.mark([]byte(value))
				if err := w.opened(); !errors.Is(err, session.ErrUnfinished) {
					t.Errorf("Open = %v, want ErrUnfinished", err)
				}
			})
		})
	}
	t.Run("NamesItsSourceWithinLimits", func(t *testing.T) {
		for _, source := range []string{"", strings.Repeat("x", 4097), "\xff"} {
			u := session.Unfinished{Source: source, Began: began}
			if b, err := u.Encode(); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Encode with the source %.20q = %s, %v, want ErrInvalid", source, b, err)
			}
		}
	})
	t.Run("IsReadAsItWasWritten", func(t *testing.T) {
		want := session.Unfinished{Source: "a", By: "b", Began: began}
		value, err := want.Encode()
		if err != nil {
			t.Fatalf("Encode: %v", err)
		}
		got, err := session.DecodeUnfinished(&driver.Entry{Version: driver.Version{1}, Value: value})
		if err != nil || *got != want {
			t.Errorf("DecodeUnfinished = %+v, %v, want %+v", got, err, want)
		}
	})
}
