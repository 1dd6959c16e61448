package profile_test

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

func openPostgres(t *testing.T, url string) driver.DB {
	t.Helper()
	drv, err := postgres.Open(context.Background(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return drv
}

func TestSaveSlotsOnPostgreSQL(t *testing.T) {
	url := pgtest.URL(t)
	checkStoredSlots(t, func() driver.DB { return openPostgres(t, url) })
}

// TestMigrationsOnPostgreSQL has a player loaded by programs of several versions of a
// game, one after another.
func TestMigrationsOnPostgreSQL(t *testing.T) {
	ctx, url := context.Background(), pgtest.URL(t)
	load := func(schema *profile.Schema, fn func(p *profile.Profile)) {
		t.Helper()
		db, err := store.New(openPostgres(t, url), nil)
		if err != nil {
			t.Fatal(err)
		}
		srv, err := profile.Open(ctx, db, schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := srv.Open(ctx, "p", nil)
		if err == nil {
			err = p.Err()
		}
		if err != nil {
			t.Fatal(err)
		}
		fn(p)
		if _, err := srv.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	load(schema1, func(p *profile.Profile) {
		if err := p.Update(func(tx *profile.Tx) error { return oldCoins.Set(tx, 101) }); err != nil {
			t.Error(err)
		}
	})
	both := func(p *profile.Profile) {
		if g, b := gold.Get(p), bank.Get(p); g != 51 || b != 50 {
			t.Errorf("gold %d, bank %d, want 51 and 50: each migration once", g, b)
		}
	}
	load(schema3, both)
	load(schema2, func(p *profile.Profile) { // which does not know the last one
		if g := gold.Get(p); g != 51 {
			t.Errorf("an older program has gold %d, want 51", g)
		}
	})
	load(schema3, both)
}
