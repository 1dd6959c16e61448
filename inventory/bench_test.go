package inventory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

const benchStacks = 5_000

func benchName(i int) string { return fmt.Sprintf("item of the north %04d", i) }

var (
	benchItems = inventory.NewCatalogue(func() (all []inventory.Item) {
		for i := range benchStacks {
			all = append(all, inventory.Item{Name: benchName(i), Stack: 1_000_000, Properties: map[string]any{"quality": 100}})
		}
		return all
	}()...)
	benchBag    = inventory.New("bag", benchItems, &inventory.Options{Capacity: 2 * benchStacks})
	benchCoins  = profile.Int("coins", 0)
	benchSchema = profile.NewSchema("player", benchBag, benchCoins)
)

// benchPlayer loads a player with stacks of about 60 bytes each, of items that are all
// different or in groups of some.
func benchPlayer(b *testing.B, group int) *profile.Profile {
	b.Helper()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		b.Fatal(err)
	}
	srv, err := profile.Open(b.Context(), db, benchSchema, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_, _ = srv.Close(context.Background())
		_ = db.Close(context.Background())
	})
	p, err := srv.Open(b.Context(), "1", nil)
	if err != nil {
		b.Fatal(err)
	}
	err = p.Update(func(tx *profile.Tx) error {
		for i := range benchStacks {
			var props any // those of the item, or others for each stack of it
			if i%group > 0 {
				props = map[string]any{"quality": i % group}
			}
			if _, err := benchBag.Add(tx, benchName(i/group), 1000, props); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	s := p.Session()
	s.Lock()
	b.Logf("%d bytes, %d entries", s.Document().Size(), s.Document().ElementCount("bag"))
	s.Unlock()
	return p
}

func BenchmarkInventory(b *testing.B) {
	bare := make(map[string]int64)
	for i := range benchStacks {
		bare[benchName(i)] = 1000
	}
	names := make([]string, benchStacks)
	for i := range names {
		names[i] = benchName(i * 7 % benchStacks)
	}
	b.Run("BareMapAndFieldUpdate", func(b *testing.B) {
		p := benchPlayer(b, 1)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			bare[names[i%benchStacks]] += 1
			if err := p.Update(func(tx *profile.Tx) error { return benchCoins.Add(tx, 1) }); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, group := range []int{1, 10} {
		each := func(name string, fn func(p *profile.Profile, item string) error) {
			b.Run(fmt.Sprintf("%s/%dOfOneName", name, group), func(b *testing.B) {
				p := benchPlayer(b, group)
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					i++
					if err := fn(p, names[i%(benchStacks/group)%benchStacks]); err != nil && group == 1 {
						b.Fatal(err)
					}
				}
			})
		}
		each("Add", func(p *profile.Profile, item string) error {
			return p.Update(func(tx *profile.Tx) error { return ignore(benchBag.Add(tx, item, 1, nil)) })
		})
		each("Remove", func(p *profile.Profile, item string) error {
			return p.Update(func(tx *profile.Tx) error { return ignore(benchBag.Remove(tx, item, 1)) })
		})
		each("Find", func(p *profile.Profile, item string) error {
			for range benchBag.Find(p, item) {
			}
			return nil
		})
	}
}
