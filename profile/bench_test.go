package profile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// bare is what a game would write without a library.
type bare struct {
	mu sync.RWMutex
	m  map[string]int64
}

func newBare() *bare {
	b := &bare{m: make(map[string]int64)}
	for i := range 20 {
		b.m[fmt.Sprintf("field%d", i)] = int64(i)
	}
	b.m["coins"] = 500
	return b
}

func (b *bare) get(name string) int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.m[name]
}

func (b *bare) add(name string, n int64) {
	b.mu.RLock()
	have := b.m[name]
	b.mu.RUnlock()
	b.mu.Lock()
	b.m[name] = have + n
	b.mu.Unlock()
}

var sizes = []struct {
	name  string
	items int
}{{"2KB", 20}, {"200KB", 2000}}

// newBench returns a loaded profile with a bag of so many items of 100 bytes.
func newBench(b *testing.B, items int) *profile.Profile {
	b.Helper()
	return newBenchOn(b, mem.Open(), items)
}

func newBenchOn(b *testing.B, drv driver.DB, items int) *profile.Profile {
	b.Helper()
	db, err := store.New(drv, nil)
	if err != nil {
		b.Fatal(err)
	}
	o := &profile.Options{}
	o.Session.Retention = &driver.Retention{Every: -1} // old versions are not what is measured
	srv, err := profile.Open(context.Background(), db, player, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
	})
	p, err := srv.Open(context.Background(), "bench", nil)
	if err != nil {
		b.Fatal(err)
	}
	fill(b, p, items)
	return p
}

func fill(b *testing.B, p *profile.Profile, items int) {
	b.Helper()
	err := p.Update(func(tx *profile.Tx) error {
		for i := range items {
			_ = bag.Put(tx, fmt.Sprintf("item%d", i), Item{Name: strings.Repeat("x", 70), Level: i})
		}
		return coins.Set(tx, 1000)
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			p := newBench(b, size.items)
			b.ReportAllocs()
			for b.Loop() {
				coins.Get(p)
			}
		})
	}
}

func BenchmarkReadBare(b *testing.B) {
	m := newBare()
	b.ReportAllocs()
	for b.Loop() {
		m.get("coins")
	}
}

func BenchmarkReadKinds(b *testing.B) {
	p := newBench(b, 20)
	for name, read := range map[string]func(){
		"Float":    func() { luck.Get(p) },
		"String":   func() { nick.Get(p) },
		"Value":    func() { settings.Get(p) },
		"Element":  func() { bag.Get(p, "item7") },
		"Has":      func() { friends.Has(p, "bob") },
		"Counters": func() { kills.Get(p, "bears") },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read()
			}
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			p := newBench(b, size.items)
			events := 0
			defer p.OnChange(func(profile.Change) { events++ })()
			b.ReportAllocs()
			n := int64(1)
			for b.Loop() {
				_ = p.Update(func(tx *profile.Tx) error { return coins.Add(tx, n) })
				n = -n
			}
		})
	}
}

// BenchmarkUpdateOfMany updates players at random, of whom there are so many that what
// an update touches is in no cache.
func BenchmarkUpdateOfMany(b *testing.B) {
	first := newBench(b, 20)
	ps := make([]*profile.Profile, 50_000)
	for i := range ps {
		p, err := first.Server().Open(context.Background(), fmt.Sprint(i), nil)
		if err != nil {
			b.Fatal(err)
		}
		fill(b, p, 20)
		ps[i] = p
	}
	b.ReportAllocs()
	for b.Loop() {
		p := ps[rand.IntN(len(ps))]
		if err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateBare(b *testing.B) {
	m := newBare()
	b.ReportAllocs()
	n := int64(1)
	for b.Loop() {
		m.add("coins", n)
		n = -n
	}
}

func BenchmarkUpdateElement(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			p := newBench(b, size.items)
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Update(func(tx *profile.Tx) error {
					return bag.Edit(tx, "item7", func(i *Item) error { i.Level++; return nil })
				})
			}
		})
	}
}

// BenchmarkLoad measures a load and the closing of what was not changed.
func BenchmarkLoad(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			p := newBench(b, size.items)
			ctx := context.Background()
			b.SetBytes(int64(len(dump(p))))
			for b.Loop() {
				if err := p.Close(ctx); err != nil {
					b.Fatal(err)
				}
				var err error
				if p, err = p.Server().Open(ctx, p.ID(), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMemory reports what loaded profiles of 2 KB weigh, session and
// document included, beside their JSON.
func BenchmarkMemory(b *testing.B) {
	const n = 5000
	ctx := context.Background()
	for b.Loop() {
		first := newBench(b, 20)
		srv := first.Server()
		var ps []*profile.Profile
		size := len(dump(first)) * n
		open := func() {
			for i := range n {
				p, err := srv.Open(ctx, fmt.Sprint(i), nil)
				if err != nil {
					b.Fatal(err)
				}
				ps = append(ps, p)
			}
		}
		closeAll := func() {
			for _, p := range ps {
				if err := p.Close(ctx); err != nil {
					b.Fatal(err)
				}
			}
			ps = nil
		}
		open()
		for _, p := range ps {
			fill(b, p, 20)
		}
		closeAll()
		open()
		loaded := heap()
		closeAll()
		b.ReportMetric(float64(loaded-heap())/float64(size), "x-JSON")
	}
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkLoadAndClose opens and closes a player of 2 KB in a SQLite file. With no
// mail a load has one List more than it would have without messages, which NoLook
// answers without asking the database.
func BenchmarkLoadAndClose(b *testing.B) {
	b.Run("NoLook", func(b *testing.B) { benchLoad(b, 0, func(db driver.DB) driver.DB { return noMail{db} }) })
	for _, mail := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("%dMessages", mail), func(b *testing.B) { benchLoad(b, mail, func(db driver.DB) driver.DB { return db }) })
	}
}

// noMail is a database that knows of no messages.
type noMail struct{ driver.DB }

func (n noMail) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	if strings.HasPrefix(q.Prefix, "player/bench/") {
		return driver.Snapshot{}, nil
	}
	return n.DB.List(ctx, q)
}

func benchLoad(b *testing.B, mail int, wrap func(driver.DB) driver.DB) {
	ctx := context.Background()
	file, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "players.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	p := newBenchOn(b, wrap(file), 20)
	srv := p.Server()
	if err := srv.Handle("nothing", func(*profile.Tx, *profile.Message) (json.RawMessage, error) { return nil, nil }); err != nil {
		b.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for range mail {
			if _, err := srv.Send(ctx, "bench", profile.Message{Topic: "nothing"}, nil); err != nil {
				b.Fatal(err)
			}
		}
		p, err := srv.Open(ctx, "bench", nil)
		if err == nil {
			err = p.Close(ctx)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
