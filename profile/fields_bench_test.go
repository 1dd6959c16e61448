package profile_test

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// newGamerBench returns a profile with fields that are volatile, computed, or grow.
func newGamerBench(b *testing.B, c *computer) *profile.Profile {
	b.Helper()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		b.Fatal(err)
	}
	srv, err := profile.Open(context.Background(), db, c.schema, nil)
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
	return p
}

// BenchmarkReadDerived reads what is not stored, or not as it is read. What is
// computed of a PlayTime is computed each time, the other one is kept.
func BenchmarkReadDerived(b *testing.B) {
	c := newComputer()
	p := newGamerBench(b, c)
	for _, read := range []struct {
		name string
		do   func()
	}{
		{"Stored", func() { coins.Get(p) }},
		{"Volatile", func() { c.boost.Get(p) }},
		{"PlayTime", func() { played.Get(p) }},
		{"Computed", func() { c.wealth.Get(p) }},
		{"ComputedOfPlayTime", func() { c.rate.Get(p) }},
	} {
		b.Run(read.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read.do()
			}
		})
	}
}

// BenchmarkUpdateVolatile is BenchmarkUpdate of a volatile field, and of a stored one
// on which computed fields depend.
func BenchmarkUpdateVolatile(b *testing.B) {
	c := newComputer()
	p := newGamerBench(b, c)
	for _, f := range []*profile.IntField{c.boost, coins} {
		b.Run(f.Name(), func(b *testing.B) {
			b.ReportAllocs()
			n := int64(1)
			for b.Loop() {
				_ = p.Update(func(tx *profile.Tx) error { return f.Add(tx, n) })
				n = -n
			}
		})
	}
}
