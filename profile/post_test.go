package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// The profiles of the tests of messages: what they were given, and a note of each
// message that did it.
var (
	given  = profile.Int("given", 0, profile.Min(-1000), profile.Max(1000))
	notes  = profile.List[string]("notes")
	person = profile.NewSchema("person", given, notes)
)

// post is a server whose handlers do what a message says, with its own connection
// to the database and to the bus.
type post struct {
	w *world
	*profile.Server
	f    *faulty.DB
	deaf atomic.Bool // the bus loses what the server sends
	bad  error       // of the topic "bad"
	full atomic.Bool // of the topic "later"
}

// posts starts two servers that are linked by a bus, or not.
func (w *world) posts(linked bool) (a, b *post) {
	w.Helper()
	if !linked {
		return w.post("a", nil, nil), w.post("b", nil, nil)
	}
	hub := bus.NewLocal()
	return w.post("a", hub, nil), w.post("b", hub, nil)
}

func (w *world) post(name string, hub *bus.Local, o *profile.Options) *post {
	w.Helper()
	h := &post{w: w, f: faulty.New(unhurried{open{w.db}}), bad: errors.New("bad message")}
	var opts profile.Options
	if o != nil {
		opts = *o
	}
	if hub != nil {
		line, err := hub.Open(nil)
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = line.Close() })
		opts.Session.Bus = &lossy{line, &h.deaf}
	}
	h.Server = w.serverOn(name, h.f, person, &opts)
	w.Cleanup(func() { h.f.Use(); h.f.ReleaseAll() })
	for topic, fn := range map[string]func(*profile.Tx, *profile.Message) error{
		"give":  h.give,
		"bad":   func(tx *profile.Tx, m *profile.Message) error { return errors.Join(h.give(tx, m), h.bad) },
		"mute":  func(*profile.Tx, *profile.Message) error { return errors.New("") },
		"panic": func(tx *profile.Tx, m *profile.Message) error { _ = h.give(tx, m); panic("in a handler") },
		"later": h.later,
		"flood": flood,
		"large": large,
	} {
		if err := h.Handle(topic, h.answering(fn)); err != nil {
			w.Fatalf("Handle(%q): %v", topic, err)
		}
	}
	return h
}

// unhurried is a database whose servers look for requests only now and then, so that
// a test may let hours pass.
type unhurried struct{ driver.DB }

func (u unhurried) Info() driver.Info {
	info := u.DB.Info()
	info.Look = 400 * time.Millisecond
	return info
}

// lossy is a bus that loses what is sent while it is deaf.
type lossy struct {
	*bus.Bus
	deaf *atomic.Bool
}

func (l *lossy) PublishSystem(ctx context.Context, topic string, msg []byte) error {
	if l.deaf.Load() {
		return nil
	}
	return l.Bus.PublishSystem(ctx, topic, msg)
}

func (h *post) answering(fn func(*profile.Tx, *profile.Message) error) profile.Handler {
	return func(tx *profile.Tx, m *profile.Message) (json.RawMessage, error) {
		if err := fn(tx, m); err != nil {
			return nil, err
		}
		return json.Marshal(given.Get(tx))
	}
}

// give gives what the message says.
func (h *post) give(tx *profile.Tx, m *profile.Message) error {
	var n int64
	if err := json.Unmarshal(m.Body, &n); err != nil {
		return err
	}
	if err := notes.Append(tx, m.ID); err != nil {
		return err
	}
	_ = given.Add(tx, n) // a refusal fails the update all the same
	return nil
}

func (h *post) later(tx *profile.Tx, m *profile.Message) error {
	if err := h.give(tx, m); err != nil || !h.full.Load() {
		return err
	}
	return fmt.Errorf("no room: %w", profile.ErrLater)
}

// flood sends more than an outbox holds.
func flood(tx *profile.Tx, _ *profile.Message) error {
	for range session.MaxOutbox + 1 {
		if _, err := tx.Send(person.Key("sink"), profile.Message{Topic: "give"}); err != nil {
			return err
		}
	}
	return nil
}

// large changes more than an append holds.
func large(tx *profile.Tx, _ *profile.Message) error {
	text := strings.Repeat("x", 1<<20)
	for i := range 40 {
		if err := notes.Set(tx, []string{text[i:]}); err != nil {
			return err
		}
	}
	return nil
}

// letter is a message of a topic that gives 5.
func letter(topic, id string) profile.Message {
	return profile.Message{ID: id, Topic: topic, Body: json.RawMessage("5")}
}

func (h *post) send(to string, m profile.Message) string {
	h.w.Helper()
	id, err := h.Send(h.w.ctx, to, m, nil)
	if err != nil {
		h.w.Fatalf("Send(%q, %q): %v", to, m.ID, err)
	}
	return id
}

// crash ends a server as SIGKILL would, as far as the database can tell.
func (h *post) crash() {
	h.f.Use(faulty.All(faulty.Fault{Err: faulty.ErrDown}))
	h.deaf.Store(true)
}

// visit loads a person on a server, closes it, and returns its notes.
func (h *post) visit(id string) []string {
	h.w.Helper()
	p := h.w.load(h.Server, id)
	got := noted(p)
	h.w.close(p)
	return got
}

func noted(p *profile.Profile) []string {
	var all []string
	for _, note := range notes.All(p) {
		all = append(all, note)
	}
	return all
}

// has wants a person to have handled these messages, in this order.
func (w *world) has(p *profile.Profile, ids ...string) {
	w.Helper()
	if got := noted(p); !slices.Equal(got, ids) || given.Get(p) != int64(5*len(ids)) {
		w.Errorf("%v has handled %d: %.500q, and was given %d; want %d: %.500q", p.Key(), len(got), got, given.Get(p), len(ids), ids)
	}
}

// left returns what lies in a folder of a person's.
func (w *world) left(id, folder string) []string {
	w.Helper()
	prefix := person.Key(id).String() + "/" + folder + "/"
	page, err := w.db.List(w.ctx, driver.Query{Prefix: prefix, KeysOnly: true})
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for _, e := range page.Entries {
		names = append(names, strings.TrimPrefix(e.Key, prefix))
	}
	return names
}

// put writes an entry past everything, as a program that is not this one would.
func (w *world) put(key, value string) {
	w.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = db.Close(w.ctx) }()
	id, err := db.NewVersion()
	if err == nil {
		_, err = db.Commit(w.ctx, store.Attempt{Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte(value)}}}})
	}
	if err != nil {
		w.Fatalf("put %q: %v", key, err)
	}
}

// settle lets what is under way come to its end.
func settle() { time.Sleep(2 * time.Second); synctest.Wait() }

// naming is a plan for commits that write a key beginning with a prefix.
func naming(prefix string, f faulty.Fault) faulty.Plan {
	return func(c *faulty.Call) faulty.Fault {
		if c.Op == faulty.Commit && slices.ContainsFunc(c.Keys, func(k string) bool { return strings.HasPrefix(k, prefix) }) {
			return f
		}
		return faulty.Fault{}
	}
}

// first is a plan that decides about one call only.
func first(plan faulty.Plan) faulty.Plan {
	done := false
	return func(c *faulty.Call) faulty.Fault {
		if done {
			return faulty.Fault{}
		}
		f := plan(c)
		done = f != (faulty.Fault{})
		return f
	}
}
