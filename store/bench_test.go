package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// benchDrivers are the databases that are measured.
var benchDrivers = []struct {
	name string
	open func(b *testing.B) driver.DB
}{
	{"mem", func(*testing.B) driver.DB { return mem.Open() }},
	{"sqlite", func(b *testing.B) driver.DB {
		db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), nil)
		if err != nil {
			b.Fatalf("Open: %v", err)
		}
		return db
	}},
}

const (
	benchKeys  = 4096
	benchBytes = 2000 // in a value
)

func benchBatch(b *testing.B, i int, newID func() (driver.Version, error), value []byte) driver.Batch {
	id, err := newID()
	if err != nil {
		b.Fatalf("NewVersion: %v", err)
	}
	return driver.Batch{ID: id, Writes: []driver.Write{{Key: fmt.Sprint("player/", i%benchKeys), Mode: driver.Always, Value: value}}}
}

// BenchmarkCommit compares saves through the DB with what the driver does by
// itself with groups that are as large as it likes.
func BenchmarkCommit(b *testing.B) {
	value := make([]byte, benchBytes)
	for _, d := range benchDrivers {
		b.Run(d.name+"/bare", func(b *testing.B) {
			drv := d.open(b)
			defer drv.Close()
			db, err := store.New(mem.Open(), nil) // for ids
			if err != nil {
				b.Fatalf("New: %v", err)
			}
			b.ReportAllocs()
			for i := 0; i < b.N; {
				var g driver.Group
				for ; i < b.N && len(g.Batches) < drv.Info().Group; i++ {
					g.Batches = append(g.Batches, benchBatch(b, i, db.NewVersion, value))
				}
				if _, err := drv.Commit(b.Context(), g); err != nil {
					b.Fatalf("Commit: %v", err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
		b.Run(d.name+"/Go", func(b *testing.B) {
			db, groups := benchDB(b, d.open(b))
			room := make(chan struct{}, 1024)
			b.ReportAllocs()
			for i := range b.N {
				room <- struct{}{}
				db.Go(store.Attempt{Batch: benchBatch(b, i, db.NewVersion, value), Lane: store.Background, Done: func(_ driver.Moment, err error) {
					if err != nil {
						b.Errorf("Done: %v", err)
					}
					<-room
				}})
			}
			benchEnd(b, db, groups)
		})
		b.Run(d.name+"/Commit", func(b *testing.B) {
			db, groups := benchDB(b, d.open(b))
			var wg sync.WaitGroup
			b.ReportAllocs()
			for client := range 256 {
				wg.Go(func() {
					for i := client; i < b.N; i += 256 {
						if _, err := db.Commit(b.Context(), store.Attempt{Batch: benchBatch(b, i, db.NewVersion, value), Lane: store.Waited}); err != nil {
							b.Errorf("Commit: %v", err)
						}
					}
				})
			}
			wg.Wait()
			benchEnd(b, db, groups)
		})
	}
}

// counter counts calls of Commit.
type counter struct {
	driver.DB
	mu    sync.Mutex
	calls int
}

// Commit implements driver.DB.
func (c *counter) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	c.mu.Lock()
	c.calls++
	c.mu.Unlock()
	return c.DB.Commit(ctx, g)
}

func benchDB(b *testing.B, drv driver.DB) (*store.DB, *counter) {
	c := &counter{DB: drv}
	db, err := store.New(c, nil)
	if err != nil {
		b.Fatalf("New: %v", err)
	}
	return db, c
}

// benchEnd waits for all attempts and reports the rate and the groups.
func benchEnd(b *testing.B, db *store.DB, c *counter) {
	if err := db.Close(context.Background()); err != nil {
		b.Fatalf("Close: %v", err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(b.N)/float64(c.calls), "batches/group")
}

// BenchmarkStoreUpdate measures a request of a Store, read and commit, alone
// and from many clients.
func BenchmarkStoreUpdate(b *testing.B) {
	for _, clients := range []int{1, 256} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			db, groups := benchDB(b, mem.Open())
			s, err := db.Store("players")
			if err != nil {
				b.Fatalf("Store: %v", err)
			}
			var wg sync.WaitGroup
			b.ReportAllocs()
			for client := range clients {
				wg.Go(func() {
					for i := client; i < b.N; i += clients {
						if _, err := s.Add(b.Context(), fmt.Sprint(i%benchKeys), 1); err != nil {
							b.Errorf("Add: %v", err)
						}
					}
				})
			}
			wg.Wait()
			benchEnd(b, db, groups)
		})
	}
}
