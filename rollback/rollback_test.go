package rollback_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/rollback"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

var (
	coins  = profile.Int("coins", 0)
	player = profile.NewSchema("player", coins)
	// The same kind, whose coins are another type.
	text  = profile.String("coins", "")
	texts = profile.NewSchema("player", text)
	pets  = profile.NewSchema("player2", coins)
)

// world is a database with servers.
type world struct {
	*testing.T
	ctx context.Context
	db  driver.DB
}

func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(&world{t, t.Context(), unhurried{mem.Open()}}) })
}

// unhurried is a database whose servers look for requests only now and then, so that a
// test may let hours pass.
type unhurried struct{ driver.DB }

func (u unhurried) Info() driver.Info {
	info := u.DB.Info()
	info.Look = 400 * time.Millisecond
	return info
}

type open struct{ driver.DB }

func (open) Close() error { return nil }

func (w *world) server(name string, schema *profile.Schema) *profile.Server {
	w.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatal(err)
	}
	o := &profile.Options{Session: session.Options{Name: name, Lease: session.MinLease, Retention: &driver.Retention{}}}
	srv, err := profile.Open(context.Background(), db, schema, o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
	})
	return srv
}

// play has a player play on a server for a moment, or stay, and have so many coins.
func (w *world) play(srv *profile.Server, id string, n int64, stay bool) {
	w.Helper()
	p, err := srv.Open(w.ctx, id, nil)
	if err != nil || p.Err() != nil {
		w.Fatalf("Open(%q): %v", id, errors.Join(err, p.Err()))
	}
	if err := p.Update(func(tx *profile.Tx) error { return coins.Set(tx, n) }, profile.Durable(w.ctx)); err != nil {
		w.Fatal(err)
	}
	if err := p.Save(w.ctx); err != nil {
		w.Fatal(err)
	}
	if !stay {
		if err := p.Close(w.ctx); err != nil {
			w.Fatal(err)
		}
	}
}

// coins returns what everybody has.
func (w *world) coins(srv *profile.Server) map[string]int64 {
	w.Helper()
	all := make(map[string]int64)
	for info, err := range srv.Session().Reader().Roots(w.ctx, &session.RootsOptions{Kind: "player"}) {
		if err != nil {
			w.Fatal(err)
		}
		if info.Key.Kind == "player" && !info.Erased {
			c, err := srv.Peek(w.ctx, info.Key.ID)
			if err != nil {
				w.Fatal(err)
			}
			all[info.Key.ID] = coins.Get(c)
		}
	}
	return all
}

// moment returns a time of the database's between what was and what comes.
func (w *world) moment(srv *profile.Server) time.Time {
	time.Sleep(20 * time.Millisecond)
	if _, err := audit.Write(w.ctx, srv.Session().DB(), "x", srv.Session().Now(), audit.Act{By: "x", What: "x", Reason: "x"}); err != nil {
		w.Fatal(err) // so that the server hears the database's time
	}
	at := srv.Session().Now()
	time.Sleep(20 * time.Millisecond)
	return at
}

func (w *world) run(srv *profile.Server, id string, p rollback.Plan, o *rollback.Options) rollback.Report {
	w.Helper()
	r, err := rollback.Run(w.ctx, srv, id, p, o)
	if err != nil {
		w.Fatalf("Run(%q): %v", id, err)
	}
	return r
}

func (w *world) same(what string, want, got any) {
	w.Helper()
	if d := cmp.Diff(want, got); d != "" {
		w.Errorf("%s (-want +got): %s", what, d)
	}
}

// scene has players of all sorts on a server, and returns the moment.
func (w *world) scene(srv *profile.Server) rollback.Plan {
	w.Helper()
	w.play(srv, "alice", 1, true) // who stays online
	w.play(srv, "bob", 1, false)
	w.play(srv, "carl", 1, false) // who does nothing after
	w.play(srv, "dora", 1, false) // who trades after
	w.play(srv, "emil", 1, false) // likewise
	at := w.moment(srv)
	w.play(srv, "alice", 100, true)
	w.play(srv, "bob", 100, false)
	w.play(srv, "fred", 100, false) // who is born later
	err := profile.Exchange(w.ctx, []profile.Party{{Server: srv, ID: "dora"}, {Server: srv, ID: "emil"}}, "a swap", func(txs []*profile.Tx) error {
		return errors.Join(coins.Add(txs[0], -1), coins.Add(txs[1], 1))
	})
	if err != nil {
		w.Fatal(err)
	}
	pet := w.server("pets", pets)
	w.play(pet, "rex", 7, false) // another kind
	return rollback.Plan{Before: at, Reason: "the exploit"}
}

