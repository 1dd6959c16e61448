package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// shelfDB is a database whose entries a test writes as it likes.
type shelfDB struct {
	*testing.T
	drv driver.DB
	db  *store.DB
}

func newShelfDB(t *testing.T, drv driver.DB) *shelfDB {
	t.Helper()
	db, err := store.New(open{drv}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return &shelfDB{t, drv, db}
}

// put writes an entry past everything.
func (d *shelfDB) put(key, value string) {
	d.Helper()
	id, err := d.db.NewVersion()
	if err != nil {
		d.Fatal(err)
	}
	b := driver.Batch{ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte(value)}}}
	if _, err := d.drv.Commit(d.Context(), driver.Group{Batches: []driver.Batch{b}}); err != nil {
		d.Fatal(err)
	}
}

// root returns a stored root with data.
func root(data string) string {
	return `{"format":1,"birth":"` + someID + `","revision":1,"data":` + data + `}`
}

// instance returns the element of an instance with a number.
func instance(item string, n int) string {
	return fmt.Sprintf(`"%s#%s":{"h":{"to":"player/1"}}`, item, numbered(n))
}

func numbered(n int) driver.Version {
	return driver.Version{0, 1, 2, 3, 4, 5, 6: 9, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

func (d *shelfDB) audit() *inventory.AuditReport {
	d.Helper()
	r, err := inventory.Audit(d.Context(), d.db, &inventory.AuditOptions{Unreadable: func(key string, err error) { d.Logf("%s: %v", key, err) }})
	if err != nil {
		d.Fatalf("Audit = %v", err)
	}
	return r
}

// shown returns the duplicates of a report as text.
func shown(r *inventory.AuditReport) []string {
	var all []string
	for _, d := range r.Duplicates {
		for _, s := range d.Places {
			where, path, _ := strings.Cut(s.String(), " ")
			field, _, _ := strings.Cut(path, "/"+s.Item+"#")
			all = append(all, fmt.Sprintf("%s %d: %s %s", s.Item, d.ID[15], where, field))
		}
	}
	slices.Sort(all)
	return all
}

func TestAudit(t *testing.T) {
	t.Run("FindsWhatStandsTwiceWhereverItDoes", func(t *testing.T) {
		d := newShelfDB(t, mem.Open())
		d.put("player/1", root(`{"bag":{`+instance("sword", 1)+`,`+instance("sword", 2)+`},"coins":5}`))
		d.put("player/2", root(`{"bag":{`+instance("sword", 1)+`}}`))
		d.put("guild/x", root(`{"vault":{"a#b":{"n":5},`+instance("sword", 3)+`},"hall":{`+instance("pet", 3)+`}}`))
		d.put("player/3", root(`{"bag":{`+instance("sword", 4)+`},"chest":{"big":{`+instance("ring", 5)+`}}}`))
		d.put("player/3/slot/2", `{"fields":{"bag":{`+instance("sword", 4)+`}},"name":"second"}`)
		d.put("player/3/mail/7", `{"body":{`+instance("sword", 2)+`}}`)
		d.put("player/4", root(`{"bag":{`+instance("ring", 5)+`}}`))
		d.put("player/5", `{"format":1,"birth":"`+someID+`","revision":1,"erased":true}`)
		d.put("~receipt/9", `{"bag":{`+instance("sword", 2)+`}}`)
		r := d.audit()
		want := []string{
			"pet 3: guild/x hall", "ring 5: player/3 chest/big", "ring 5: player/4 bag", "sword 1: player/1 bag", "sword 1: player/2 bag",
			"sword 3: guild/x vault", "sword 4: player/3 bag", "sword 4: player/3/slot/2 fields/bag",
		}
		if diff := cmp.Diff(want, shown(r)); diff != "" {
			t.Error(diff)
		}
		if r.Profiles != 6 || r.Instances != 9 || r.Unreadable != 0 || r.More || len(r.Moving) != 0 {
			t.Errorf("the report is %+v", r)
		}
	})
	t.Run("GoesByKeyAndForm", func(t *testing.T) {
		d := newShelfDB(t, mem.Open())
		for i, data := range []string{
			`{"bag":{"sword#` + someID + `":{"n":5}}}`, `{"bag":{"sword#` + someID + `":{"h":5}}}`, `{"bag":{"sword#` + someID + `":7}}`,
			`{"bag":{"sword#` + someID + `x":{"h":{}}}}`, `{"bag":{"#` + someID + `":{"h":{}}}}`, `{"text":"sword#` + someID + `"}`,
			`{"bag":{"` + strings.Repeat("s", 51) + `#` + someID + `":{"h":{}}}}`,
		} {
			d.put(fmt.Sprint("player/", i), root(data))
			d.put(fmt.Sprint("player/again", i), root(data))
		}
		if r := d.audit(); r.Instances != 0 || len(r.Duplicates) != 0 {
			t.Errorf("the report is %+v", r)
		}
	})
	t.Run("TellsWhatCannotBeReadAndGoesOn", func(t *testing.T) {
		d := newShelfDB(t, mem.Open())
		d.put("player/1", root(`{"bag":{`+instance("sword", 1)+`}}`))
		d.put("player/2", "no JSON")
		d.put("player/3", root(strings.Repeat(`{"#":`, 1100)+"1"+strings.Repeat("}", 1100)))
		d.put("player/4", root(`{"bag":{`+instance("sword", 1)+`}}`))
		r := d.audit()
		if r.Unreadable != 2 || len(r.Duplicates) != 1 {
			t.Errorf("the report is %+v", r)
		}
	})
	t.Run("TellsNothingOfWhatIsOnItsWay", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("game", player)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			var sword inventory.Entry
			w.update(p, func(tx *profile.Tx) (err error) {
				sword, err = bag.Create(tx, "sword", nil, nil)
				return err
			})
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			err := profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
				return ignore(bag.Transfer(txs[0], sword.Key, 1, txs[1], nil))
			}, profile.Durable(w.ctx))
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Save(w.ctx); err != nil { // now both roots have it
				t.Fatal(err)
			}
			d := newShelfDB(w.T, w.db)
			if r := d.audit(); r.Instances != 2 || len(r.Duplicates) != 0 || len(r.Moving) != 0 {
				t.Errorf("the report is %+v", r)
			}
		})
	})
	t.Run("SaysWhatItCannotKnow", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("game", player)
			d := newShelfDB(w.T, w.db)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) error { return ignore(bag.Create(tx, "sword", nil, nil)) })
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			sword := only(p, bag, "sword")
			d.put("player/1/slot/2", `{"fields":{"bag":{"`+sword.Key+`":{"h":{}}}}}`)
			if err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }, profile.Durable(w.ctx)); err != nil {
				t.Fatal(err)
			}
			if r := d.audit(); len(r.Moving) != 1 || r.Moving[0] != sword.ID {
				t.Errorf("with a change in the journal the report is %+v", r)
			}
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			if r := d.audit(); len(r.Moving) != 0 || len(r.Duplicates) != 1 {
				t.Errorf("when all is saved the report is %+v", r)
			}
		})
	})
	t.Run("EndsWithItsContext", func(t *testing.T) {
		d := newShelfDB(t, mem.Open())
		for i := range 1000 {
			d.put(fmt.Sprint("player/", i), root(`{}`))
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err := inventory.Audit(ctx, d.db, &inventory.AuditOptions{Progress: func(int64) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Audit = %v, want context.Canceled", err)
		}
	})
}

// TestAuditAgainstModel compares audits with a count of everything that was stored.
func TestAuditAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		dice := rand.New(rand.NewPCG(seed, 3))
		d := newShelfDB(t, mem.Open())
		count := make(map[int]int)
		for i := range 300 { // more than a page
			var all []string
			for range dice.IntN(4) {
				n := dice.IntN(2000)
				element := instance("sword", n)
				if !slices.Contains(all, element) {
					all = append(all, element)
					count[n]++
				}
			}
			key, value := fmt.Sprint("player/", i), root(`{"bag":{`+strings.Join(all, ",")+`}}`)
			if i%5 == 4 {
				d.put(key, root(`{}`))
				key, value = key+"/slot/a", `{"fields":{"bag":{`+strings.Join(all, ",")+`}}}`
			}
			d.put(key, value)
		}
		want := 0
		for _, n := range count {
			if n > 1 {
				want += n
			}
		}
		if got := shown(d.audit()); len(got) != want {
			t.Fatalf("seed %d: %d places of duplicates, want %d", seed, len(got), want)
		}
	}
}

