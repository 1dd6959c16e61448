package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

var (
	played  = profile.PlayTime("played")
	matches = profile.PlayTime("matches", profile.Private())
	here    = profile.PlayTime("here", profile.Volatile())
	gamer   = profile.NewSchema("player", played, matches, here, coins, nick, lazy)
)

func (w *world) gamers(name string, o *profile.Options) *profile.Server {
	return w.serverOn(name, open{w.db}, gamer, o)
}

// times fails unless the play times read as wanted.
func (w *world) times(when string, r profile.Reader, want ...time.Duration) {
	w.Helper()
	got := []time.Duration{played.Get(r), matches.Get(r), here.Get(r)}
	if words(got) != words(append(want, got[len(want):]...)) {
		w.Errorf("%s the play times are %v, want %v", when, got, want)
	}
}

const minute, hour = time.Minute, time.Hour

func TestPlayTimeGrows(t *testing.T) {
	t.Run("WhileTheGameHasTheProfileOpen", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.gamers("a", nil)
			p := w.load(srv, "1")
			w.times("at first", p, 0, 0, 0)
			time.Sleep(90 * time.Second)
			w.times("after 90 s", p, 90*time.Second, 90*time.Second, 90*time.Second)
			w.close(p)
			time.Sleep(hour)
			w.times("of the profile that was closed", p, 90*time.Second, 90*time.Second)
			p = w.load(srv, "1")
			w.times("opened again", p, 90*time.Second, 90*time.Second, 0)
			if got := played.Saved(p); got != 90*time.Second {
				t.Errorf("Saved() = %v, want 90s", got)
			}
			time.Sleep(30*time.Second + 1500*time.Microsecond)
			w.times("30 s later", p, 120*time.Second+time.Millisecond)
			p.View(func(r profile.Reader) { w.times("in a view", r, 120*time.Second+time.Millisecond) })
			w.update(p, func(tx *profile.Tx) { w.times("in an update", tx, 120*time.Second+time.Millisecond) })
			if got := dump(p); got != `{"played":90000,"matches":90000}` {
				t.Errorf("stored: %s", got)
			}
		})
	})
	t.Run("LosesLessThanAMillisecondWithEachSession", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv, began, spent := w.gamers("a", nil), time.Duration(0), time.Duration(0)
			for range 50 {
				p := w.load(srv, "1")
				began = time.Duration(time.Now().UnixNano())
				time.Sleep(12345678)
				w.close(p)
				spent += time.Duration(time.Now().UnixNano()) - began
			}
			got := played.Get(w.load(srv, "1"))
			if got > spent || got < spent-50*time.Millisecond {
				t.Errorf("%v after %v in 50 sessions", got, spent)
			}
		})
	})
	t.Run("AndNoUpdateOrSaveMakesItJump", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.gamers("a", &profile.Options{Autosave: 7 * time.Second}), "1")
			began := time.Now()
			for i := range 200 {
				time.Sleep(time.Duration(i) * 1234567)
				_ = p.Update(func(tx *profile.Tx) error {
					if i%3 == 0 {
						_ = coins.Add(tx, -1e6)
					}
					return coins.Add(tx, 1)
				})
				if i%10 == 0 {
					if err := p.Save(w.ctx); err != nil {
						t.Fatal(err)
					}
				}
				if got, want := played.Get(p), time.Since(began).Truncate(time.Millisecond); got != want {
					t.Fatalf("%v after %v", got, want)
				}
			}
		})
	})
	t.Run("InAnErroredProfileAndInASuspendedServerToo", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, gamer, nil)
			p, errored := w.load(srv, "1"), w.errored(srv)
			db.set(func() { db.down = true })
			time.Sleep(minute)
			if !srv.Suspended() {
				t.Error("the server is not suspended")
			}
			w.times("of a suspended server", p, minute)
			w.times("of an errored profile", errored, minute)
			db.set(func() { db.down = false })
			time.Sleep(minute)
			w.times("when it goes on", p, 2*minute)
		})
	})
	t.Run("AcrossAClosingThatIsRefused", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, gamer, nil)
			p := w.load(srv, "1")
			time.Sleep(minute)
			db.set(func() { db.refuse["player/1"] = errors.New("no") })
			if err := p.Close(w.ctx); err == nil {
				t.Fatal("Close = nil, want the refusal")
			}
			db.set(func() { clear(db.refuse) })
			time.Sleep(minute)
			w.times("after it", p, 2*minute)
			w.close(p)
			w.times("opened again", w.load(srv, "1"), 2*minute)
		})
	})
}

