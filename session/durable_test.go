package session_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// steps are what OnDurable has told, as text.
type steps struct {
	mu  sync.Mutex
	all []string
}

func (l *steps) told(d session.Durable) {
	text := fmt.Sprintf("%d-%d", d.Before, d.After)
	for _, c := range d.Delta {
		text += fmt.Sprintf(" %v=%s", c.Path, c.Value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, text)
}

func (l *steps) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnDurable(t *testing.T) {
	check := func(t *testing.T, l *steps, want ...string) {
		t.Helper()
		synctest.Wait()
		if got := l.take(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	t.Run("TellsEachAppendOnceItIsAnswered", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			s, err := srv.Open(w.ctx, session.Key{Kind: "player", ID: "1"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			must(t, change(s, false, false, "a", "0"))
			if err := s.Sync(w.ctx); err != nil {
				t.Fatal(err)
			}
			var l steps
			s.OnDurable(l.told)
			must(t, change(s, false, false, "a", "1"))
			must(t, change(s, false, false, "b", "2"))
			must(t, change(s, false, false, "a", "3"))
			check(t, &l)
			srv.pause()
			time.Sleep(time.Second)
			check(t, &l)
			must(t, change(s, false, false, "a", "4"))
			srv.wake()
			time.Sleep(time.Second)
			check(t, &l, "1-4 a=3 b=2", "4-5 a=4")
			if err := s.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			check(t, &l)
			must(t, change(s, false, false, "a", "5"))
			if err := s.Close(w.ctx); err != nil {
				t.Fatal(err)
			}
			check(t, &l, "5-6 a=5")
		})
	})
	t.Run("TellsLazyChangesWithTheirSave", func(t *testing.T) {
		bubble(t, func(w *world) {
			s, err := w.server("a", nil).Open(w.ctx, session.Key{Kind: "player", ID: "1"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var l steps
			s.OnDurable(l.told)
			must(t, change(s, true, false, "lazy", "1"))
			time.Sleep(time.Second)
			check(t, &l)
			if err := s.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			check(t, &l, "0-0 lazy=1")
			must(t, change(s, true, false, "lazy", "2"))
			must(t, change(s, false, false, "lazy", "3"))
			time.Sleep(time.Second)
			check(t, &l, "0-1 lazy=3")
			s.OnDurable(nil)
			must(t, change(s, false, false, "a", "1"))
			time.Sleep(time.Second)
			check(t, &l)
		})
	})
	t.Run("TellsNothingThatWasLost", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			key := session.Key{Kind: "player", ID: "1"}
			s, err := a.Open(w.ctx, key, nil)
			if err != nil {
				t.Fatal(err)
			}
			var l steps
			s.OnDurable(l.told)
			a.pause()
			must(t, change(s, false, false, "a", "1"))
			time.Sleep(time.Minute)
			if _, err := b.Open(w.ctx, key, nil); err != nil {
				t.Fatal(err)
			}
			a.wake()
			<-s.Done()
			check(t, &l)
		})
	})
}

// What a save has acknowledged of lazy changes is not taken back by a record of the
// whole state that was built before it and is appended after it.
func TestWholeStateTakesNoSavedLazyChangeBack(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", &session.Options{JournalBytes: 64 << 10}), w.server("b", nil)
		s := w.open(a, alice)
		text := strings.Repeat("x", 2000)
		w.set(s, "text", `"`+text+`"`)
		w.sync(s)
		w.save(s)
		w.set(s, "coins", "2")
		w.sync(s)

		whole := func(c *faulty.Call) faulty.Fault { // the append of the whole state
			for _, batch := range c.Group.Batches {
				for _, wr := range batch.Writes {
					if strings.HasPrefix(wr.Key, "~journal/") && bytes.Contains(wr.Value, []byte(text)) {
						return faulty.Fault{HoldAnswer: true}
					}
				}
			}
			return faulty.Fault{}
		}
		held := func(prefix string) *faulty.Call {
			synctest.Wait()
			for _, c := range a.f.Waiting() {
				if c.Op == faulty.Commit && writes(prefix)(c) {
					return c
				}
			}
			return nil
		}
		a.f.Use(every(faulty.Fault{Hold: true}, alice.String()), whole)
		var ss []*session.Session
		for i := range 20 {
			ss = append(ss, w.open(a, session.Key{Kind: "player", ID: fmt.Sprintf("p%02d", i)}))
		}
		for round := 0; held("~journal/") == nil; round++ {
			if round == 400 {
				t.Fatal("no whole state was appended")
			}
			for _, other := range ss {
				w.set(other, "text", `"`+strings.Repeat("y", 300)+fmt.Sprint(round)+`"`)
			}
			time.Sleep(50 * time.Millisecond)
		}

		a.f.Use(whole) // the save that did not come does now
		if c := held(alice.String()); c != nil {
			a.f.Release(c)
		}
		time.Sleep(time.Second)
		if err := change(s, true, false, "note", "1"); err != nil {
			t.Fatalf("lazy change: %v", err)
		}
		saved := background(func() error { return s.Save(w.ctx) })
		time.Sleep(time.Second)
		if len(saved) == 0 { // it waits for the answer
			a.f.Use()
			a.f.ReleaseAll()
		}
		if err := within(w, time.Minute, "save", saved); err != nil {
			t.Fatalf("Save: %v", err)
		}
		a.kill()
		taken := w.open(b, alice)
		w.want(taken, "coins", "2")
		w.want(taken, "note", "1")
	})
}