// TestAuditLetsWritersGoOn saves players in the same file while it is read.
func TestAuditLetsWritersGoOn(t *testing.T) {
	drv, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "players.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = drv.Close() })
	d := newShelfDB(t, drv)
	for i := range 1500 {
		d.put(fmt.Sprint("player/", i), root(`{"bag":{`+instance("sword", i)+`}}`))
	}
	pages, longest := 0, time.Duration(0)
	r, err := inventory.Audit(t.Context(), d.db, &inventory.AuditOptions{Progress: func(int64) {
		pages++
		began := time.Now()
		d.put(fmt.Sprint("player/", pages), root(`{"bag":{`+instance("sword", pages)+`}}`))
		longest = max(longest, time.Since(began))
	}})
	if err != nil || pages < 5 || r.Profiles != 1500 || len(r.Duplicates) != 0 {
		t.Errorf("Audit = %+v, %v, in %d pages", r, err, pages)
	}
	t.Logf("the longest write took %v", longest)
}

func BenchmarkAudit(b *testing.B) {
	const each = 50
	d := mem.Open()
	var g driver.Group
	var size int
	n := 0
	for i := range 2000 {
		var all []string
		for range each {
			n++
			all = append(all, instance("sword of the north", n))
		}
		value := root(`{"coins":5,"name":"somebody","bag":{` + strings.Join(all, ",") + `}}`)
		size += len(value)
		g.Batches = append(g.Batches, driver.Batch{ID: numbered(i + 1), Writes: []driver.Write{{
			Key: fmt.Sprint("player/", i), Mode: driver.Always, Value: []byte(value),
		}}})
		if len(g.Batches) == driver.MaxGroup || i == 1999 {
			if _, err := d.Commit(b.Context(), g); err != nil {
				b.Fatal(err)
			}
			g.Batches = nil
		}
	}
	db, err := store.New(open{d}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close(context.Background()) }()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		r, err := inventory.Audit(b.Context(), db, nil)
		if err != nil || r.Instances != 2000*each {
			b.Fatal(r, err)
		}
	}
}