func TestPlayTimeCostsNothing(t *testing.T) {
	bubble(t, func(w *world) {
		db := newFaults(w.db)
		srv := w.serverOn("a", db, gamer, &profile.Options{Autosave: minute, ForceEvery: 2})
		p := w.load(srv, "1")
		changes := 0
		p.OnChange(func(profile.Change) { changes++ })
		before, revision := db.saves(), p.Revision()
		time.Sleep(hour)
		if n := db.saves() - before; n != 0 || p.Dirty() || p.Revision() != revision || changes != 0 {
			t.Errorf("an hour of an idle player: %d saves, dirty %v, revision %d after %d, %d changes; want nothing of all that",
				n, p.Dirty(), p.Revision(), revision, changes)
		}
		time.Sleep(7 * time.Second) // not at the moment of an autosave
		w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
		time.Sleep(10 * minute)
		if n := db.saves() - before; n != 1 || changes != 1 {
			t.Errorf("after one update: %d saves, %d changes; want one of each", n, changes)
		}
		w.close(p)
		w.times("opened again", w.load(srv, "1"), hour+10*minute+7*time.Second)
	})
}

func TestPlayTimeIsInEverySave(t *testing.T) {
	crash := func(t *testing.T, want time.Duration, play func(w *world, p *profile.Profile)) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			p := w.load(w.serverOn("a", db, gamer, &profile.Options{Autosave: 5 * minute}), "1")
			play(w, p)
			db.set(func() { db.down = true })
			q := w.load(w.gamers("b", nil), "1")
			if got := played.Get(q); got < want || got > want+100*time.Millisecond {
				t.Errorf("%v after the crash, want the %v of the last save", got, want)
			}
		})
	}
	t.Run("NoneBeforeTheCrashLosesAll", func(t *testing.T) {
		crash(t, 0, func(*world, *profile.Profile) { time.Sleep(10 * minute) })
	})
	t.Run("Autosave", func(t *testing.T) {
		crash(t, 5*minute, func(w *world, p *profile.Profile) {
			time.Sleep(minute)
			w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
			time.Sleep(6 * minute)
		})
	})
	t.Run("AskedFor", func(t *testing.T) {
		crash(t, 7*minute, func(w *world, p *profile.Profile) {
			time.Sleep(7 * minute)
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			time.Sleep(minute)
		})
	})
	t.Run("OfTheOutbox", func(t *testing.T) {
		crash(t, 7*minute, func(w *world, p *profile.Profile) {
			time.Sleep(7 * minute)
			w.update(p, func(tx *profile.Tx) {
				if _, err := tx.Send(gamer.Key("2"), profile.Message{Topic: "gift"}); err != nil {
					t.Fatal(err)
				}
			})
			time.Sleep(minute)
		})
	})
	t.Run("WithDurableUpdatesInBetween", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			p := w.load(w.serverOn("a", db, gamer, &profile.Options{Autosave: 5 * time.Second}), "1")
			saved := time.Duration(0)
			p.OnSaved(func(session.Saved) { saved = played.Saved(p) })
			time.Sleep(50 * time.Millisecond) // no update at the moment of an autosave, which would pass it over
			for i := range 200 {
				w.durable(p, func(tx *profile.Tx) { _ = lazy.Add(tx, 1); _ = coins.Set(tx, int64(i)) })
				time.Sleep(100 * time.Millisecond)
			}
			had := played.Get(p)
			db.set(func() { db.down = true })
			if got := played.Get(w.load(w.gamers("b", nil), "1")); got < saved || got > had || saved < 15*time.Second {
				t.Errorf("%v after a crash at %v, want at least the %v of the last save", got, had, saved)
			}
		})
	})
	t.Run("OfAHandOver", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.gamers("a", nil), "1")
			time.Sleep(minute)
			q := w.load(w.gamers("b", nil), "1")
			at := played.Get(q)
			if at < minute || at > minute+10*time.Second {
				t.Errorf("%v after a hand-over, want a minute and what it took", at)
			}
			time.Sleep(minute)
			w.times("of the new owner", q, at+minute)
			if got := played.Get(p); got != at && got-at > time.Second {
				t.Errorf("the old owner's profile has %v, want %v and what the save took", got, at)
			}
		})
	})
	t.Run("AndFollowersAreToldOfIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			ps.schema = gamer
			p := w.load(ps.start("a", nil), "1")
			var last time.Duration
			f, err := ps.start("b", nil).Follow(w.within(minute), "1", func(f profile.Followed) { last = played.Get(f.Profile) }, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			time.Sleep(minute)
			synctest.Wait()
			if last != 0 {
				t.Errorf("the follower reads %v before anything was saved", last)
			}
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if last != minute || played.Get(f) != minute {
				t.Errorf("the follower reads %v and %v, want what was saved", last, played.Get(f))
			}
		})
	})
}

