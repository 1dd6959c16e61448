package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// rowKeeper is a database that looks after each commit whether the rows are what
// the roots call for: those, and no others.
type rowKeeper struct {
	driver.DB
	t     *testing.T
	mu    sync.Mutex
	blind atomic.Bool // it no longer looks
}

func (k *rowKeeper) Close() error { return nil }

func (k *rowKeeper) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	outcomes, err := k.DB.Commit(ctx, g)
	if k.blind.Load() {
		return outcomes, err
	}
	want, got := k.rows()
	if diff := cmp.Diff(want, got); diff != "" {
		k.t.Errorf("rows after a commit (-what the roots call for +there are):\n%s", diff)
	}
	return outcomes, err
}

// rows returns the rows that there ought to be, and those that there are.
func (k *rowKeeper) rows() (want, got []string) {
	snap, err := k.DB.List(context.Background(), driver.Query{})
	if err != nil {
		k.t.Error(err)
	}
	for _, e := range snap.Entries {
		if strings.HasPrefix(e.Key, "~ranked/") {
			got = append(got, e.Key)
		}
		key, err := session.ParseKey(e.Key)
		if err != nil {
			continue
		}
		var r struct {
			Rows []struct {
				Ranking, Field string
				Lowest         bool
			}
			Data map[string]json.RawMessage
		}
		if err := json.Unmarshal(e.Value, &r); err != nil {
			k.t.Errorf("root %q: %v", e.Key, err)
		}
		for _, row := range r.Rows {
			if n, err := strconv.ParseInt(string(r.Data[row.Field]), 10, 64); err == nil {
				want = append(want, store.RankedRow(key.Kind, row.Ranking, row.Lowest, n, key.ID))
			}
		}
	}
	slices.Sort(want)
	return want, got
}

// winners is two servers on a database that keeps an eye on the rows.
type winners struct {
	*world
	db   *rowKeeper
	a, b host
}

var (
	byWins  = session.Ranked{Ranking: "wins", Field: "coins"}
	byTimes = session.Ranked{Ranking: "laps", Field: "lap", LowestFirst: true}
)

// ranked opens a key with fields that feed rankings; none means an empty list.
func (w *winners) ranked(h host, key session.Key, spec ...session.Ranked) *session.Session {
	w.t.Helper()
	return w.openWith(h, key, &session.OpenOptions{Ranked: append([]session.Ranked{}, spec...)})
}

// standing is "rank member score" for each member of a ranking.
func (w *winners) standing(ranked session.Ranked) []string {
	w.t.Helper()
	r, err := w.b.Reader().Ranking("player", ranked.Ranking, &store.RankingOptions{LowestFirst: ranked.LowestFirst})
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := r.Top(w.ctx, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	for _, st := range list {
		lines = append(lines, fmt.Sprintf("%d %s %d", st.Rank, st.Member, st.Score))
		if score, err := r.Get(w.ctx, st.Member); score != st.Score || err != nil {
			w.t.Errorf("Get(%q) = %d, %v, want its row's %d", st.Member, score, err, st.Score)
		}
	}
	return lines
}

func (w *winners) stands(ranked session.Ranked, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.standing(ranked)); diff != "" {
		w.t.Errorf("ranking %q (-want +got):\n%s", ranked.Ranking, diff)
	}
}

