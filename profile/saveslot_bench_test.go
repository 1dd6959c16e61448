package profile_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// onDatabase opens a hero on a database, for a test in real time.
func onDatabase(tb testing.TB, drv driver.DB, o *profile.Options) (p *profile.Profile, stop func()) {
	tb.Helper()
	ctx := context.Background()
	db, err := store.New(drv, nil)
	if err != nil {
		tb.Fatal(err)
	}
	srv, err := profile.Open(ctx, db, hero, o)
	if err == nil {
		p, err = srv.Open(ctx, "1", nil)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return p, func() {
		if _, err := srv.Close(ctx); err != nil {
			tb.Error(err)
		}
		if err := db.Close(ctx); err != nil {
			tb.Error(err)
		}
	}
}

func openFile(tb testing.TB, path string) driver.DB {
	tb.Helper()
	drv, err := sqlite.Open(context.Background(), path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return drv
}

// BenchmarkSwitchSlot switches between two slots of 20 KB each: read the one, park the
// other, and wait for the disk. The yardstick beside it is a save of such a profile.
func BenchmarkSwitchSlot(b *testing.B) {
	ctx := context.Background()
	for name, open := range map[string]func() driver.DB{
		"Mem":    func() driver.DB { return mem.Open() },
		"SQLite": func() driver.DB { return openFile(b, filepath.Join(b.TempDir(), "p.db")) },
	} {
		p, stop := onDatabase(b, open(), nil)
		fill := func() {
			err := p.Update(func(tx *profile.Tx) error {
				for i := range 200 {
					_ = chest.Put(tx, fmt.Sprintf("item%03d", i), Item{Name: strings.Repeat("x", 60), Level: i})
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		fill()
		two, err := p.CreateSlot(ctx, "Two", true)
		if err != nil {
			b.Fatal(err)
		}
		fill()
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				if err := p.SwitchSlot(ctx, []string{"1", two}[i%2]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/YardstickSave", func(b *testing.B) {
			for range b.N {
				if err := p.Update(func(tx *profile.Tx) error { return gems.Add(tx, 1) }); err != nil {
					b.Fatal(err)
				}
				if err := p.Save(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
		stop()
	}
}

// TestSaveSlotsInAFile has the slots in a file on a real disk, which is opened again.
func TestSaveSlotsInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "players.db")
	checkStoredSlots(t, func() driver.DB { return openFile(t, path) })
}

// checkStoredSlots has save slots in a database that is closed and opened again.
func checkStoredSlots(t *testing.T, open func() driver.DB) {
	t.Helper()
	ctx := context.Background()
	every := &profile.Options{Session: session.Options{Retention: &driver.Retention{}}}
	p, stop := onDatabase(t, open(), every)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(p.Update(func(tx *profile.Tx) error { return level.Set(tx, 3) }))
	two, err := p.CreateSlot(ctx, "Two", true)
	check(err)
	check(p.Update(func(tx *profile.Tx) error { return level.Set(tx, 8) }))
	check(p.Save(ctx))
	old := p.Session().Version()
	check(p.SwitchSlot(ctx, "1"))
	stop()
	p, stop = onDatabase(t, open(), every)
	defer stop()
	if level.Get(p) != 3 || p.LoadedSlot() != "1" {
		t.Errorf("stored: slot %q, level %d", p.LoadedSlot(), level.Get(p))
	}
	check(p.SwitchSlot(ctx, two))
	if level.Get(p) != 8 {
		t.Errorf("stored: the second slot has level %d", level.Get(p))
	}
	check(p.Update(func(tx *profile.Tx) error { return level.Set(tx, 80) }))
	check(p.SwitchSlot(ctx, "1"))
	check(p.Update(func(tx *profile.Tx) error { return level.Set(tx, 30) }))
	if done, err := p.Server().Restore(ctx, "1", old, &profile.RestoreOptions{Reason: "a test"}); err != nil || done.Changed != 2 || done.Lost != nil {
		t.Errorf("Restore = %+v, %v, want two changes", done, err)
	}
	if level.Get(p) != 3 {
		t.Errorf("restored: the first slot has level %d", level.Get(p))
	}
	check(p.SwitchSlot(ctx, two))
	if level.Get(p) != 8 {
		t.Errorf("restored: the second slot has level %d", level.Get(p))
	}
}
