package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

var (
	coins  = profile.Int("coins", 100, profile.Min(0))
	lines  = profile.List[string]("lines")
	player = profile.NewSchema("player", coins, lines, mailbox.Received)
)

// Present is the body of the tests' mail.
type Present struct {
	Coins int64  `json:"coins"`
	Do    string `json:"do,omitempty"` // "later", "fail", "panic": what its handler does
}

var gift = mailbox.Topic[Present]("gift")

// world is a database with game servers, in a bubble of simulated time.
type world struct {
	*testing.T
	ctx context.Context
	db  *mem.DB
	hub *bus.Local
}

func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(&world{t, t.Context(), mem.Open(), bus.NewLocal()})
		synctest.Wait()
	})
}

// open keeps the shared database open when one server's store is closed. It has
// servers look for requests only now and then, as the tests let hours pass.
type open struct{ driver.DB }

func (o open) Info() driver.Info {
	info := o.DB.Info()
	info.Look = 400 * time.Millisecond
	return info
}

func (open) Close() error { return nil }

// host is a game server with its own connection to the database.
type host struct {
	w *world
	*profile.Server
	box  *mailbox.Mailbox
	f    *faulty.DB
	fail error // of handlers asked to fail
}

// server starts a server without a bus.
func (w *world) server(name string, o *mailbox.Options) *host {
	return w.serverOn(name, o, nil, player)
}

// linked starts a server with a bus.
func (w *world) linked(name string, o *mailbox.Options) *host {
	b, err := w.hub.Open(nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = b.Close() })
	return w.serverOn(name, o, b, player)
}

func (w *world) serverOn(name string, o *mailbox.Options, b *bus.Bus, schema *profile.Schema) *host {
	w.Helper()
	h := &host{w: w, f: faulty.New(open{w.db}), fail: errors.New("no")}
	db, err := store.New(h.f, nil)
	if err != nil {
		w.Fatal(err)
	}
	var opts profile.Options
	opts.Session.Name = name
	if b != nil {
		opts.Session.Bus = b
	}
	if h.Server, err = profile.Open(w.ctx, db, schema, &opts); err != nil {
		w.Fatalf("profile.Open(%q): %v", name, err)
	}
	w.Cleanup(func() {
		h.f.Use()
		h.f.ReleaseAll()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = h.Close(ctx)
		_ = db.Close(ctx)
	})
	if h.box, err = mailbox.Open(w.ctx, h.Server, o); err != nil {
		w.Fatalf("mailbox.Open on %q: %v", name, err)
	}
	w.Cleanup(func() { _ = h.box.Close() })
	if err := gift.Handle(h.box, h.take); err != nil {
		w.Fatalf("Handle: %v", err)
	}
	return h
}

// take is the handler of gifts.
func (h *host) take(tx *profile.Tx, m *mailbox.Mail[Present]) error {
	if err := coins.Add(tx, m.Body.Coins); err != nil {
		return err
	}
	giver := ""
	if m.Giver.ID != "" {
		giver = " from " + m.Giver.ID
	}
	if err := lines.Append(tx, fmt.Sprintf("%s%s %d", m.Grant, giver, m.Body.Coins)); err != nil {
		return err
	}
	switch m.Body.Do {
	case "later":
		return fmt.Errorf("bag is full: %w", profile.ErrLater)
	case "fail":
		return h.fail
	case "panic":
		panic("handler")
	}
	return nil
}

func (h *host) load(id string) *profile.Profile {
	h.w.Helper()
	ctx, cancel := context.WithTimeout(h.w.ctx, time.Minute)
	defer cancel()
	p, err := h.Server.Open(ctx, id, nil)
	if err == nil {
		err = p.Err()
	}
	if err != nil {
		h.w.Fatalf("Open(%q): %v", id, err)
	}
	return p
}

// visit loads a player, closes him, and returns his coins.
func (h *host) visit(id string) int64 {
	h.w.Helper()
	p := h.load(id)
	n := coins.Get(p)
	h.w.close(p)
	return n
}

func (w *world) close(p *profile.Profile) {
	w.Helper()
	if err := p.Close(w.ctx); err != nil {
		w.Fatalf("Close of %v: %v", p.Key(), err)
	}
}

func (w *world) has(p *profile.Profile, want int64) {
	w.Helper()
	if got := coins.Get(p); got != want {
		w.Errorf("coins of %v = %d (%v), want %d", p.Key(), got, told(p), want)
	}
}

// told returns what a player was told of his mail.
func told(p *profile.Profile) []string {
	var all []string
	for _, line := range lines.All(p) {
		all = append(all, line)
	}
	return all
}

// settle lets what is under way come to its end.
func settle() { time.Sleep(time.Second); synctest.Wait() }

func (h *host) send(to string, body Present, o *mailbox.SendOptions) string {
	h.w.Helper()
	id, err := gift.Send(h.w.ctx, h.box, to, body, o)
	if err != nil {
		h.w.Fatalf("Send to %q: %v", to, err)
	}
	return id
}

func (h *host) grant(g mailbox.Grant, body Present) mailbox.Grant {
	h.w.Helper()
	made, err := gift.Grant(h.w.ctx, h.box, body, g)
	if err != nil {
		h.w.Fatalf("Grant %q: %v", g.ID, err)
	}
	return made
}

// keys returns the database keys that begin with a prefix.
func (w *world) keys(prefix string) []string {
	w.Helper()
	page, err := w.db.List(w.ctx, driver.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		w.Fatal(err)
	}
	var keys []string
	for _, e := range page.Entries {
		keys = append(keys, strings.TrimPrefix(e.Key, prefix))
	}
	return keys
}

// refused wants an error of a call.
func (w *world) refused(what string, err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("%s = %v, want %v", what, err, want)
	}
}
