package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

const benchGroup = 256

func newID() driver.Version {
	id, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand never returns one
	}
	return id
}

// document returns a value of about n bytes that packs as JSON does.
func document(n int, seed uint64) []byte {
	b := []byte(`{"format":1,"data":{"bag":{`)
	for i := uint64(0); len(b) < n-40; i++ {
		seed = seed*6364136223846793005 + 1442695040888963407
		b = fmt.Appendf(b, `"item_%x":{"count":%d,"level":%d},`, seed>>40, seed>>20&0xfff, i)
	}
	return append(b, `"last":0}}}`...)
}

// benchPlayers are the players that one writer saves, in turn.
type benchPlayers struct {
	keys     []string
	versions []driver.Version
	value    []byte
	next     int
}

func newPlayers(writer, n, size int) *benchPlayers {
	p := &benchPlayers{keys: make([]string, n), versions: make([]driver.Version, n), value: document(size, uint64(writer))}
	for i := range p.keys {
		var b [8]byte // scattered over the table, as players' ids are
		binary.BigEndian.PutUint64(b[:], uint64(i)*0x9e3779b97f4a7c15)
		p.keys[i] = fmt.Sprintf("player/%x-%d", b, writer)
	}
	return p
}

// group returns the next group of saves.
func (p *benchPlayers) group(retain *driver.Retention) driver.Group {
	g := driver.Group{Batches: make([]driver.Batch, benchGroup)}
	for i := range g.Batches {
		n := (p.next + i) % len(p.keys)
		id := newID()
		g.Batches[i] = driver.Batch{ID: id, Writes: []driver.Write{{Key: p.keys[n], Version: p.versions[n], Value: p.value, Retain: retain}}}
		p.versions[n] = id
	}
	p.next = (p.next + benchGroup) % len(p.keys)
	return g
}

func mustApply(b *testing.B, db driver.DB, g driver.Group) {
	outcomes, err := db.Commit(context.Background(), g)
	if err != nil {
		b.Error(err)
		return
	}
	for _, o := range outcomes {
		if len(o.Refused) > 0 {
			b.Errorf("refused: %v", o.Refused)
			return
		}
	}
}

// share runs b.N calls of f over several writers and reports rows per second.
func share(b *testing.B, writers, rows int, f func(writer int)) {
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < b.N; i += writers {
				f(w)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkSave measures conditional saves in groups of 256, beside the bare
// statement that sets a value where the version is right.
func BenchmarkSave(b *testing.B) {
	url := pgtest.URL(b)
	hourly := &driver.Retention{Every: time.Hour, For: 720 * time.Hour, Max: 1000}
	for _, size := range []int{2000, 3000, 20_000} {
		for _, writers := range []int{1, 4} {
			keys := writers * benchGroup * (40 / writers / max(1, size/5000))
			b.Run(fmt.Sprintf("%d/writers=%d/bare", size, writers), func(b *testing.B) { benchBare(b, url, writers, keys, size) })
			b.Run(fmt.Sprintf("%d/writers=%d/driver", size, writers), func(b *testing.B) { benchDriver(b, url, writers, keys, size, nil) })
			b.Run(fmt.Sprintf("%d/writers=%d/schedule", size, writers), func(b *testing.B) { benchDriver(b, url, writers, keys, size, hourly) })
		}
	}
}

var benchSchema int

func benchDriver(b *testing.B, url string, writers, keys, size int, retain *driver.Retention) {
	benchSchema++
	db, err := postgres.Open(context.Background(), url, &postgres.Options{Schema: fmt.Sprintf("bench_%d", benchSchema)})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	players := make([]*benchPlayers, writers)
	for w := range players {
		players[w] = newPlayers(w, keys/writers, size)
		for range keys / writers / benchGroup {
			mustApply(b, db, players[w].group(nil))
		}
	}
	share(b, writers, benchGroup, func(w int) { mustApply(b, db, players[w].group(retain)) })
}

// benchBare is what a program does that writes its own statement.
func benchBare(b *testing.B, url string, writers, keys, size int) {
	ctx := context.Background()
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	c.MaxConns = int32(writers)
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	benchSchema++
	table := fmt.Sprintf("bare_%d", benchSchema)
	_, err = pool.Exec(ctx, "CREATE TABLE "+table+" (key bytea PRIMARY KEY, version bytea NOT NULL, value bytea NOT NULL) WITH (toast_tuple_target = 8160)")
	if err == nil {
		_, err = pool.Exec(ctx, "ALTER TABLE "+table+" ALTER COLUMN value SET STORAGE EXTERNAL")
	}
	if err != nil {
		b.Fatal(err)
	}
	run := func(sql string, p *benchPlayers) {
		var keys, olds, ids, values [][]byte
		g := p.group(nil)
		for i := range g.Batches {
			w := &g.Batches[i].Writes[0]
			keys, olds, ids, values = append(keys, []byte(w.Key)), append(olds, w.Version[:]), append(ids, g.Batches[i].ID[:]), append(values, w.Value)
		}
		tag, err := pool.Exec(ctx, sql, keys, olds, ids, values)
		if err != nil || tag.RowsAffected() != benchGroup {
			b.Errorf("%v, %v", tag, err)
		}
	}
	players := make([]*benchPlayers, writers)
	for w := range players {
		players[w] = newPlayers(w, keys/writers, size)
		for range keys / writers / benchGroup {
			run("INSERT INTO "+table+" SELECT key, id, value FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[]) AS i (key, old, id, value)", players[w])
		}
	}
	if _, err := pool.Exec(ctx, "ANALYZE "+table); err != nil {
		b.Fatal(err)
	}
	share(b, writers, benchGroup, func(w int) {
		run("UPDATE "+table+" AS e SET version = i.id, value = i.value FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[]) AS i (key, old, id, value) WHERE e.key = i.key AND e.version = i.old", players[w])
	})
}

// BenchmarkAppend measures groups that check one entry and create another, as
// the journals of servers do.
func BenchmarkAppend(b *testing.B) {
	url := pgtest.URL(b)
	for _, batches := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("batches=%d", batches), func(b *testing.B) {
			benchSchema++
			db, err := postgres.Open(context.Background(), url, &postgres.Options{Schema: fmt.Sprintf("bench_%d", benchSchema)})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			leases := make([]driver.Check, batches)
			for i := range leases {
				id := newID()
				leases[i] = driver.Check{Key: fmt.Sprintf("~lease/%d", i), Version: id}
				mustApply(b, db, driver.Group{Batches: []driver.Batch{{ID: id, Writes: []driver.Write{{Key: leases[i].Key}}}}})
			}
			n := 0
			value := document(300, 1)
			share(b, 1, batches, func(int) {
				n++
				g := driver.Group{Urgent: true}
				for i := range leases {
					g.Batches = append(g.Batches, driver.Batch{ID: newID(), Checks: leases[i : i+1],
						Writes: []driver.Write{{Key: fmt.Sprintf("~journal/%d/%08d", i, n), Value: value}}})
				}
				mustApply(b, db, g)
			})
		})
	}
}