func onEach(t *testing.T, fn func(w *world)) {
	t.Run("Mem", func(t *testing.T) { bubble(t, fn) })
	t.Run("SQLite", func(t *testing.T) {
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "p.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		fn(&world{t, context.Background(), db})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		db, err := postgres.Open(t.Context(), pgtest.URL(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		fn(&world{t, context.Background(), db})
	})
}

func TestRun(t *testing.T) {
	onEach(t, func(w *world) {
		srv := w.server("a", player)
		plan := w.scene(srv)
		before := w.coins(srv)
		w.same("players before", map[string]int64{"alice": 100, "bob": 100, "carl": 1, "dora": 0, "emil": 2, "fred": 100}, before)

		states := make(map[string]rollback.State)
		each := &rollback.Options{Each: func(p *rollback.Player) { states[p.Key.ID] = p.State }}
		tool := w.server("tool", player).As("ann")
		want := map[string]rollback.State{
			"alice": "restored", "bob": "restored", "carl": "unchanged", "dora": "refused", "emil": "refused", "fred": "born later",
		}
		dry, err := rollback.DryRun(w.ctx, tool, plan, each)
		if err != nil || !dry.Finished {
			w.Fatalf("DryRun = %+v, %v", dry, err)
		}
		w.same("states of the dry run", want, states)
		w.same("players after the dry run", before, w.coins(srv))

		clear(states)
		report := w.run(tool, "r1", plan, each)
		w.same("states", want, states)
		w.same("count", dry.Count, report.Count)
		after := map[string]int64{"alice": 1, "bob": 1, "carl": 1, "dora": 0, "emil": 2, "fred": 100}
		w.same("players after", after, w.coins(srv))

		w.play(srv, "alice", 50, true)
		clear(states)
		again := w.run(tool, "r1", plan, each)
		w.same("states of the same run again", map[string]rollback.State{}, states)
		w.same("count of the same run again", report.Count, again.Count)
		after["alice"] = 50
		w.same("players after the same run again", after, w.coins(srv))

		plan.Despite = true
		report = w.run(tool, "r2", plan, nil)
		w.same("players after a run despite trades", map[string]int64{"alice": 1, "bob": 1, "carl": 1, "dora": 1, "emil": 1, "fred": 100}, w.coins(srv))
		acts := make(map[string]int)
		for a, err := range audit.Log(w.ctx, tool.Session().DB(), &audit.LogOptions{By: "ann"}) {
			if err != nil || a.Reason != "the exploit" {
				w.Errorf("act %+v, %v", a, err)
			}
			acts[a.What]++
		}
		w.same("acts in the audit log", map[string]int{"restore all": 2, "restore": 5}, acts)
	})
}

func TestRunThatWasStopped(t *testing.T) {
	defer rollback.SetPage(4)()
	setup := func(w *world) (*profile.Server, *profile.Server, rollback.Plan, map[string]int64) {
		srv, want := w.server("a", player), make(map[string]int64)
		for i := range 20 {
			w.play(srv, fmt.Sprintf("p%02d", i), 1, i%3 == 0)
			want[fmt.Sprintf("p%02d", i)] = 1
		}
		plan := rollback.Plan{Before: w.moment(srv), Reason: "the exploit"}
		for id := range want {
			w.play(srv, id, 100, false)
		}
		return srv, w.server("tool", player), plan, want
	}
	t.Run("GoesOnAndRestoresNobodyTwice", func(t *testing.T) {
		for stop := range 20 {
			bubble(t, func(w *world) {
				srv, tool, plan, want := setup(w)
				ctx, cancel := context.WithCancel(w.ctx)
				var did []string
				o := &rollback.Options{Parallel: 1, Each: func(p *rollback.Player) {
					did = append(did, p.Key.ID)
					if len(did) == stop+1 {
						cancel()
					}
				}}
				if r, err := rollback.Run(ctx, tool, "r", plan, o); !errors.Is(err, context.Canceled) || r.Finished {
					w.Fatalf("a run that was stopped = %+v, %v", r, err)
				}
				for _, id := range did { // who play on
					w.play(srv, id, 7, false)
					want[id] = 7
				}
				r := w.run(w.server("other", player), "r", plan, nil)
				if !r.Resumed || !r.Finished || r.Count[rollback.Restored] != 20 {
					w.Errorf("the run = %+v, want 20 restored", r)
				}
				w.same("players", want, w.coins(srv))
			})
		}
	})
	t.Run("LongAgoGoesOnToo", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv, tool, plan, want := setup(w)
			ctx, cancel := context.WithCancel(w.ctx)
			o := &rollback.Options{Parallel: 1, Each: func(p *rollback.Player) { cancel() }}
			_, _ = rollback.Run(ctx, tool, "r", plan, o)
			w.play(srv, "p00", 7, false)
			want["p00"] = 7
			time.Sleep(3 * time.Hour) // what is noted of the message has gone
			w.run(tool, "r", plan, nil)
			w.same("players", want, w.coins(srv))
		})
	})
}

