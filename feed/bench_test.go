package feed_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
)

// engines are what the benchmarks run on.
var engines = map[string]func(b *testing.B) driver.DB{
	"mem": func(*testing.B) driver.DB { return mem.Open() },
	"sqlite": func(b *testing.B) driver.DB {
		db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "players.db"), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		return db
	},
}

// change changes a small field of each session.
func (w *world) change(ss []*session.Session, i int) {
	for _, s := range ss {
		tx, err := s.Begin()
		if err != nil {
			w.Fatal(err)
		}
		if err := tx.Set(document.Field("coins"), fmt.Append(nil, i), false); err != nil {
			w.Fatal(err)
		}
		if err := session.Commit(false, tx); err != nil {
			w.Fatal(err)
		}
	}
	if err := ss[0].Sync(w.ctx); err != nil {
		w.Fatal(err)
	}
}

func (w *world) players(srv host, n int) []*session.Session {
	var ss []*session.Session
	for i := range n {
		ss = append(ss, w.open(srv, session.Key{Kind: "player", ID: fmt.Sprint(i)}))
	}
	return ss
}

// BenchmarkAppend is one append with a change of each of 100 players.
func BenchmarkAppend(b *testing.B) {
	for name, engine := range engines {
		for kept, d := range map[string]time.Duration{"WithoutFeed": without, "WithFeed": time.Hour} {
			b.Run(name+"/"+kept, func(b *testing.B) {
				w := newWorld(b, engine(b))
				ss := w.players(w.server("a", session.Options{Feed: d}), 100)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					w.change(ss, i)
				}
			})
		}
	}
}

// BenchmarkFollow is one change of a backlog of appends with 100 each.
func BenchmarkFollow(b *testing.B) {
	for name, engine := range engines {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, engine(b))
			ss := w.players(w.server("a", session.Options{}), 100)
			for i := range 500 {
				w.change(ss, i)
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range feed.Follow(w.ctx, w.db, feed.Position{}, &feed.Options{Drain: true}) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
