package trade_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/internal/market"
	"github.com/holdfast-games/holdfast/internal/raced"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// fleet is three servers of traders on one file, in real time, of which one after
// another crashes and is replaced.
type fleet struct {
	*testing.T
	path    string
	hub     *bus.Local
	m       *market.Market
	traders int
	want    int64 // trades

	mu    sync.RWMutex
	hosts [3]*host
	stop  []func()
	made  atomic.Int64
}

func (f *fleet) server(name string) (*host, func()) {
	f.Helper()
	drv, err := sqlite.Open(f.Context(), f.path, nil)
	if err != nil {
		f.Fatalf("sqlite.Open: %v", err)
	}
	b, err := f.hub.Open(nil)
	if err != nil {
		f.Fatalf("open a bus: %v", err)
	}
	h := &host{f: faulty.New(drv), line: &line{Bus: b}}
	db, err := store.New(h.f, nil)
	if err != nil {
		f.Fatalf("store.New: %v", err)
	}
	o := &profile.Options{Session: session.Options{Name: name, Bus: h.line, Lease: 4 * time.Second}}
	if h.Server, err = profile.Open(f.Context(), db, market.Trader, o); err != nil {
		f.Fatalf("profile.Open: %v", err)
	}
	return h, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if h.dead {
			cancel()
		}
		defer cancel()
		_, _ = h.Close(ctx)
		_ = db.Close(ctx)
		_ = b.Close()
	}
}

// spread opens some of the traders of a server: the others are offline, or come with
// a trade.
func (f *fleet) spread(i int) {
	h := f.host(i)
	var all sync.WaitGroup
	for hand := range 8 {
		all.Go(func() {
			for n := i + 3*hand; n < f.traders; n += 24 {
				if n%5 > 0 {
					ctx, cancel := context.WithTimeout(f.Context(), 10*time.Second)
					_, _ = h.Open(ctx, market.ID(n), nil)
					cancel()
				}
			}
		})
	}
	all.Wait()
}

func (f *fleet) host(i int) *host {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.hosts[i]
}

// replace crashes a server and starts another.
func (f *fleet) replace(i int) {
	h, stop := f.server(fmt.Sprintf("s%d again", i))
	f.mu.Lock()
	f.hosts[i].crash()
	f.hosts[i] = h
	f.stop = append(f.stop, stop)
	f.mu.Unlock()
	f.spread(i)
}

// trade makes trades until there have been enough. Who has made another quarter of
// them crashes a server.
func (f *fleet) trade(i int, dice *rand.Rand) {
	for {
		n := f.made.Add(1)
		if n > f.want {
			return
		}
		if n%50_000 == 0 {
			f.Logf("%d of %d trades", n, f.want)
		}
		if quarter := f.want / 4; n%quarter == 0 && n < f.want {
			f.replace(int(n/quarter) % 3)
		}
		f.m.Trade(f.Context(), f.host(i).Server, dice, nil)
	}
}

// TestTotalsAreConservedOnAFile makes the many trades without the race detector, for
// which a few of them are enough.
func TestTotalsAreConservedOnAFile(t *testing.T) {
	f := &fleet{T: t, path: filepath.Join(t.TempDir(), "traders.db"), hub: bus.NewLocal(), want: 2_000, traders: 200}
	switch thorough := os.Getenv("CI") != ""; {
	case soak:
		f.want, f.traders = 1_000_000, 1000
	case thorough && raced.On:
		t.Run("WithoutTheRaceDetector", func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), raced.Without(t), "-test.run", "^TestTotalsAreConservedOnAFile$", "-test.v", "-test.timeout", "15m")
			out, err := cmd.CombinedOutput()
			if t.Logf("%s", out); err != nil {
				t.Error(err)
			}
		})
		f.want, f.traders = 800, 80
	case thorough:
		f.want, f.traders = 20_000, 1000
	}
	f.m = market.New(f.traders, 1000)
	defer f.stopAll()
	for i := range f.hosts {
		h, stop := f.server(fmt.Sprint("s", i))
		f.hosts[i], f.stop = h, append(f.stop, stop)
	}
	if err := f.m.Stock(t.Context(), f.hosts[0].Server); err != nil {
		t.Fatalf("Stock: %v", err)
	}
	began := time.Now()
	var all sync.WaitGroup
	for i := range f.hosts {
		f.spread(i)
		for hand := range 12 {
			all.Go(func() { f.trade(i, rand.New(rand.NewPCG(uint64(i), uint64(hand)))) })
		}
	}
	all.Wait()
	done, unknown := f.m.Count()
	t.Logf("%d trades in %v, %d pairs of traders, of %d nobody knew", f.want, time.Since(began), done, unknown)
	f.check()
}

func (f *fleet) stopAll() {
	for _, stop := range f.stop {
		stop()
	}
	f.stop = nil
}

// check closes all servers, settles those that crashed, and counts.
func (f *fleet) check() {
	f.Helper()
	f.stopAll()
	h, stop := f.server("checker")
	defer stop()
	ctx, cancel := context.WithTimeout(f.Context(), 5*time.Minute)
	defer cancel()
	if err := f.m.Settle(ctx, h.Server); err != nil {
		f.Fatalf("Settle: %v", err)
	}
	if err := f.m.Check(ctx, h.Server); err != nil {
		f.Error(err)
	}
}