func TestRunRefuses(t *testing.T) {
	t.Run("AnotherPlanUnderTheID", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", player)
			plan := w.scene(srv)
			w.run(srv, "r", plan, nil)
			for _, other := range []rollback.Plan{
				{Before: plan.Before.Add(-time.Second), Reason: plan.Reason}, {Before: plan.Before, Reason: "x"}, {Before: plan.Before, Reason: plan.Reason, Despite: true},
			} {
				if _, err := rollback.Run(w.ctx, srv, "r", other, nil); !errors.Is(err, rollback.ErrOtherPlan) {
					w.Errorf("Run of %+v = %v, want ErrOtherPlan", other, err)
				}
			}
		})
	})
	t.Run("TwoAtOnce", func(t *testing.T) {
		defer rollback.SetPage(1)()
		bubble(t, func(w *world) {
			srv := w.server("a", player)
			plan := w.scene(srv)
			errs := make([]error, 4)
			var all sync.WaitGroup
			for i := range errs {
				all.Go(func() { _, errs[i] = rollback.Run(w.ctx, srv, "r", plan, nil) })
			}
			all.Wait()
			for _, err := range errs {
				if err != nil && !errors.Is(err, rollback.ErrElsewhere) {
					w.Errorf("Run = %v, want it done or done elsewhere", err)
				}
			}
			w.run(srv, "r", plan, nil)
			w.same("players", map[string]int64{"alice": 1, "bob": 1, "carl": 1, "dora": 0, "emil": 2, "fred": 100}, w.coins(srv))
			n := 0
			for range audit.Log(w.ctx, srv.Session().DB(), &audit.LogOptions{What: "restore all"}) {
				n++
			}
			if n != 1 {
				w.Errorf("the audit log tells %d runs, want 1", n)
			}
		})
	})
	t.Run("WhatIsOutOfBounds", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", player)
			now := srv.Session().Now()
			good := rollback.Plan{Before: now.Add(-time.Second), Reason: "x"}
			for name, err := range map[string]error{
				"no moment":     second(rollback.DryRun(w.ctx, srv, rollback.Plan{Reason: "x"}, nil)),
				"a future":      second(rollback.DryRun(w.ctx, srv, rollback.Plan{Before: now.Add(time.Hour), Reason: "x"}, nil)),
				"no reason":     second(rollback.DryRun(w.ctx, srv, rollback.Plan{Before: good.Before}, nil)),
				"no id":         second(rollback.Run(w.ctx, srv, "", good, nil)),
				"a long id":     second(rollback.Run(w.ctx, srv, strings.Repeat("x", rollback.MaxRunID+1), good, nil)),
				"many at once":  second(rollback.Run(w.ctx, srv, "r", good, &rollback.Options{Parallel: 257})),
				"a long wait":   second(rollback.Run(w.ctx, srv, "r", good, &rollback.Options{Wait: time.Hour})),
				"a bad reason":  second(rollback.Run(w.ctx, srv, "r", rollback.Plan{Before: good.Before, Reason: "a\x00"}, nil)),
				"a bad name of": second(rollback.Run(w.ctx, srv.As("a\n"), "r", good, nil)),
			} {
				if !errors.Is(err, driver.ErrInvalid) {
					w.Errorf("%s: %v, want ErrInvalid", name, err)
				}
			}
		})
	})
	t.Run("APlayerWhoCannotBeReadAndGoesOn", func(t *testing.T) {
		bubble(t, func(w *world) {
			bad := w.server("bad", texts)
			p, err := bad.Open(w.ctx, "anna", nil)
			if err != nil {
				w.Fatal(err)
			}
			if err := errors.Join(p.Update(func(tx *profile.Tx) error { return text.Set(tx, "many") }), p.Close(w.ctx)); err != nil {
				w.Fatal(err)
			}
			srv := w.server("a", player)
			w.play(srv, "bob", 1, false)
			at := w.moment(srv)
			w.play(srv, "bob", 2, false)
			states := make(map[string]error)
			q, err := bad.Open(w.ctx, "anna", nil)
			if err != nil {
				w.Fatal(err)
			}
			if err := errors.Join(q.Update(func(tx *profile.Tx) error { return text.Set(tx, "other") }), q.Close(w.ctx)); err != nil {
				w.Fatal(err)
			}
			r := w.run(srv, "r", rollback.Plan{Before: at, Reason: "x"}, &rollback.Options{Each: func(p *rollback.Player) { states[p.Key.ID] = p.Err }})
			if r.Count[rollback.Restored] != 1 || r.Count[rollback.Failed] != 1 || states["anna"] == nil {
				w.Errorf("Run = %+v, %v", r, maps.All(states))
			}
		})
	})
}

