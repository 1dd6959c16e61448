package profile_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// changeAll writes every kind of field.
func changeAll(tx *profile.Tx) {
	_ = coins.Add(tx, 5)
	_ = luck.Add(tx, 0.25)
	_ = veteran.Set(tx, true)
	_ = nick.Set(tx, "new")
	_ = born.Set(tx, time.Unix(0, 0))
	_ = blob.Set(tx, nil)
	_ = settings.Edit(tx, func(s *Settings) error { s.Volume++; return nil })
	_ = bag.Put(tx, "sword", Item{Name: "changed"})
	_ = bag.Put(tx, "fresh", Item{Name: "new"})
	_ = bag.Edit(tx, "shield", func(i *Item) error { i.Level++; return nil })
	_ = bag.Delete(tx, "helmet")
	_ = quests.Append(tx, Item{Name: "new"})
	_ = friends.Add(tx, "new")
	_ = friends.Delete(tx, "old")
	_ = kills.Add(tx, "bears", 1)
	_ = lazy.Set(tx, 9)
	_ = secret.Set(tx, "new")
	_ = secret.Reset(tx)
	_ = bag.Clear(tx)
	_ = bag.Put(tx, "last", Item{})
}

// prepare gives a profile something to lose.
func (w *world) prepare(p *profile.Profile) {
	w.Helper()
	w.update(p, func(tx *profile.Tx) {
		for _, name := range []string{"sword", "shield", "helmet"} {
			_ = bag.Put(tx, name, Item{Name: name, Level: 1})
		}
		_ = quests.Append(tx, Item{Name: "first"})
		_ = friends.Add(tx, "old")
		_ = secret.Set(tx, "kept")
		_ = coins.Set(tx, 100)
	})
}

// read returns everything that the fields read.
func read(r profile.Reader) string {
	var items []string
	for name, item := range bag.All(r) {
		items = append(items, fmt.Sprint(name, item))
	}
	return words(coins.Get(r), luck.Get(r), veteran.Get(r), nick.Get(r), born.Get(r), blob.Get(r), settings.Get(r), items,
		bag.Len(r), quests.Get(r), friends.Len(r), friends.Has(r, "old"), friends.Has(r, "new"), kills.Get(r, "bears"), lazy.Get(r), secret.Get(r))
}

func TestUpdateIsUndone(t *testing.T) {
	failure := errors.New("the game's error")
	for name, c := range map[string]struct {
		end  func(tx *profile.Tx) error
		want error
	}{
		"ByAnError":                          {func(*profile.Tx) error { return failure }, failure},
		"ByARefusedWriteEvenIfNilIsReturned": {func(tx *profile.Tx) error { _ = coins.Add(tx, -1000); return nil }, profile.ErrRange},
		"ByTheGamesErrorAfterARefusedWrite":  {func(tx *profile.Tx) error { _ = coins.Add(tx, -1000); return failure }, failure},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				srv := w.server("a", nil)
				for _, errored := range []bool{false, true} {
					p := w.load(srv, "1")
					if errored {
						p = w.errored(srv)
					}
					w.prepare(p)
					before, stored := read(p), dump(p)
					err := p.Update(func(tx *profile.Tx) error { changeAll(tx); return c.end(tx) })
					if !errors.Is(err, c.want) {
						t.Errorf("Update() = %v, want %v", err, c.want)
					}
					if after := read(p); after != before {
						t.Errorf("errored %v: after the undo fields read\n%s\nwant\n%s", errored, after, before)
					}
					if after := dump(p); !errored && !document.Equal([]byte(after), []byte(stored)) {
						t.Errorf("after the undo the document is\n%s\nwant\n%s", after, stored)
					}
					if err := profile.VerifyUnchanged(p); err != nil {
						t.Errorf("errored %v: VerifyUnchanged() = %v", errored, err)
					}
				}
			})
		})
	}
	t.Run("ByAPanicWhichGoesOn", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.prepare(p)
			before := read(p)
			func() {
				defer func() {
					if r := recover(); r != "boom" {
						t.Errorf("recovered %v, want boom", r)
					}
				}()
				_ = p.Update(func(tx *profile.Tx) error { changeAll(tx); panic("boom") })
			}()
			if after := read(p); after != before {
				t.Errorf("after a panic fields read\n%s\nwant\n%s", after, before)
			}
			w.update(p, changeAll) // not locked
		})
	})
	t.Run("ByAGoroutineThatEnds", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.prepare(p)
			before := read(p)
			go func() { _ = p.Update(func(tx *profile.Tx) error { changeAll(tx); runtime.Goexit(); return nil }) }()
			synctest.Wait()
			if after := read(p); after != before {
				t.Errorf("after Goexit fields read\n%s\nwant\n%s", after, before)
			}
		})
	})
}

// errored returns a profile whose load failed.
func (w *world) errored(srv *profile.Server) *profile.Profile {
	w.Helper()
	w.plant("bad", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "a text") })
	p := w.loadAny(srv, "bad")
	if p.Err() == nil {
		w.Fatal("a profile with a text for its coins is not errored")
	}
	return p
}

