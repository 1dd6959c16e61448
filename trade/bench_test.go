package trade_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
	"github.com/holdfast-games/holdfast/trade"
)

// benchServer starts a server on a database, with a bus if there is a hub.
func benchServer(b *testing.B, drv driver.DB, hub *bus.Local) *profile.Server {
	b.Helper()
	st, err := store.New(open{drv}, nil)
	if err != nil {
		b.Fatal(err)
	}
	// With a history of a thousand marked versions for each, it would be the database
	// that is measured.
	o := &profile.Options{Session: session.Options{Retention: &driver.Retention{Max: 2}}}
	if hub != nil {
		line, err := hub.Open(nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = line.Close() })
		o.Session.Bus = line
	}
	srv, err := profile.Open(b.Context(), st, player, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_, _ = srv.Close(context.Background())
		_ = st.Close(context.Background())
	})
	return srv
}

func benchOpen(b *testing.B, srv *profile.Server, ids ...string) []*profile.Profile {
	b.Helper()
	ps := make([]*profile.Profile, len(ids))
	for i, id := range ids {
		p, err := srv.Open(b.Context(), id, nil)
		if err != nil {
			b.Fatal(err)
		}
		ps[i] = p
	}
	return ps
}

// flip moves a coin to and fro.
func flip(txs []*profile.Tx) error {
	n := int64(1)
	if coins.Get(txs[0]) > coins.Get(txs[1]) {
		n = -1
	}
	if err := coins.Add(txs[0], n); err != nil {
		return err
	}
	return coins.Add(txs[1], -n)
}

// benchPairs is how many pairs trade at once.
const benchPairs = 128

// BenchmarkTradeHere compares durable trades of two players who are loaded with
// saves of one, as many at a time.
func BenchmarkTradeHere(b *testing.B) {
	file := func(b *testing.B) driver.DB {
		drv, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = drv.Close() })
		return drv
	}
	for name, db := range map[string]func(b *testing.B) driver.DB{
		"Mem": func(*testing.B) driver.DB { return mem.Open() }, "SQLite": file,
	} {
		b.Run(name+"Trade", func(b *testing.B) {
			srv := benchServer(b, db(b), nil)
			parallel(b, srv, func(ids []string, _ []*profile.Profile) error {
				return trade.Do(context.Background(), srv, ids, flip, nil)
			})
		})
		b.Run(name+"Save", func(b *testing.B) {
			srv := benchServer(b, db(b), nil)
			parallel(b, srv, func(_ []string, ps []*profile.Profile) error {
				if err := ps[0].Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }); err != nil {
					return err
				}
				return ps[0].Save(context.Background())
			})
		})
	}
}

// parallel runs fn for many pairs of players at once.
func parallel(b *testing.B, srv *profile.Server, fn func(ids []string, ps []*profile.Profile) error) {
	ids := make([][]string, benchPairs)
	ps := make([][]*profile.Profile, benchPairs)
	for i := range ids {
		ids[i] = []string{fmt.Sprint("a", i), fmt.Sprint("b", i)}
		ps[i] = benchOpen(b, srv, ids[i]...)
	}
	var next atomic.Int64
	b.SetParallelism(benchPairs / 2)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(1)-1) % benchPairs
		for pb.Next() {
			if err := fn(ids[i], ps[i]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkTradeAcross is one trade after another between players of two servers.
func BenchmarkTradeAcross(b *testing.B) {
	db, hub := mem.Open(), bus.NewLocal()
	here, there := benchServer(b, db, hub), benchServer(b, db, hub)
	benchOpen(b, here, "x")
	benchOpen(b, there, "y")
	b.ReportAllocs()
	for b.Loop() {
		if err := trade.Do(b.Context(), here, []string{"x", "y"}, flip, nil); err != nil {
			b.Fatal(err)
		}
	}
}