func second[T any](_ T, err error) error { return err }

// What was saved within a millisecond after the moment is not of before it.
func TestMomentIsExact(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("a", player)
		w.play(srv, "steve", 5, true)
		time.Sleep(600 * time.Microsecond)
		plan := rollback.Plan{Before: srv.Session().Now(), Reason: "exploit"}
		time.Sleep(100 * time.Microsecond)
		w.play(srv, "steve", 1_000_000, true)
		time.Sleep(time.Second)
		report, err := rollback.Run(w.ctx, srv, "exploit", plan, nil)
		if err != nil || report.Count[rollback.Restored] != 1 || w.coins(srv)["steve"] != 5 {
			t.Errorf("Run = %v, %v and steve has %d; want him restored to 5", report.Count, err, w.coins(srv)["steve"])
		}
	})
}

// A run is stopped (a lid is closed, a machine hangs) within a page, another process
// goes on with it and finishes, players play on, and the first one wakes up.
func TestRunThatSlept(t *testing.T) {
	defer rollback.SetPage(4)()
	slept := func(w *world, before int64, played func(srv *profile.Server, id string)) {
		srv, want := w.server("a", player), make(map[string]int64)
		for i := range 4 {
			w.play(srv, fmt.Sprintf("p%02d", i), 1, true)
			want[fmt.Sprintf("p%02d", i)] = 1
		}
		plan := rollback.Plan{Before: w.moment(srv), Reason: "the exploit"}
		for id := range want {
			w.play(srv, id, before, true)
		}
		wake, asleep := make(chan struct{}), make(chan struct{}, 10)
		ended := make(chan error, 1)
		go func() {
			o := &rollback.Options{Parallel: 1, Each: func(*rollback.Player) { asleep <- struct{}{}; <-wake }}
			_, err := rollback.Run(w.ctx, w.server("laptop", player), "r", plan, o)
			ended <- err
		}()
		<-asleep // after the first player
		if r := w.run(w.server("other", player), "r", plan, nil); !r.Finished {
			w.Fatalf("the run elsewhere = %+v", r)
		}
		w.same("players when it is done", want, w.coins(srv))
		for id := range want {
			played(srv, id)
			want[id] = 7
		}
		close(wake)
		if err := <-ended; !errors.Is(err, rollback.ErrElsewhere) {
			w.Errorf("the run that slept = %v", err)
		}
		w.same("players who have played since the run was finished", want, w.coins(srv))
	}
	t.Run("AMinuteAndWhoWasUnchangedPlayedOn", func(t *testing.T) {
		bubble(t, func(w *world) {
			slept(w, 1, func(srv *profile.Server, id string) {
				time.Sleep(15 * time.Second)
				w.play(srv, id, 7, true)
			})
		})
	})
	t.Run("HoursAndWhoWasRestoredPlayedOn", func(t *testing.T) {
		bubble(t, func(w *world) {
			slept(w, 100, func(srv *profile.Server, id string) {
				time.Sleep(time.Hour)
				for i := range 300 { // messages, so that old markers are swept
					o := &profile.ChangeOptions{ID: fmt.Sprint("gift", i)}
					if _, err := srv.Change(w.ctx, id, []profile.Op{coins.SetOp(7)}, o); err != nil {
						w.Fatal(err)
					}
				}
			})
		})
	})
}