func TestRowsFollowTheRoot(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *winners)
	}{
		{"WithEachSave", func(w *winners) {
			s := w.ranked(w.a, alice, byWins, byTimes)
			w.stands(byWins)
			w.set(s, "coins", "5")
			w.set(s, "lap", "71")
			w.sync(s)
			w.stands(byWins) // it is in the journal only
			w.save(s)
			w.stands(byWins, "1 alice 5")
			other := w.ranked(w.a, bob, byWins, byTimes)
			w.set(other, "coins", "7")
			w.set(other, "lap", "90")
			w.close(other)
			w.stands(byWins, "1 bob 7", "2 alice 5")
			w.stands(byTimes, "1 alice 71", "2 bob 90")
			w.set(s, "coins", "-9223372036854775808")
			w.close(s)
			w.stands(byWins, "1 bob 7", "2 alice -9223372036854775808")
		}},
		{"AsItIsOnDiskAndNotInMemory", func(w *winners) {
			s := w.ranked(w.a, alice, byWins)
			w.set(s, "coins", "5")
			w.sync(s)
			w.set(s, "coins", "6") // in no journal yet
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Millisecond)
			w.stands(byWins, "1 alice 5")
			w.a.kill()
			w.want(w.takeOver(w.b, alice), "coins", "5")
			w.stands(byWins, "1 alice 5")
		}},
		{"WithLazyChanges", func(w *winners) {
			s := w.ranked(w.a, alice, byWins)
			if err := change(s, true, false, "coins", "5"); err != nil {
				w.t.Fatal(err)
			}
			w.save(s)
			w.stands(byWins, "1 alice 5")
		}},
		{"AlsoWhenASaveWasRefused", func(w *winners) {
			s := w.ranked(w.a, alice, byWins)
			w.set(s, "coins", "5")
			w.save(s)
			w.a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
			w.set(s, "coins", "6")
			if err := s.Save(w.ctx); !errors.Is(err, driver.ErrReadOnly) {
				w.t.Errorf("Save = %v, want ErrReadOnly", err)
			}
			w.a.f.Use()
			w.stands(byWins, "1 alice 5")
			w.set(s, "coins", "7")
			w.save(s)
			w.stands(byWins, "1 alice 7")
		}},
		{"OnceIfTheAnswerIsLost", func(w *winners) {
			s := w.ranked(w.a, alice, byWins)
			w.a.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
			w.set(s, "coins", "5")
			w.save(s)
			w.set(s, "coins", "6")
			w.save(s)
			w.stands(byWins, "1 alice 6")
		}},
		{"ByATakeOverWithoutTheFields", func(w *winners) {
			s := w.appended("5")
			w.a.kill()
			taken := w.takeOver(w.b, alice) // it names none: those of the root hold
			w.stands(byWins, "1 alice 5")
			w.set(taken, "coins", "8")
			w.close(taken)
			w.stands(byWins, "1 alice 8")
			_ = s
		}},
		{"BySettling", func(w *winners) {
			w.appended("5")
			w.a.kill()
			time.Sleep(time.Minute)
			w.unlocked(alice, "coins", "5")
			w.stands(byWins, "1 alice 5")
		}},
		{"BySettlingOnItsOwnServer", func(w *winners) {
			s := w.appended("5")
			w.rewrite(alice, func(map[string]any) {}) // a version that the session does not know
			w.a.f.Use()
			s.SaveSoon(session.CauseAutosave)
			w.lost(s)
			time.Sleep(time.Second)
			w.unlocked(alice, "coins", "5")
			w.stands(byWins, "1 alice 5")
		}},
		{"ByAHandOver", func(w *winners) {
			s := w.ranked(w.a, alice, byWins)
			w.set(s, "coins", "5")
			taken := w.open(w.b, alice)
			w.stands(byWins, "1 alice 5")
			w.close(taken)
		}},
		{"WhenTheFieldsChange", func(w *winners) {
			s := w.ranked(w.a, alice, byWins)
			w.set(s, "coins", "5")
			w.set(s, "gems", "3")
			w.close(s)
			renamed := session.Ranked{Ranking: "victories", Field: "coins"}
			w.close(w.ranked(w.b, alice, renamed))
			w.stands(byWins)
			w.stands(renamed, "1 alice 5")
			other := session.Ranked{Ranking: "victories", Field: "gems"}
			w.close(w.ranked(w.b, alice, other, byWins))
			w.stands(other, "1 alice 3")
			w.stands(byWins, "1 alice 5")
			turned := session.Ranked{Ranking: "victories", Field: "gems", LowestFirst: true}
			w.close(w.ranked(w.b, alice, turned))
			w.stands(other)
			w.stands(turned, "1 alice 3")
			w.close(w.ranked(w.b, alice))
			w.stands(turned)
			if got := string(w.entry(alice.String()).Value); strings.Contains(got, "rows") {
				w.t.Errorf("the root still names rows: %s", got)
			}
		}},
		{"AwayWithTheValue", func(w *winners) {
			s := w.ranked(w.a, alice, byWins)
			for _, value := range []string{"5", `"text"`, "6", "1.5", "7", "99999999999999999999", "8", `{"n":1}`, "9"} {
				w.set(s, "coins", value)
				w.save(s)
				if n, err := strconv.Atoi(value); err == nil {
					w.stands(byWins, fmt.Sprintf("1 alice %d", n))
				} else {
					w.stands(byWins)
				}
			}
			tx, err := s.Begin()
			if err != nil {
				w.t.Fatal(err)
			}
			if err := errors.Join(tx.Delete(document.Field("coins"), false), session.Commit(false, tx)); err != nil {
				w.t.Fatal(err)
			}
			w.close(s)
			w.stands(byWins)
		}},
		{"ByAnExchange", func(w *winners) {
			first, second := w.ranked(w.a, alice, byWins), w.ranked(w.b, bob, byWins)
			w.set(first, "coins", "10")
			w.set(second, "coins", "20")
			m := &market{world: w.world, a: w.a, b: w.b, alice: first, bob: second}
			m.announce()
			fs := []*session.Frozen{m.freeze(first), m.freeze(second)}
			w.stands(byWins, "1 bob 20", "2 alice 10")
			if err := m.exchange(w.ctx, fs, "25", "5"); err != nil {
				w.t.Fatal(err)
			}
			w.stands(byWins, "1 alice 25", "2 bob 5")
			fs[0].Committed(m.stills[0])
			if err := apply(fs[0], document.Delta{{Path: document.Field("coins"), Value: []byte("25")}}); err != nil {
				w.t.Fatal(err)
			}
			fs[0].Release()
			if !m.settle(fs[1]) {
				w.t.Error("bob did not learn of the exchange")
			}
			// No save in between: what is replaced is what the exchange wrote.
			w.set(first, "coins", "1")
			w.set(second, "coins", "2")
			w.close(first)
			w.close(second)
			w.stands(byWins, "1 bob 2", "2 alice 1")
		}},
		{"NotByAnExchangeThatNeverHappens", func(w *winners) {
			first, second := w.ranked(w.a, alice, byWins), w.ranked(w.b, bob, byWins)
			w.set(first, "coins", "10")
			w.set(second, "coins", "20")
			m := &market{world: w.world, a: w.a, b: w.b, alice: first, bob: second}
			m.announce()
			fs := []*session.Frozen{m.freeze(first), m.freeze(second)}
			keys, at := []session.Key{alice, bob}, []driver.Version{fs[0].Version(), fs[1].Version()}
			stills, err := w.a.ReadStill(w.ctx, keys, at)
			if err != nil {
				w.t.Fatal(err)
			}
			if m.settle(fs[1]) {
				w.t.Error("bob has learnt of an exchange that nobody made")
			}
			for _, st := range stills {
				if _, err := st.Document.Set(document.Field("coins"), []byte("99")); err != nil {
					w.t.Fatal(err)
				}
			}
			if err := w.a.Exchange(w.ctx, m.announced, stills, "too late"); !errors.Is(err, store.ErrConflict) {
				w.t.Errorf("Exchange = %v, want a conflict", err)
			}
			fs[0].Release()
			w.stands(byWins, "1 bob 20", "2 alice 10")
			w.set(second, "coins", "2")
			w.close(second)
			w.stands(byWins, "1 alice 10", "2 bob 2")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				k := &rowKeeper{DB: w.db, t: t}
				o := &session.Options{AppendEvery: 10 * time.Second}
				c.run(&winners{world: w, db: k, a: w.serverOn("a", k, o), b: w.serverOn("b", k, o)})
			})
		})
	}
}