func TestPlayTimeWrites(t *testing.T) {
	bubble(t, func(w *world) {
		db := newFaults(w.db)
		srv := w.serverOn("a", db, gamer, nil)
		p := w.load(srv, "1")
		time.Sleep(minute)
		failure := errors.New("the game's")
		if err := p.Update(func(tx *profile.Tx) error {
			_ = played.Set(tx, hour)
			w.times("in the update", tx, hour, minute)
			_ = matches.Reset(tx)
			_ = here.Add(tx, hour)
			w.times("in the update", tx, hour, 0, hour+minute)
			return failure
		}); err != failure {
			t.Fatal(err)
		}
		w.times("after an update that failed", p, minute, minute, minute)
		for what, write := range map[string]func(tx *profile.Tx){
			"Set":     func(tx *profile.Tx) { _ = played.Set(tx, -1) },
			"SetLong": func(tx *profile.Tx) { _ = played.Set(tx, profile.MaxPlayTime+time.Millisecond) },
			"Add":     func(tx *profile.Tx) { _ = played.Add(tx, -minute-time.Millisecond) },
			"AddLong": func(tx *profile.Tx) { _ = played.Add(tx, 1<<63-1) },
			"SetOp":   func(tx *profile.Tx) { _, _ = tx.Apply(played.SetOp(-minute)) },
			"AddOp":   func(tx *profile.Tx) { _, _ = tx.Apply(played.AddOp(1<<63 - 1)) },
		} {
			before := p.Revision()
			if w.refuses(p, profile.ErrRange, write); p.Revision() != before {
				t.Errorf("%s: the update was made", what)
			}
		}
		time.Sleep(minute)
		w.times("after writes that were refused", p, 2*minute, 2*minute, 2*minute)

		w.durable(p, func(tx *profile.Tx) {
			_ = played.Set(tx, hour+123456*time.Nanosecond)
			_ = matches.Add(tx, -minute)
			_ = here.Reset(tx)
		})
		if !p.Dirty() {
			t.Error("a play time was set, and the profile is not dirty")
		}
		time.Sleep(minute)
		w.times("after the writes", p, hour+minute, 2*minute, minute)
		db.set(func() { db.down = true }) // nothing of what follows reaches the journal
		results, err := applied(p, played.ExpectAtLeastOp(hour), played.AddOp(minute), matches.SetOp(5*minute), here.ResetOp())
		if err != nil || string(results[1]) != "3720000" {
			t.Errorf("Apply = %s, %v; want a sum of 3720000 ms", results, err)
		}
		if _, err := applied(p, matches.ExpectAtLeastOp(hour)); !errors.Is(err, profile.ErrConditionFailed) {
			t.Errorf("a condition that does not hold: %v", err)
		}
		if _, err := applied(p, profile.Int("played", 0).ExpectOp(5)); !errors.Is(err, profile.ErrWrongType) {
			t.Errorf("an exact condition: %v, want ErrWrongType", err)
		}
		w.times("after the operations", p, hour+2*minute, 5*minute, 0)
		w.times("of the journal after a crash", w.load(w.gamers("b", nil), "1"), hour, minute)
	})
}

// applied makes operations in an update of their own.
func applied(p *profile.Profile, ops ...profile.Op) (results []json.RawMessage, err error) {
	err = p.Update(func(tx *profile.Tx) (err error) { results, err = tx.Apply(ops...); return err })
	return results, err
}

