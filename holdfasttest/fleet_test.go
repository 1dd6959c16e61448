package holdfasttest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/holdfasttest"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"go.uber.org/goleak"
)

var (
	coins  = profile.Int("coins", 500, profile.Min(0))
	tags   = profile.List[string]("tags")
	player = profile.NewSchema("player", coins, tags)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func award(n int64) func(*profile.Tx) error {
	return func(tx *profile.Tx) error { return coins.Add(tx, n) }
}

func want(t *testing.T, p *profile.Profile, n int64) {
	t.Helper()
	if got := coins.Get(p); got != n {
		t.Errorf("%v has %d coins, want %d", p.Key(), got, n)
	}
}

func TestAPlayerHopsBetweenServers(t *testing.T) {
	holdfasttest.Run(t, func(t *testing.T, f *holdfasttest.Fleet) {
		a, b := f.Server("a", player, nil), f.Server("b", player, nil)
		p := holdfasttest.MustOpen(t, a, "42")
		holdfasttest.MustUpdate(t, p, award(5))
		want(t, holdfasttest.MustOpen(t, b, "42"), 505)
	})
}

func TestGamesTalkOverTheFleetsBus(t *testing.T) {
	holdfasttest.Run(t, func(t *testing.T, f *holdfasttest.Fleet) {
		a, b := f.Server("a", player, nil), f.Server("b", player, nil)
		got := make(chan string, 9)
		if _, err := f.Bus(b).Subscribe("chat", func(m bus.Message) { got <- string(m.Data) }); err != nil {
			t.Fatalf("Subscribe: %v", err)
		}
		if err := f.Bus(a).Publish(t.Context(), "chat", []byte("hello")); err != nil {
			t.Errorf("Publish: %v", err)
		}
		if text := <-got; text != "hello" {
			t.Errorf("b got %q, want hello", text)
		}
		f.Crash(a)
		if err := f.Bus(a).Publish(t.Context(), "chat", nil); !errors.Is(err, bus.ErrClosed) {
			t.Errorf("Publish of a crashed server: %v, want ErrClosed", err)
		}
	})
}

func TestACrashLosesWhatWasNotAppended(t *testing.T) {
	holdfasttest.Run(t, func(t *testing.T, f *holdfasttest.Fleet) {
		a, b := f.Server("a", player, nil), f.Server("b", player, nil)
		p := holdfasttest.MustOpen(t, a, "42")
		holdfasttest.MustUpdate(t, p, award(5))
		f.Advance(time.Second)
		holdfasttest.MustUpdate(t, p, award(1))
		f.Crash(a)
		want(t, holdfasttest.MustOpen(t, b, "42"), 505)
	})
}

func TestACutServerIsSuspendedAndGoesOn(t *testing.T) {
	holdfasttest.Run(t, func(t *testing.T, f *holdfasttest.Fleet) {
		a := f.Server("a", player, nil)
		p := holdfasttest.MustOpen(t, a, "42")
		f.Cut(a)
		f.Advance(time.Minute)
		if err := p.Update(award(1)); !errors.Is(err, session.ErrSuspended) {
			t.Errorf("Update on a server that is cut off = %v, want ErrSuspended", err)
		}
		f.Join(a)
		f.Advance(time.Minute)
		holdfasttest.MustUpdate(t, p, award(1))
		holdfasttest.MustSave(t, p)
		want(t, p, 501)
		holdfasttest.MustClose(t, p)
		f.Stop(a)
	})
}

func TestAValueChangedInPlaceIsFound(t *testing.T) {
	srv := holdfasttest.NewServer(t, player, nil)
	p := holdfasttest.MustOpen(t, srv, "42")
	holdfasttest.MustUpdate(t, p, func(tx *profile.Tx) error { return tags.Set(tx, []string{"new"}) })
	if err := profile.VerifyUnchanged(p); err != nil {
		t.Fatalf("VerifyUnchanged before: %v", err)
	}
	shared := tags.Get(p)
	shared[0] = "changed in place"
	if err := profile.VerifyUnchanged(p); !errors.Is(err, profile.ErrChanged) {
		t.Errorf("VerifyUnchanged = %v, want ErrChanged", err)
	}
	shared[0] = "new" // else the kit fails this test, as it should
}

// A game's own test: what a player has survives the crash of a server.
func ExampleRun() {
	testOfAGame := func(t *testing.T) {
		holdfasttest.Run(t, func(t *testing.T, f *holdfasttest.Fleet) {
			a, b := f.Server("a", player, nil), f.Server("b", player, nil)
			p := holdfasttest.MustOpen(t, a, "42")
			if err := p.Update(award(5), profile.Durable(context.Background())); err != nil {
				t.Fatal(err)
			}
			f.Crash(a)
			if got := coins.Get(holdfasttest.MustOpen(t, b, "42")); got != 505 {
				t.Errorf("coins = %d, want 505", got)
			}
		})
	}
	_ = testOfAGame
}
