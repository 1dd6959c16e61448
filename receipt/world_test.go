package receipt_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
)

// engine is a kind of database on which the tests run.
type engine struct {
	name string
	open func(t testing.TB) driver.DB
	real bool // in real time, else in a bubble of simulated time
}

var engines = []engine{
	{name: "Mem", open: func(testing.TB) driver.DB { return mem.Open() }},
	{name: "SQLite", real: true, open: func(t testing.TB) driver.DB { return openSQLite(t, filepath.Join(t.TempDir(), "p.db")) }},
	{name: "PostgreSQL", real: true, open: func(t testing.TB) driver.DB { return openPostgres(t, pgtest.URL(t)) }},
}

func openSQLite(t testing.TB, path string) driver.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openPostgres(t testing.TB, url string) driver.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// onEach runs a test on each engine.
func onEach(t *testing.T, fn func(w *world)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			if !e.real {
				bubble(t, fn)
				return
			}
			t.Parallel()
			w := &world{T: t, ctx: t.Context(), db: e.open(t), real: true}
			w.Cleanup(w.audit) // after the servers
			fn(w)
		})
	}
}

// bubble runs a test in a bubble of simulated time, on a database in memory.
func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, ctx: t.Context(), db: mem.Open()}
		w.Cleanup(w.audit)
		fn(w)
	})
}

// world is a database with game servers.
type world struct {
	*testing.T
	ctx  context.Context
	db   driver.DB
	real bool
	hub  *bus.Local // nil: there is no bus

	excused map[string]bool // players whose data were tampered with
}

// open keeps the shared database open when one server's store is closed.
type open struct{ driver.DB }

func (open) Close() error { return nil }

// host is a game server with its book, and its own way to the database, which
// fails as the test asks.
type host struct {
	*profile.Server
	book *receipt.Book
	f    *faulty.DB
	w    *world
}

// server starts a game server that sells everything. It is closed with the test.
func (w *world) server(name string) *host {
	w.Helper()
	return w.serverSelling(name, products())
}

func (w *world) serverSelling(name string, list []receipt.Product) *host {
	w.Helper()
	h := w.serverOf(name, player)
	var err error
	if h.book, err = receipt.New(h.Server, list, &receipt.Options{Wait: time.Minute}); err != nil {
		w.Fatal(err)
	}
	return h
}

// serverOf starts a game server without a book.
func (w *world) serverOf(name string, schema *profile.Schema) *host {
	w.Helper()
	h := &host{f: faulty.New(open{w.db}), w: w}
	db, err := store.New(h.f, &store.Options{Timeout: 3 * time.Second}) // what is held holds up others for so long
	if err != nil {
		w.Fatal(err)
	}
	o := &profile.Options{Session: session.Options{Name: name, Lease: session.MinLease}}
	if w.hub != nil {
		line, err := w.hub.Open(nil)
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = line.Close() })
		o.Session.Bus = line
	}
	if h.Server, err = profile.Open(context.Background(), db, schema, o); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		h.wake()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = h.Close(ctx)
		_ = db.Close(ctx)
	})
	return h
}

// load opens a player's profile.
func (h *host) load(id string) *profile.Profile {
	h.w.Helper()
	ctx, cancel := context.WithTimeout(h.w.ctx, time.Minute)
	defer cancel()
	p, err := h.Open(ctx, id, nil)
	if err != nil || p.Err() != nil {
		h.w.Fatalf("Open(%q): %v", id, errors.Join(err, p.Err()))
	}
	return p
}

// known has players been in the game before, who are offline now.
func (w *world) known(ids ...string) {
	w.Helper()
	h := w.server("before")
	for _, id := range ids {
		h.load(id)
	}
	h.shut()
}

func (h *host) shut() {
	h.w.Helper()
	if _, err := h.Close(h.w.ctx); err != nil {
		h.w.Fatalf("Close: %v", err)
	}
}

// kill lets nothing of the server reach the database any more, as after the death
// of its process; what is held stays held.
func (h *host) kill() { h.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown})) }

// wake ends all faults, and lets go on what was held.
func (h *host) wake() {
	h.f.Use()
	h.f.ReleaseAll()
}

// trap gives a fault to each commit that a test of it accepts, and closes the
// channel at the first of them.
func (h *host) trap(fault faulty.Fault, is func(*faulty.Call) bool) <-chan struct{} {
	caught := make(chan struct{})
	first := true
	h.f.Use(func(c *faulty.Call) faulty.Fault {
		if c.Op != faulty.Commit || !is(c) {
			return faulty.Fault{}
		}
		if first {
			first = false
			close(caught)
		}
		return fault
	})
	return caught
}

// once is trap for the first such commit alone.
func (h *host) once(fault faulty.Fault, is func(*faulty.Call) bool) {
	done := false
	h.f.Use(func(c *faulty.Call) faulty.Fault {
		if done || c.Op != faulty.Commit || !is(c) {
			return faulty.Fault{}
		}
		done = true
		return fault
	})
}

