package sqlite

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

// saver makes conditional saves of random players, as both sides of the
// benchmark do.
type saver struct {
	keys     []string
	versions []driver.Version
	value    []byte
	next     uint64
	order    []int
}

func newSaver(players, size int) *saver {
	s := &saver{value: make([]byte, size), versions: make([]driver.Version, players)}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range s.value {
		s.value[i] = byte(r.Uint32())
	}
	for i := range players {
		s.keys = append(s.keys, fmt.Sprintf("player/%08d", i*7919%players))
	}
	s.order = r.Perm(players)
	return s
}

// id returns a new version id.
func (s *saver) id() driver.Version {
	s.next++
	v := driver.Version{1}
	binary.BigEndian.PutUint64(v[8:], s.next)
	return v
}

// group returns n saves of players that are not in it twice.
func (s *saver) group(n int, retain *driver.Retention) driver.Group {
	g := driver.Group{Batches: make([]driver.Batch, n)}
	for i := range g.Batches {
		p := s.order[(int(s.next)+i)%len(s.order)]
		g.Batches[i] = driver.Batch{Writes: []driver.Write{{
			Key: s.keys[p], Version: s.versions[p], Value: s.value, Retain: retain,
		}}}
	}
	for i := range g.Batches {
		p := s.order[int(s.next)%len(s.order)]
		g.Batches[i].ID = s.id()
		s.versions[p] = g.Batches[i].ID
	}
	return g
}

// BenchmarkSave compares Commit with a bare program that runs the same
// statements on the same connection: nothing but BEGIN, one UPDATE for each
// save, COMMIT.
func BenchmarkSave(b *testing.B) {
	hourly := &driver.Retention{Every: time.Hour, For: 30 * 24 * time.Hour, Max: 1000}
	for _, size := range []int{2_000, 20_000} {
		for _, n := range []int{1, 256} {
			name := fmt.Sprintf("%dKB/group=%d", size/1000, n)
			b.Run(name+"/bare", func(b *testing.B) { benchmarkBare(b, size, n) })
			b.Run(name+"/commit", func(b *testing.B) { benchmarkCommit(b, size, n, nil) })
			b.Run(name+"/hourly", func(b *testing.B) { benchmarkCommit(b, size, n, hourly) })
			b.Run(name+"/every", func(b *testing.B) { benchmarkCommit(b, size, n, &driver.Retention{Max: 3}) })
		}
	}
}

// players is how many of them a document size is measured with, 40 MB of them.
func players(size int) int { return 40_000_000 / size }

func benchmarkCommit(b *testing.B, size, n int, retain *driver.Retention) {
	db, s := benchmarkDB(b, size)
	for b.Loop() {
		out, err := db.Commit(context.Background(), s.group(n, retain))
		if err != nil {
			b.Fatal(err)
		}
		for i := range out {
			if out[i].Refused != nil {
				b.Fatalf("save %d refused: %v", i, out[i].Refused)
			}
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "saves/s")
}

func benchmarkBare(b *testing.B, size, n int) {
	db, s := benchmarkDB(b, size)
	c := db.writer.conn
	exec := func(query string, args ...any) {
		if _, err := c.exec(query, args...); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		g := s.group(n, nil)
		exec("BEGIN IMMEDIATE")
		for i := range g.Batches {
			id, w := g.Batches[i].ID, &g.Batches[i].Writes[0]
			changed, err := c.exec(replaceExpected, id[:], int64(lineage.Size), int64(1), int64(4000000000), int64(1)<<50, int64(1), int64(1)<<45,
				int64(0), w.Value, w.Key, w.Version[:], int64(0), int64(1)<<62, int64(1), int64(1)<<62, int64(0))
			if err != nil || changed != 1 {
				b.Fatalf("%d changed, %v", changed, err)
			}
		}
		exec("COMMIT")
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "saves/s")
}

// benchmarkDB returns a database in which every player was saved once.
func benchmarkDB(b *testing.B, size int) (*DB, *saver) {
	db, err := Open(context.Background(), filepath.Join(b.TempDir(), "players.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	s := newSaver(players(size), size)
	for i := 0; i < len(s.keys); i += 250 {
		if _, err := db.Commit(context.Background(), s.group(250, nil)); err != nil {
			b.Fatal(err)
		}
	}
	return db, s
}

// BenchmarkList lists where there is nothing, as a server does that looks for
// requests and for mail, and where there is a page.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{0, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, s := benchmarkDB(b, 2_000)
			for b.Loop() {
				q := driver.Query{Prefix: s.keys[0] + "/nothing", Limit: 100, KeysOnly: true}
				if n > 0 {
					q.Prefix = ""
				}
				page, err := db.List(context.Background(), q)
				if err != nil || len(page.Entries) != n {
					b.Fatalf("List = %d entries, %v, want %d", len(page.Entries), err, n)
				}
			}
		})
	}
}

// BenchmarkRead reads one player at a time, and 256 at once.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, s := benchmarkDB(b, 2_000)
			b.ResetTimer() // the players were saved first
			b.RunParallel(func(pb *testing.PB) {
				r := rand.New(rand.NewPCG(rand.Uint64(), 1))
				for pb.Next() {
					i := r.IntN(len(s.keys) - n)
					if _, err := db.Read(context.Background(), s.keys[i:i+n]...); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "reads/s")
		})
	}
}
