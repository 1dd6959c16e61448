package bench

import (
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
	"github.com/holdfast-games/holdfast/trade"
)

// TestGive looks whether a trade changes both players, and makes no coins.
func TestGive(t *testing.T) {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	srv, err := profile.Open(t.Context(), db, schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{ctx: t.Context()}
	defer func() {
		if err := r.closeServer(srv); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	if err := seed(t.Context(), srv.Session(), 0, 2, smallBag); err != nil {
		t.Fatal(err)
	}
	poor, err := srv.Open(t.Context(), playerID(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	rich, err := srv.Open(t.Context(), playerID(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]int64{{501, 500}, {500, 501}} {
		if err := trade.Do(t.Context(), srv, []string{playerID(0), playerID(1)}, give, nil); err != nil {
			t.Fatal(err)
		}
		if got := [2]int64{coins.Get(poor), coins.Get(rich)}; got != want {
			t.Errorf("after trade %d of 500 and 501 coins they have %v, want %v", i+1, got, want)
		}
	}
}

func TestTradeFigures(t *testing.T) {
	for ratio, missed := range map[float64]bool{0.25: false, 0.24: true} {
		if got := hereFigure(pair{1000 * ratio, 1000, ratio}); got.Missed() != missed {
			t.Errorf("hereFigure of %v times the saves = %+v, want missed %v", ratio, got, missed)
		}
	}
	commits := []time.Duration{time.Millisecond}
	for took, missed := range map[time.Duration]bool{30 * time.Millisecond: false, 31 * time.Millisecond: true} {
		if got := acrossFigure([]time.Duration{time.Millisecond, took}, commits, "a bus"); got.Missed() != missed {
			t.Errorf("acrossFigure of %v = %+v, want missed %v", took, got, missed)
		}
	}
}