// writes accepts commits that write a key with the prefix.
func writes(prefix string) func(*faulty.Call) bool {
	return func(c *faulty.Call) bool {
		return slices.ContainsFunc(c.Keys, func(k string) bool { return strings.HasPrefix(k, prefix) })
	}
}

// claims accepts the commits that create a claim.
func claims(c *faulty.Call) bool {
	return writes("~receipt/")(c) && writes("player/alice/mail/")(c) && !saves(c)
}

// saves accepts the commits of alice's root.
func saves(c *faulty.Call) bool { return slices.Contains(c.Keys, "player/alice") }

// appends accepts the commits of a journal.
func appends(c *faulty.Call) bool { return writes("~journal/")(c) }

// await waits for a channel.
func (w *world) await(what string, from <-chan struct{}) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	select {
	case <-from:
	case <-ctx.Done():
		w.Fatalf("it did not come to this: %s", what)
	}
}

// granting grants in the background.
func (h *host) granting(ctx context.Context, p receipt.Purchase) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := h.book.Grant(ctx, p)
		done <- err
	}()
	return done
}

// grant grants what must be granted.
func (h *host) grant(p receipt.Purchase) receipt.Receipt {
	h.w.Helper()
	r, err := h.book.Grant(h.w.ctx, p)
	if err != nil || r.State != receipt.Granted || r.Granted.At.IsZero() || r.Granted.Revision == 0 {
		h.w.Fatalf("Grant(%q for %q) = %+v, %v, want it granted", p.ID, p.Player, r, err)
	}
	return r
}

// refuses fails the test unless a purchase is refused for a reason.
func (h *host) refuses(p receipt.Purchase, want ...error) {
	h.w.Helper()
	r, err := h.book.Grant(h.w.ctx, p)
	for _, e := range want {
		if !errors.Is(err, e) {
			h.w.Errorf("Grant(%q of %q for %q) = %+v, %v, want %v", p.ID, p.Product, p.Player, r, err, e)
		}
	}
}

// has fails the test unless a player has so many coins, read on this server.
func (h *host) has(id string, want int64) {
	h.w.Helper()
	if p := h.load(id); coins.Get(p) != want {
		h.w.Errorf("%q has %d coins, want %d", id, coins.Get(p), want)
	}
}

// entry reads an entry as it is stored.
func (w *world) entry(key string) driver.Entry {
	w.Helper()
	snap, err := w.db.Read(context.Background(), key)
	if err != nil {
		w.Fatalf("read %q: %v", key, err)
	}
	return snap.Entries[0]
}

// put writes or, without a value, deletes an entry behind the servers' backs.
func (w *world) put(key, value string) {
	w.Helper()
	id, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	write := driver.Write{Key: key, Mode: driver.Always, Value: []byte(value)}
	if value == "" {
		write.Value, write.Delete = nil, true
	}
	if _, err := w.db.Commit(context.Background(), driver.Group{Batches: []driver.Batch{{ID: id, Writes: []driver.Write{write}}}}); err != nil {
		w.Fatalf("write %q: %v", key, err)
	}
}

// keys returns the keys with a prefix.
func (w *world) keys(prefix string) []string {
	w.Helper()
	snap, err := w.db.List(context.Background(), driver.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		w.Fatalf("list %q: %v", prefix, err)
	}
	var keys []string
	for _, e := range snap.Entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// holdings are what a player's stored data say of purchases.
type holdings struct{ Got, Took map[string]int64 }

// audit compares every record with what its player has, when all servers have
// ended: each purchase that was granted was awarded once, and no other one ever.
func (w *world) audit() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	reader := session.NewReader(db, document.Limits{})
	for info, err := range reader.Roots(ctx, &session.RootsOptions{Kind: "player"}) {
		switch {
		case err != nil:
			w.Fatalf("audit: %v", err)
		case info.Err != nil || info.Erased || w.excused[info.Key.ID]:
			continue
		}
		v, err := reader.Peek(ctx, info.Key)
		if err != nil {
			w.Fatalf("audit: %v", err)
		}
		var has holdings
		if err := json.Unmarshal(v.Document.AppendJSON(nil), &has); err != nil {
			w.Fatalf("audit of %v: %v", info.Key, err)
		}
		w.auditPlayer(ctx, receipt.NewReader(db), info.Key, has)
	}
}

func (w *world) auditPlayer(ctx context.Context, rd *receipt.Reader, key session.Key, has holdings) {
	want := holdings{make(map[string]int64), make(map[string]int64)}
	for r, err := range rd.Receipts(ctx, key) {
		if err != nil {
			w.Errorf("audit of %v: %v", key, err)
			continue
		}
		if !r.Granted.At.IsZero() {
			want.Got[r.ID]++
			if r.State == receipt.Refunded {
				want.Took[r.ID]++
			}
		}
	}
	if d := cmp.Diff(want, has, cmpopts.EquateEmpty()); d != "" {
		w.Errorf("%v was not given what the records say (-records +player):\n%s", key, d)
	}
}
