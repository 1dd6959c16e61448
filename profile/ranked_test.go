package profile_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

var (
	wins   = profile.Int("wins", 0, profile.Ranked("wins"))
	lap    = profile.Int("lap", 0, profile.RankedLowest("laps"), profile.Lazy())
	racer  = profile.NewSchema("player", wins, lap)
	plain  = profile.NewSchema("player", profile.Int("wins", 0), profile.Int("lap", 0))
	wallet = profile.Int("wallet", 0, profile.Ranked("riches"))
	richer = profile.NewSchema("player", wallet)
)

// top returns a ranking as "member score".
func (w *world) top(srv *profile.Server, name string) []string {
	w.Helper()
	r, err := srv.Ranking(name)
	if err != nil {
		w.Fatal(err)
	}
	list, err := r.Top(w.ctx, 50)
	if err != nil {
		w.Fatal(err)
	}
	var lines []string
	for _, st := range list {
		lines = append(lines, fmt.Sprint(st.Member, " ", st.Score))
	}
	return lines
}

func (w *world) ranked(srv *profile.Server, name string, want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, w.top(srv, name)); diff != "" {
		w.Errorf("ranking %q (-want +got):\n%s", name, diff)
	}
}

func TestRankingFollowsAField(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world)
	}{
		{"AsProfilesAreSaved", func(w *world) {
			srv := w.serverOn("a", open{w.db}, racer, nil)
			for id, n := range map[string]int64{"ann": 3, "bob": 5, "cat": 4} {
				p := w.load(srv, id)
				w.update(p, func(tx *profile.Tx) { _, _ = wins.Set(tx, n), lap.Set(tx, 60+n) })
				w.close(p)
			}
			p := w.load(srv, "ann")
			w.ranked(srv, "wins", "bob 5", "cat 4", "ann 3")
			w.ranked(srv, "laps", "ann 63", "cat 64", "bob 65")
			w.update(p, func(tx *profile.Tx) { _ = wins.Add(tx, 9) })
			w.ranked(srv, "wins", "bob 5", "cat 4", "ann 3")
			if err := p.Save(w.ctx); err != nil {
				w.Fatal(err)
			}
			w.ranked(srv, "wins", "ann 12", "bob 5", "cat 4")
			w.update(p, func(tx *profile.Tx) { _ = wins.Reset(tx) })
			w.close(p)
			w.ranked(srv, "wins", "bob 5", "cat 4")
		}},
		{"ByAChangeByID", func(w *world) {
			a, b := w.serverOn("a", open{w.db}, racer, nil), w.serverOn("b", open{w.db}, racer, nil)
			w.update(w.load(a, "ann"), func(tx *profile.Tx) { _ = wins.Set(tx, 1) })
			if _, err := b.Change(w.ctx, "ann", []profile.Op{wins.AddOp(4)}, nil); err != nil {
				w.Fatal(err)
			}
			if err := b.Flush(w.ctx, "ann"); err != nil {
				w.Fatal(err)
			}
			w.ranked(b, "wins", "ann 5")
		}},
		{"ByATradeAcrossServers", func(w *world) {
			line := bus.NewLocal()
			on := func(name string) *profile.Server {
				end, err := line.Open(nil)
				if err != nil {
					w.Fatal(err)
				}
				w.Cleanup(func() { _ = end.Close() })
				return w.serverOn(name, open{w.db}, richer, &profile.Options{Session: session.Options{Bus: end}})
			}
			a, b := on("a"), on("b")
			ann, bob := w.load(a, "ann"), w.load(b, "bob")
			w.update(ann, func(tx *profile.Tx) { _ = wallet.Set(tx, 10) })
			w.update(bob, func(tx *profile.Tx) { _ = wallet.Set(tx, 20) })
			parties := []profile.Party{{Server: a, ID: "ann"}, {Server: a, ID: "bob"}}
			ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
			defer cancel()
			err := profile.Exchange(ctx, parties, "trade", func(txs []*profile.Tx) error {
				return errors.Join(wallet.Add(txs[0], 15), wallet.Add(txs[1], -15))
			})
			if err != nil {
				w.Fatal(err)
			}
			w.ranked(a, "riches", "ann 25", "bob 5")
			w.update(ann, func(tx *profile.Tx) { _ = wallet.Set(tx, 1) })
			w.close(ann)
			w.close(bob)
			w.ranked(a, "riches", "bob 5", "ann 1")
		}},
		{"WhenItIsDeclaredLater", func(w *world) {
			old := w.serverOn("old", open{w.db}, plain, nil)
			for i := range 30 {
				p := w.load(old, fmt.Sprint("p", i))
				f := old.Schema().Field("wins").(*profile.IntField)
				w.update(p, func(tx *profile.Tx) { _ = f.Set(tx, int64(i)) })
				if i > 0 {
					w.close(p)
				}
			}
			srv := w.serverOn("new", open{w.db}, racer, nil)
			w.ranked(srv, "wins")
			w.close(w.load(srv, "p7"))
			w.ranked(srv, "wins", "p7 7")
			sum, err := srv.RebuildRankings(w.ctx, nil)
			if err != nil || sum.Roots != 30 || sum.Changed != 28 || sum.Held != 1 {
				w.Errorf("RebuildRankings = %+v, %v, want 28 of 30 changed and one held", sum, err)
			}
			if got := w.top(srv, "wins"); len(got) != 29 || got[0] != "p29 29" {
				w.Errorf("ranking %q, want 29 who are not held", got)
			}
			if sum, err = old.RebuildRankings(w.ctx, nil); err != nil || sum.Changed != 29 {
				w.Errorf("RebuildRankings without the ranking = %+v, %v, want 29 changed", sum, err)
			}
			w.ranked(srv, "wins")
		}},
		{"OnlyIfOneIsDeclared", func(w *world) {
			srv := w.serverOn("a", open{w.db}, racer, nil)
			if _, err := srv.Ranking("losses"); !errors.Is(err, profile.ErrSchema) {
				w.Errorf("Ranking that no field feeds: %v, want ErrSchema", err)
			}
			r, err := srv.Ranking("wins")
			if err != nil {
				w.Fatal(err)
			}
			if err := r.Set(w.ctx, "ann", 5); !errors.Is(err, store.ErrRanked) {
				w.Errorf("Set of a fed ranking: %v, want ErrRanked", err)
			}
			if _, err := r.Rank(w.ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("Rank of nobody: %v, want ErrNotFound", err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { bubble(t, c.run) })
	}
}

// A field that is declared Ranked feeds a ranking, in the commits that save it.
func ExampleRanked() {
	wins := profile.Int("wins", 0, profile.Ranked("wins"))
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close(ctx)
	srv, err := profile.Open(ctx, db, profile.NewSchema("player", wins), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close(ctx)
	for id, n := range map[string]int64{"ann": 3, "bob": 8, "cat": 5} {
		p, err := srv.Open(ctx, id, nil)
		if err != nil {
			log.Fatal(err)
		}
		if err := p.Update(func(tx *profile.Tx) error { return wins.Add(tx, n) }); err != nil {
			log.Fatal(err)
		}
		if err := p.Close(ctx); err != nil {
			log.Fatal(err)
		}
	}
	ranking, err := srv.Ranking("wins")
	if err != nil {
		log.Fatal(err)
	}
	top, err := ranking.Top(ctx, 2)
	fmt.Println(top, err)
	ann, err := ranking.Rank(ctx, "ann")
	fmt.Println(ann.Rank, err)
	// Output:
	// [{bob 8 1 true} {cat 5 2 true}] <nil>
	// 3 <nil>
}

// Players who were there before a ranking was declared get their rows at once.
func ExampleServer_RebuildRankings() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close(ctx)
	serve := func(s *profile.Schema, use func(*profile.Server)) {
		srv, err := profile.Open(ctx, db, s, nil)
		if err != nil {
			log.Fatal(err)
		}
		defer srv.Close(ctx)
		use(srv)
	}
	before := profile.Int("wins", 0)
	serve(profile.NewSchema("player", before), func(srv *profile.Server) {
		p, err := srv.Open(ctx, "ann", nil)
		if err != nil {
			log.Fatal(err)
		}
		if err := p.Update(func(tx *profile.Tx) error { return before.Set(tx, 7) }); err != nil {
			log.Fatal(err)
		}
	})
	wins := profile.Int("wins", 0, profile.Ranked("wins"))
	serve(profile.NewSchema("player", wins), func(srv *profile.Server) {
		sum, err := srv.RebuildRankings(ctx, &session.RerankOptions{Progress: func(r session.Reranked) { fmt.Println("so far", r.Roots) }})
		fmt.Println(sum.Changed, sum.Held, err)
		ranking, err := srv.Ranking("wins")
		if err != nil {
			log.Fatal(err)
		}
		top, err := ranking.Top(ctx, 10)
		fmt.Println(top, err)
	})
	// Output:
	// so far 1
	// 1 0 <nil>
	// [{ann 7 1 true}] <nil>
}
