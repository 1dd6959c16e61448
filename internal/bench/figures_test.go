package bench

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// TestKilled counts what a crash has cost.
func TestKilled(t *testing.T) {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	srv, err := session.Open(t.Context(), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close(context.WithoutCancel(t.Context()))
	s, err := srv.Open(t.Context(), playerKey(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := setCoins(s, 7, false); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1000, 0)
	var said []answer
	for n := range int64(10) {
		said = append(said, answer{Coins: n + 1, At: at.Add(time.Duration(n-10) * time.Millisecond).UnixNano(), Slowest: time.Duration(n)})
	}
	var got killed
	if err := got.count(s, said, at); err != nil {
		t.Fatal(err)
	}
	if want := (killed{lost: 3 * time.Millisecond, changes: 3, slowest: 9}); got != want {
		t.Errorf("count of 10 changes of which 7 are there = %+v, want %+v", got, want)
	}
}

func TestTakeOverFigures(t *testing.T) {
	for _, c := range []struct {
		k            killed
		missed, lost bool
	}{
		{killed{opened: 2 * time.Second, lost: 50 * time.Millisecond}, false, false},
		{killed{opened: 3001 * time.Millisecond, lost: 55 * time.Millisecond, slowest: 5 * time.Millisecond}, true, false},
		{killed{opened: time.Second, lost: 56 * time.Millisecond, slowest: 5 * time.Millisecond}, false, true},
	} {
		got := takeOverFigures([]killed{{opened: time.Second}, c.k, {opened: time.Second}})
		if got[0].Missed() != c.missed || got[1].Missed() != c.lost {
			t.Errorf("takeOverFigures(%+v) = %+v, want missed %v and %v", c.k, got, c.missed, c.lost)
		}
	}
}

func TestDatabaseFigures(t *testing.T) {
	slow := []time.Duration{time.Millisecond, 60 * time.Millisecond}
	if got := databaseFigures(slow, true); !got[0].Missed() || got[1].Missed() {
		t.Errorf("databaseFigures(%v) of a database that is looked into = %+v, want p99 alone missed", slow, got)
	}
	if got := databaseFigures(slow, false); got[0].OK != nil || got[1].Missed() {
		t.Errorf("databaseFigures(%v) of one that is not = %+v, want no limit of p99", slow, got)
	}
	for looks, most := range map[bool]time.Duration{true: 1000 * time.Millisecond, false: 1250 * time.Millisecond} {
		if got := databaseFigures([]time.Duration{most}, looks); got[1].Missed() {
			t.Errorf("databaseFigures of %v with looks %v = %+v, want the longest within its limit", most, looks, got)
		}
		if got := databaseFigures([]time.Duration{most + time.Millisecond}, looks); !got[1].Missed() {
			t.Errorf("databaseFigures of more than %v with looks %v = %+v, want the longest missed", most, looks, got)
		}
	}
}

func TestMeter(t *testing.T) {
	m := &meter{DB: mem.Open()}
	defer m.Close()
	for i, g := range []driver.Group{
		{Urgent: true, Batches: make([]driver.Batch, 1)},
		{Batches: make([]driver.Batch, 3)},
		{Batches: make([]driver.Batch, 2)},
	} {
		for j := range g.Batches {
			id := bareVersion(i, j+1)
			g.Batches[j] = driver.Batch{ID: id, Writes: []driver.Write{{Key: id.String()}}}
		}
		if _, err := m.Commit(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.DeleteRange(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if u, c, b, o := m.urgent.Load(), m.commits.Load(), m.batches.Load(), m.other.Load(); u != 1 || c != 2 || b != 5 || o != 1 {
		t.Errorf("meter = %d urgent, %d commits, %d batches, %d others, want 1, 2, 5, 1", u, c, b, o)
	}
	if m.slowest.Load() <= 0 || m.flying.Load() < m.slowest.Load() || m.carried.Load() != 1 {
		t.Errorf("the urgent commits carried %d batches in %d ns, the slowest in %d, want 1 in some time", m.carried.Load(), m.flying.Load(), m.slowest.Load())
	}
}
