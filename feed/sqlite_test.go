package feed_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
)

// TestOnAFile follows servers on a SQLite file, through a connection that only
// reads, while players move between them.
func TestOnAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "players.db")
	drv, err := sqlite.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = drv.Close() })
	w := newWorld(t, drv)
	a, b := w.server("a", session.Options{}), w.server("b", session.Options{})
	ro, err := sqlite.Open(t.Context(), path, &sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	w.db = w.store(ro)
	const moves = 20
	played := make(chan struct{})
	go func() {
		defer close(played)
		for i := range moves {
			s := w.open([]host{a, b}[i%2], alice)
			w.set(s, "n", fmt.Sprint(i), "")
			w.set(s, "n", fmt.Sprint(-i), "")
		}
	}()
	var got []feed.Change
	v := newView(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for c, err := range feed.Follow(ctx, w.db, feed.Position{}, &feed.Options{Poll: time.Millisecond}) {
		if err != nil {
			t.Fatalf("Follow after %q: %v", texts(got), err)
		}
		v.take(c)
		if got = append(got, c); c.Revision == 2*moves {
			break
		}
	}
	<-played
	ordered(t, got)
	v.like(w, alice)
	if again, _ := w.drain(feed.Position{}); len(again) != len(got) {
		t.Errorf("from the beginning the feed tells %d changes, want %d", len(again), len(got))
	}
}