// appended is alice's session on a, with coins that are in its journal and that no
// save of hers reaches the database with.
func (w *winners) appended(coins string) *session.Session {
	w.t.Helper()
	s := w.ranked(w.a, alice, byWins)
	w.set(s, "coins", "1")
	w.save(s)
	unsaved(w.a)
	w.set(s, "coins", coins)
	w.sync(s)
	w.stands(byWins, "1 alice 1")
	return s
}

func TestFieldsThatCannotFeedAreRefused(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		for what, spec := range map[string][]session.Ranked{
			"a ranking without a name": {{Field: "coins"}},
			"one with a long name":     {{Ranking: strings.Repeat("x", 51), Field: "coins"}},
			"a field without a name":   {{Ranking: "wins"}},
			"a ranking fed twice":      {byWins, {Ranking: "wins", Field: "gems"}},
			"too many":                 make([]session.Ranked, session.MaxRanked+1),
		} {
			if _, err := a.Open(w.ctx, alice, &session.OpenOptions{Ranked: spec}); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Open with %s: %v, want ErrInvalid", what, err)
			}
		}
	})
}

func TestRerank(t *testing.T) {
	want := func([]session.Ranked) []session.Ranked { return []session.Ranked{byWins} }
	for _, c := range []struct {
		name string
		run  func(w *winners)
	}{
		{"GivesRowsToThoseWhoAreAway", func(w *winners) {
			w.fill(600)
			var told []session.Reranked
			sum, err := w.a.Rerank(w.ctx, "player", want, &session.RerankOptions{Progress: func(r session.Reranked) { told = append(told, r) }})
			if err != nil || sum != (session.Reranked{Roots: 600, Changed: 600, Last: "p0599"}) {
				w.t.Errorf("Rerank = %+v, %v, want 600 roots changed", sum, err)
			}
			if len(told) < 3 || told[len(told)-1] != sum {
				w.t.Errorf("Progress was told %+v, want several steps up to %+v", told, sum)
			}
			if got := w.standing(byWins); len(got) != 100 || got[0] != "1 p0599 599" {
				w.t.Errorf("the ranking begins with %q", got[:1])
			}
			again, err := w.a.Rerank(w.ctx, "player", want, nil)
			if err != nil || again != (session.Reranked{Roots: 600, Last: "p0599"}) {
				w.t.Errorf("Rerank once more = %+v, %v, want nothing changed", again, err)
			}
		}},
		{"GoesOnAfterAnID", func(w *winners) {
			w.fill(10)
			sum, err := w.a.Rerank(w.ctx, "player", want, &session.RerankOptions{After: "p0006"})
			if err != nil || sum.Changed != 3 {
				w.t.Errorf("Rerank after p0006 = %+v, %v, want 3 changed", sum, err)
			}
		}},
		{"KeepsWhatARootHolds", func(w *winners) {
			w.fill(1)
			before := w.entry("player/p0000")
			if _, err := w.a.Rerank(w.ctx, "player", want, nil); err != nil {
				w.t.Fatal(err)
			}
			v, err := w.a.Peek(w.ctx, session.Key{Kind: "player", ID: "p0000"})
			if err != nil || v.Revision != 1 || string(v.Document.AppendJSON(nil)) != `{"coins":0}` || v.Version == before.Version {
				w.t.Errorf("Peek = %+v, %v, want the same data at a new version", v, err)
			}
		}},
		{"LeavesAloneWhoIsHeld", func(w *winners) {
			w.fill(2)
			plain := w.open(w.b, session.Key{Kind: "player", ID: "p0000"})
			same := w.ranked(w.b, session.Key{Kind: "player", ID: "p0001"}, byWins)
			sum, err := w.a.Rerank(w.ctx, "player", want, nil)
			if err != nil || sum != (session.Reranked{Roots: 2, Held: 1, Last: "p0001"}) {
				w.t.Errorf("Rerank = %+v, %v, want one held", sum, err)
			}
			w.set(plain, "coins", "9")
			w.close(plain)
			w.close(same)
			if sum, err = w.a.Rerank(w.ctx, "player", want, nil); err != nil || sum.Changed != 1 {
				w.t.Errorf("Rerank later = %+v, %v, want one changed", sum, err)
			}
			w.stands(byWins, "1 p0000 9", "2 p0001 1")
		}},
		{"TakesRowsAway", func(w *winners) {
			w.close(w.ranked(w.a, alice, byWins, byTimes))
			s := w.ranked(w.a, bob, byWins, byTimes)
			w.set(s, "coins", "5")
			w.set(s, "lap", "70")
			w.close(s)
			sum, err := w.a.Rerank(w.ctx, "player", func(now []session.Ranked) []session.Ranked {
				return slices.DeleteFunc(now, func(r session.Ranked) bool { return r.Ranking == "wins" })
			}, nil)
			if err != nil || sum.Changed != 2 {
				w.t.Errorf("Rerank = %+v, %v, want two changed", sum, err)
			}
			w.stands(byWins)
			w.stands(byTimes, "1 bob 70")
		}},
		{"GoesOnPastWhatCannotBeRead", func(w *winners) {
			w.fill(3)
			if err := w.world.db.Damage("player/p0001"); err != nil {
				w.t.Fatal(err)
			}
			w.db.blind.Store(true) // what is damaged is no root to compare with
			sum, err := w.a.Rerank(w.ctx, "player", want, nil)
			if err != nil || sum != (session.Reranked{Roots: 3, Changed: 2, Failed: 1, Last: "p0002"}) {
				w.t.Errorf("Rerank = %+v, %v, want two changed and one failed", sum, err)
			}
		}},
		{"EndsWithItsContext", func(w *winners) {
			w.fill(3)
			w.a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, "player/"))
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			if _, err := w.a.Rerank(ctx, "player", want, nil); !errors.Is(err, context.DeadlineExceeded) {
				w.t.Errorf("Rerank = %v, want the deadline", err)
			}
			w.a.f.Use()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				k := &rowKeeper{DB: w.db, t: t}
				c.run(&winners{world: w, db: k, a: w.serverOn("a", k, nil), b: w.serverOn("b", k, nil)})
			})
		})
	}
}

// fill keeps players p0000 and so on, whose number is in their coins.
func (w *winners) fill(n int) {
	w.t.Helper()
	for i := range n {
		s := w.open(w.a, session.Key{Kind: "player", ID: fmt.Sprintf("p%04d", i)})
		w.set(s, "coins", fmt.Sprint(i))
		w.close(s)
	}
}