func TestPlayTimeStandsStill(t *testing.T) {
	t.Run("WhilePaused", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.gamers("a", &profile.Options{OnOpen: func(p *profile.Profile) { matches.Pause(p) }})
			p := w.load(srv, "1")
			time.Sleep(minute)
			w.times("with matches paused from the beginning", p, minute, 0, minute)
			matches.Resume(p)
			played.Pause(p)
			played.Pause(p)
			time.Sleep(minute)
			w.times("with played paused", p, minute, minute, 2*minute)
			w.update(p, func(tx *profile.Tx) { _ = played.Set(tx, hour) })
			time.Sleep(minute)
			w.times("and set", p, hour, 2*minute)
			played.Resume(p)
			played.Resume(p)
			time.Sleep(minute)
			w.times("and resumed", p, hour+minute, 3*minute)
			played.Pause(p)
			time.Sleep(minute)
			w.close(p)
			p = w.load(srv, "1")
			time.Sleep(minute)
			w.times("opened again", p, hour+2*minute, 4*minute)
		})
	})
	t.Run("WhileTheProfileIsOpenForMessagesOnly", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.gamers("a", nil)
			w.close(w.load(a, "1"))
			inside, release := make(chan struct{}), make(chan struct{})
			if err := a.Handle("slow", func(*profile.Tx, *profile.Message) (json.RawMessage, error) {
				close(inside)
				<-release
				return nil, nil
			}); err != nil {
				t.Fatal(err)
			}
			m, err := a.Send(w.ctx, "1", profile.Message{Topic: "slow"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = a.Deliver(w.within(hour), "1", m) }()
			<-inside
			time.Sleep(minute)
			close(release)
			synctest.Wait()
			p := w.load(a, "1")
			w.times("after a minute of mail", p, 0, 0, 0)
			time.Sleep(minute)
			w.times("in the game", p, minute, minute, minute)
		})
	})
	t.Run("InACopy", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.gamers("a", nil)
			p := w.load(srv, "1")
			time.Sleep(minute)
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			c := w.peek(srv, "1")
			played.Resume(c.Profile())
			time.Sleep(minute)
			w.times("of a copy", c, minute, minute, 0)
		})
	})
}

func TestPlayTimeInATrade(t *testing.T) {
	bubble(t, func(w *world) {
		ps := together(w)
		ps.schema = gamer
		a, b := ps.start("a", nil), ps.start("b", nil)
		p, q := w.load(a, "1"), w.load(b, "2")
		time.Sleep(minute)
		parties := []profile.Party{{Server: a, ID: "1"}, {Server: a, ID: "2"}}
		at := time.Duration(0)
		err := profile.Exchange(w.within(minute), parties, "", func(txs []*profile.Tx) error {
			at = played.Get(txs[0])
			return errors.Join(played.Add(txs[0], -10*time.Second), played.Add(txs[1], 10*time.Second), coins.Add(txs[1], 1), matches.Reset(txs[1]))
		})
		if err != nil || at < minute || at > minute+time.Second {
			t.Fatalf("Exchange = %v; the copy had %v", err, at)
		}
		time.Sleep(time.Second) // until the other server has heard of it
		since := time.Now()
		one, two := played.Get(p), played.Get(q)
		if total := one + two; total < 2*minute || total > 2*minute+5*time.Second || two-one < 19*time.Second || two-one > 21*time.Second {
			t.Errorf("after 10 s were given away: %v and %v", one, two)
		}
		if got := matches.Get(q); got > 2*time.Second {
			t.Errorf("after a reset of the other one: %v", got)
		}
		time.Sleep(minute)
		w.times("of the giver", p, one+time.Since(since))
		w.times("of the receiver", q, two+time.Since(since))
		_, err = a.Change(w.within(minute), "2", []profile.Op{coins.ExpectOp(501), here.SetOp(0)}, nil)
		if err != nil {
			t.Errorf("a change by id = %v", err)
		}
		err = profile.Exchange(w.within(minute), parties, "", func(txs []*profile.Tx) error { _ = here.Set(txs[1], 0); return nil })
		if !errors.Is(err, profile.ErrVolatile) {
			t.Errorf("a trade of a volatile field = %v, want ErrVolatile", err)
		}
	})
}

