package inventory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// errSharp is what validates the properties of these tests.
var errSharp = errors.New("nothing is that sharp")

func sharp(props json.RawMessage) error {
	if strings.Contains(string(props), "infinite") {
		return errSharp
	}
	return nil
}

var (
	items = inventory.NewCatalogue(
		inventory.Item{Name: "arrow", Stack: 64, Validate: sharp},
		inventory.Item{Name: "coin"},
		inventory.Item{Name: "gem", Most: 100, Stack: 30},
		inventory.Item{Name: "potion", Stack: 5, Properties: map[string]any{"heals": 20}},
		inventory.Item{Name: "sword", Unique: true, Most: 3, Properties: map[string]any{"durability": 100}, Validate: sharp},
		inventory.Item{Name: "pet", Unique: true},
	)
	bag    = inventory.New("bag", items, &inventory.Options{Capacity: 8})
	bank   = inventory.New("bank", items, nil, profile.Private())
	worn   = inventory.NewPlaces("worn", items, []string{"head", "hand 1", "hand 2"})
	coins  = profile.Int("coins", 100, profile.Min(0))
	player = profile.NewSchema("player", bag, bank, worn, coins)
)

// world is a database with servers of games, in a bubble of simulated time.
type world struct {
	*testing.T
	ctx context.Context
	db  driver.DB
	hub *bus.Local
}

// bubble runs fn in a bubble with an empty database.
func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(&world{t, t.Context(), mem.Open(), bus.NewLocal()})
		synctest.Wait()
	})
}

// open keeps the shared database open when one server's store is closed.
type open struct{ driver.DB }

func (open) Close() error { return nil }

// server starts a server on the world's database and bus, which is closed with the
// test.
func (w *world) server(name string, schema *profile.Schema) *profile.Server {
	w.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	b, err := w.hub.Open(nil)
	if err != nil {
		w.Fatalf("open a bus: %v", err)
	}
	o := &profile.Options{}
	o.Session.Name, o.Session.Bus = name, b
	srv, err := profile.Open(w.ctx, db, schema, o)
	if err != nil {
		w.Fatalf("profile.Open(%q): %v", name, err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
		_ = b.Close()
	})
	return srv
}

func (w *world) load(srv *profile.Server, id string) *profile.Profile {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	p, err := srv.Open(ctx, id, nil)
	if err != nil || p.Err() != nil {
		w.Fatalf("Open(%q) = %v, %v", id, p, err)
	}
	return p
}

// alone is a player of a server of his own.
func (w *world) alone() *profile.Profile { return w.load(w.server("game", player), "1") }

func (w *world) update(p *profile.Profile, fn func(tx *profile.Tx) error) {
	w.Helper()
	if err := p.Update(fn); err != nil {
		w.Fatalf("Update of %v: %v", p.Key(), err)
	}
}

// refuses checks that an update fails with an error and changes nothing.
func (w *world) refuses(p *profile.Profile, want error, fn func(tx *profile.Tx) error) {
	w.Helper()
	before := dump(p)
	err := p.Update(func(tx *profile.Tx) error { _ = fn(tx); return nil })
	if !errors.Is(err, want) || !errors.Is(err, profile.ErrRefused) {
		w.Errorf("Update of %v = %v, want ErrRefused because of %v", p.Key(), err, want)
	}
	if after := dump(p); after != before {
		w.Errorf("a refused update of %v left\n%.500s\nwant\n%.500s", p.Key(), after, before)
	}
}

// dump returns the stored fields of a profile as JSON.
func dump(p *profile.Profile) string {
	s := p.Session()
	s.Lock()
	defer s.Unlock()
	return string(s.Document().AppendJSON(nil))
}

// list returns entries as text, each as key=amount, with its properties if it has any.
func list(r profile.Reader, b *inventory.Inventory) string {
	var all []string
	for e := range b.All(r) {
		all = append(all, show(e))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func show(e inventory.Entry) string {
	key := e.Key
	if e.Unique() {
		key = e.Item + "#"
	}
	text := fmt.Sprintf("%s=%d%s", key, e.Amount, e.Properties)
	if e.Place != "" {
		text += "@" + e.Place
	}
	return text
}

func (w *world) holds(r profile.Reader, b *inventory.Inventory, want string) {
	w.Helper()
	if got := list(r, b); got != want {
		w.Errorf("%s holds %q, want %q", b.Name(), got, want)
	}
}

// ignore drops what an operation returns beside its error.
func ignore[T any](_ T, err error) error { return err }