func TestTx(t *testing.T) {
	t.Run("ReadsItsOwnWrites", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			w.prepare(p)
			var inside string
			w.update(p, func(tx *profile.Tx) { changeAll(tx); inside = read(tx) })
			if after := read(p); after != inside {
				t.Errorf("after the update fields read\n%s\ninside of it\n%s", after, inside)
			}
		})
	})
	t.Run("IsOfNoUseAfterwards", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			var kept *profile.Tx
			w.update(p, func(tx *profile.Tx) { kept = tx; _ = coins.Set(tx, 7) })
			for name, err := range map[string]error{
				"Set": coins.Set(kept, 1), "Put": bag.Put(kept, "x", Item{}), "Edit": bag.Edit(kept, "x", func(*Item) error { return nil }),
				"Delete": bag.Delete(kept, "x"), "Reset": nick.Reset(kept), "Append": quests.Append(kept, Item{}),
				"Add": friends.Add(kept, "x"), "Counter": kills.Add(kept, "x", 1), "EditValue": settings.Edit(kept, func(*Settings) error { return nil }),
			} {
				if !errors.Is(err, profile.ErrTxEnded) {
					t.Errorf("%s after the update = %v, want ErrTxEnded", name, err)
				}
			}
			if got := coins.Get(kept); got != 7 || bag.Len(kept) != 0 {
				t.Errorf("reading after the update gives %d coins and %d items, want 7 and 0", got, bag.Len(kept))
			}
		})
	})
	t.Run("SaysWhatWasRefused", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			err := p.Update(func(tx *profile.Tx) error {
				first := bag.Put(tx, "a\xff", Item{})
				second := coins.Add(tx, 1)
				if !errors.Is(second, profile.ErrRefused) || first != second || tx.Err() != first {
					t.Errorf("writes after a refusal return %v, Err() is %v; want the refusal %v", second, tx.Err(), first)
				}
				return nil
			})
			var refused *profile.RefusedError
			if !errors.As(err, &refused) || refused.Field != "bag" || refused.Element != "a\xff" || refused.Key != p.Key() {
				t.Errorf("Update() = %v, want a *RefusedError of the bag's element", err)
			}
		})
	})
	t.Run("WritesOfWhatIsThereChangeNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.server("a", nil), "1")
			same := func(tx *profile.Tx) {
				_ = coins.Set(tx, 1)
				_ = luck.Set(tx, 1)
				_ = veteran.Set(tx, true)
				_ = nick.Set(tx, "n")
				_ = bag.Put(tx, "x", Item{Level: 1})
				_ = friends.Add(tx, "x")
				_ = kills.Set(tx, "x", 1)
				_ = settings.Set(tx, Settings{})
				_ = bag.Delete(tx, "nothing")
				_ = secret.Reset(tx)
			}
			w.update(p, same)
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			changes := 0
			defer p.OnChange(func(profile.Change) { changes++ })()
			w.update(p, same)
			if p.Dirty() || changes > 0 {
				t.Errorf("the same values again: dirty %v, %d changes; want neither", p.Dirty(), changes)
			}
		})
	})
}

func TestDurable(t *testing.T) {
	t.Run("SurvivesAServerThatVanishes", func(t *testing.T) {
		bubble(t, func(w *world) {
			cut := newFaults(w.db)
			a := w.serverOn("a", cut, player, nil)
			p := w.load(a, "1")
			err := p.Update(func(tx *profile.Tx) error { _ = lazy.Set(tx, 3); return coins.Set(tx, 42) }, profile.Durable(w.ctx))
			if err != nil {
				t.Fatalf("Update() = %v", err)
			}
			after, err := w.server("b", nil).Session().Peek(w.ctx, player.Key("1"))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(after.Document.AppendJSON(nil)); got != `{"lazy":3,"coins":42}` {
				t.Errorf("root and journal hold %s, want both values", got)
			}
		})
	})
	t.Run("SaysWhenTheWaitEndedFirst", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			p := w.load(w.serverOn("a", &journalless{faults: db}, player, nil), "1")
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			err := p.Update(func(tx *profile.Tx) error { return coins.Set(tx, 42) }, profile.Durable(ctx))
			if !errors.Is(err, profile.ErrNotDurable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Update() = %v, want ErrNotDurable because of the deadline", err)
			}
			if got := coins.Get(p); got != 42 {
				t.Errorf("coins = %d, want 42: the update has happened", got)
			}
			err = p.Update(func(tx *profile.Tx) error { return coins.Set(tx, 43) }, profile.Durable(ctx))
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, profile.ErrNotDurable) || coins.Get(p) != 42 {
				t.Errorf("Update() with an ended context = %v, %d coins; want a refusal before it begins", err, coins.Get(p))
			}
			db.set(func() { clear(db.refuse) })
		})
	})
	t.Run("IsRefusedByAnErroredProfile", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.errored(w.server("a", nil))
			err := p.Update(func(tx *profile.Tx) error { return coins.Set(tx, 1) }, profile.Durable(w.ctx))
			if !errors.Is(err, profile.ErrErrored) || coins.Get(p) != 500 || p.CanSave() {
				t.Errorf("Update() = %v, %d coins, CanSave %v; want ErrErrored and no change", err, coins.Get(p), p.CanSave())
			}
		})
	})
}