// TestPlayTimeFolded is what an update does that puts stored fields aside and others
// in their place, as a switch of save slots.
func TestPlayTimeFolded(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.gamers("a", nil), "1")
		put := func(tx *profile.Tx, value string) (aside string) {
			if err := profile.FoldPlayTime(tx); err != nil {
				t.Fatal(err)
			}
			c := document.Change{Path: document.Field("played")}
			if value != "" {
				c.Value = []byte(value)
			}
			was := words(played.Get(tx).Milliseconds())
			if err := profile.Replay(tx, document.Delta{c}); err != nil {
				t.Fatal(err)
			}
			return was
		}
		time.Sleep(minute)
		var aside string
		w.update(p, func(tx *profile.Tx) { aside = put(tx, "") })
		w.times("of the other", p, 0, minute, minute)
		time.Sleep(minute)
		w.times("of the other", p, minute, 2*minute, 2*minute)
		failure := errors.New("no")
		if err := p.Update(func(tx *profile.Tx) error { put(tx, "5000"); return failure }); err != failure {
			t.Fatal(err)
		}
		w.times("after a switch that failed", p, minute, 2*minute, 2*minute)
		w.update(p, func(tx *profile.Tx) {
			if got := put(tx, aside); got != "60000" || aside != "60000" {
				t.Errorf("put aside: %s and %s, want a minute each", aside, got)
			}
		})
		time.Sleep(minute)
		w.times("of the first again", p, 2*minute, 3*minute, 3*minute)
	})
}

func TestPlayTimeThatIsNone(t *testing.T) {
	for name, value := range map[string]any{"Text": "1h", "Fraction": 1.5, "Negative": -1, "TooLong": profile.MaxPlayTime.Milliseconds() + 1} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, value) })
				f := profile.PlayTime("coins")
				p := w.loadAny(w.serverOn("a", open{w.db}, profile.NewSchema("player", f), nil), "1")
				if err := p.Err(); !errors.Is(err, profile.ErrWrongType) || f.Get(p) != 0 {
					t.Errorf("Err() = %v and %v; want ErrWrongType and 0", err, f.Get(p))
				}
			})
		})
	}
	if err := profile.NewSchema("player", profile.PlayTime("x", profile.Min(3))).Err(); !errors.Is(err, profile.ErrSchema) {
		t.Errorf("a bound: %v, want ErrSchema", err)
	}
}

// TestPlayTimeTogether is for the race detector.
func TestPlayTimeTogether(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.gamers("a", &profile.Options{Autosave: time.Second}), "1")
		var all sync.WaitGroup
		for _, do := range []func(i int){
			func(int) { played.Get(p) },
			func(int) { p.View(func(r profile.Reader) { played.Get(r); matches.Get(r) }) },
			func(i int) { matches.Pause(p); time.Sleep(time.Millisecond); matches.Resume(p) },
			func(i int) {
				_ = p.Update(func(tx *profile.Tx) error { _ = matches.Add(tx, time.Second); return coins.Add(tx, int64(i%3-1)*300) })
			},
			func(int) { _ = p.Save(w.ctx) },
			func(int) { _ = played.Saved(p); played.IsSet(p) },
		} {
			all.Go(func() {
				for i := range 200 {
					do(i)
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		ctx, cancel := context.WithTimeout(w.ctx, minute)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestPlayTimeOfTheSessionThatImportsOrMigrates(t *testing.T) {
	later := profile.Migration{Name: "later", Compatible: true, Run: func(*profile.Draft) error { return nil }}
	for name, load := range map[string]func(w *world) *profile.Profile{
		"Imports": func(w *world) *profile.Profile {
			old := func(context.Context, session.Key) (*profile.Imported, error) { return nil, nil }
			return w.load(w.gamers("new", &profile.Options{Import: old}), "1")
		},
		"Migrates": func(w *world) *profile.Profile {
			p := w.load(w.gamers("old", nil), "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
			w.close(p)
			return w.load(w.serverOn("new", open{w.db}, gamer.Migrate(later), nil), "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p := load(w)
				time.Sleep(3 * minute)
				w.close(p)
				if got := played.Get(w.load(w.gamers("next", nil), "1")); got < 3*minute {
					t.Errorf("%v are stored, want %v", got, 3*minute)
				}
			})
		})
	}
}
