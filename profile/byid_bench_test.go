package profile_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// benchTrio returns three servers with a bus in common, of which the second has a
// profile of 2 KB.
func benchTrio(b *testing.B) (servers [3]*profile.Server, p *profile.Profile) {
	b.Helper()
	ctx, shared, hub := context.Background(), mem.Open(), bus.NewLocal()
	for i := range servers {
		db, err := store.New(open{shared}, nil)
		if err != nil {
			b.Fatal(err)
		}
		line, err := hub.Open(nil)
		if err != nil {
			b.Fatal(err)
		}
		o := &profile.Options{}
		o.Session.Bus, o.Session.Retention = line, &driver.Retention{Every: -1}
		if servers[i], err = profile.Open(ctx, db, player, o); err != nil {
			b.Fatal(err)
		}
		srv := servers[i]
		b.Cleanup(func() {
			_, _ = srv.Close(ctx)
			_ = db.Close(ctx)
			_ = line.Close()
		})
	}
	p, err := servers[1].Open(ctx, "bench", nil)
	if err != nil {
		b.Fatal(err)
	}
	fill(b, p, 20)
	return servers, p
}

// BenchmarkChange is a change by id, of who is open on the server itself and of who
// is open on another.
func BenchmarkChange(b *testing.B) {
	for name, who := range map[string]int{"Here": 1, "Elsewhere": 0} {
		b.Run(name, func(b *testing.B) {
			servers, _ := benchTrio(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := servers[who].Change(context.Background(), "bench", []profile.Op{kills.AddOp("bears", 1)}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFollow is a change by id on one server, of who is open on a second, until
// a follower on a third is told.
func BenchmarkFollow(b *testing.B) {
	servers, _ := benchTrio(b)
	told := make(chan time.Time, 1)
	f, err := servers[2].Follow(context.Background(), "bench", func(now profile.Followed) {
		if now.Changes != nil {
			told <- time.Now()
		}
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := servers[0].Change(context.Background(), "bench", []profile.Op{kills.AddOp("bears", 1)}, nil); err != nil {
			b.Fatal(err)
		}
		took = append(took, (<-told).Sub(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkUpdateFollowed is BenchmarkUpdate of what another server follows.
func BenchmarkUpdateFollowed(b *testing.B) {
	servers, p := benchTrio(b)
	f, err := servers[2].Follow(context.Background(), "bench", func(profile.Followed) {}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.ReportAllocs()
	n := int64(1)
	for b.Loop() {
		_ = p.Update(func(tx *profile.Tx) error { return coins.Add(tx, n) })
		n = -n
	}
}