// journalless answers no append to a journal.
type journalless struct{ *faults }

func (j *journalless) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	for _, b := range g.Batches {
		for _, w := range b.Writes {
			if strings.HasPrefix(w.Key, "~journal/") {
				return nil, driver.ErrUnavailable
			}
		}
	}
	return j.faults.Commit(ctx, g)
}

func TestUpdateAll(t *testing.T) {
	t.Run("HappensForAllOrNone", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			move := func(txs []*profile.Tx, n int64) {
				_ = coins.Add(txs[0], -n)
				_ = coins.Add(txs[1], n)
			}
			ps := []*profile.Profile{q, p} // not in the order of their keys
			if err := profile.UpdateAll(ps, func(txs []*profile.Tx) error { move(txs, 100); return nil }, profile.Durable(w.ctx)); err != nil {
				t.Fatalf("UpdateAll() = %v", err)
			}
			if a, b := coins.Get(p), coins.Get(q); a != 600 || b != 400 {
				t.Errorf("coins = %d and %d, want 600 and 400", a, b)
			}
			for name, fn := range map[string]func([]*profile.Tx) error{
				"Error":   func(txs []*profile.Tx) error { move(txs, 1); return errors.New("no") },
				"Refused": func(txs []*profile.Tx) error { move(txs, 401); return nil },
			} {
				if err := profile.UpdateAll(ps, fn); err == nil {
					t.Errorf("%s: UpdateAll() = nil, want an error", name)
				}
			}
			func() {
				defer func() { _ = recover() }()
				_ = profile.UpdateAll(ps, func(txs []*profile.Tx) error { move(txs, 1); panic("boom") })
			}()
			if a, b := coins.Get(p), coins.Get(q); a != 600 || b != 400 {
				t.Errorf("after failures coins = %d and %d, want 600 and 400", a, b)
			}
		})
	})
	t.Run("Refuses", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			p, q := w.load(a, "1"), w.load(b, "2")
			none := func([]*profile.Tx) error { t.Error("fn was called"); return nil }
			if err := profile.UpdateAll([]*profile.Profile{p, p}, none); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("one profile twice = %v, want ErrInvalid", err)
			}
			if err := profile.UpdateAll([]*profile.Profile{p, q}, none); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("profiles of two servers = %v, want ErrInvalid", err)
			}
			if err := profile.UpdateAll([]*profile.Profile{p, w.errored(a)}, none); !errors.Is(err, profile.ErrErrored) {
				t.Errorf("with an errored profile = %v, want ErrErrored", err)
			}
			r := w.load(a, "3")
			w.close(r)
			if err := profile.UpdateAll([]*profile.Profile{p, r}, none); !errors.Is(err, session.ErrClosed) {
				t.Errorf("with a closed profile = %v, want ErrClosed", err)
			}
			w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) }) // not locked
		})
	})
	t.Run("DoesNotDeadlockInAnyOrder", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			var ps []*profile.Profile
			for i := range 4 {
				ps = append(ps, w.load(srv, fmt.Sprint(i)))
			}
			done := make(chan error)
			for g := range 8 {
				go func() {
					var err error
					for i := range 200 {
						from, to := ps[(g+i)%4], ps[(g*3+i*5+1)%4]
						if from == to {
							continue
						}
						err = errors.Join(err, profile.UpdateAll([]*profile.Profile{from, to}, func(txs []*profile.Tx) error {
							_ = coins.Add(txs[0], -1)
							return coins.Add(txs[1], 1)
						}))
					}
					done <- err
				}()
			}
			for range 8 {
				if err := <-done; err != nil {
					t.Errorf("UpdateAll() = %v", err)
				}
			}
			sum := int64(0)
			for _, p := range ps {
				sum += coins.Get(p)
			}
			if sum != 2000 {
				t.Errorf("sum of coins = %d, want 2000", sum)
			}
		})
	})
}

func TestView(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.server("a", nil), "1")
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 0); _ = kills.Set(tx, "n", 0) })
		stop, done := make(chan struct{}), make(chan error)
		go func() {
			var err error
			for n := int64(1); ; n++ {
				select {
				case <-stop:
					done <- err
					return
				default:
				}
				err = errors.Join(err, p.Update(func(tx *profile.Tx) error { _ = coins.Set(tx, n%1000); return kills.Set(tx, "n", n%1000) }))
			}
		}()
		for range 1000 {
			p.View(func(r profile.Reader) {
				if a, b := coins.Get(r), kills.Get(r, "n"); a != b {
					t.Errorf("a view sees %d and %d, want one moment", a, b)
				}
				if r.Profile() != p {
					t.Error("the view is of another profile")
				}
			})
		}
		close(stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
