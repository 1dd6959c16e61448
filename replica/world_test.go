package replica_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/store"
)

// Item is what players own in these tests.
type Item struct {
	Name  string `json:"name"`
	Level int    `json:"level"`
}

var (
	coins  = profile.Int("coins", 500, profile.Min(0))
	xp     = profile.Int("xp", 0)
	nick   = profile.String("nick", "nobody")
	bag    = profile.Map[Item]("bag")
	kills  = profile.Counters("kills")
	tags   = profile.Set("tags")
	quests = profile.List[string]("quests")
	target = profile.String("target", "", profile.Volatile())
	played = profile.PlayTime("played")
	secret = profile.String("secret", "hidden-default", profile.Private())
	level  = profile.Computed("level", func(r profile.Reader) int64 { return xp.Get(r)/100 + 1 }, xp)
	rank   = profile.Computed("rank", func(r profile.Reader) string { return fmt.Sprint("rank ", level.Get(r)/10) }, level)

	player = profile.NewSchema("player", coins, xp, nick, bag, kills, tags, quests, target, played, secret, level, rank)
)

// world is a database with servers of games.
type world struct {
	*testing.T
	ctx context.Context
	db  *mem.DB
}

// bubble runs fn in a bubble of simulated time with an empty database.
func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(newWorld(t)) })
}

func newWorld(t *testing.T) *world { return &world{t, t.Context(), mem.Open()} }

// open keeps the shared database open when one server's store is closed.
type open struct{ driver.DB }

func (open) Close() error { return nil }

// profiles starts a game server on the world's database.
func (w *world) profiles(name string, o *profile.Options) *profile.Server {
	w.Helper()
	return w.profilesOn(name, player, o)
}

func (w *world) profilesOn(name string, schema *profile.Schema, o *profile.Options) *profile.Server {
	w.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	var opts profile.Options
	if o != nil {
		opts = *o
	}
	opts.Session.Name = name
	srv, err := profile.Open(w.ctx, db, schema, &opts)
	if err != nil {
		w.Fatalf("profile.Open(%q): %v", name, err)
	}
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, _ = srv.Close(ctx)
		_ = db.Close(ctx)
	})
	return srv
}

// replicas starts a replica server.
func (w *world) replicas(ps *profile.Server, o *replica.Options) *replica.Server {
	w.Helper()
	s, err := replica.NewServer(ps, o)
	if err != nil {
		w.Fatalf("NewServer: %v", err)
	}
	w.Cleanup(s.Close)
	return s
}

// load opens a profile, for the game.
func (w *world) load(srv *profile.Server, id string) *profile.Profile {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	p, err := srv.Open(ctx, id, nil)
	if err != nil {
		w.Fatalf("Open(%q): %v", id, err)
	}
	return p
}

func (w *world) update(p *profile.Profile, fn func(tx *profile.Tx)) {
	w.Helper()
	if err := p.Update(func(tx *profile.Tx) error { fn(tx); return nil }); err != nil {
		w.Fatalf("Update of %v: %v", p.Key(), err)
	}
}

// viewer is a watcher and the replica that its frames are applied to.
type viewer struct {
	*world
	watcher *replica.Watcher
	replica *replica.Replica
}

func (w *world) view(s *replica.Server, id string) *viewer {
	w.Helper()
	return w.resume(s, id, replica.NewReplica())
}

// resume watches from where a replica stands.
func (w *world) resume(s *replica.Server, id string, r *replica.Replica) *viewer {
	w.Helper()
	watcher, err := s.Watch(id, r.Resume(), nil)
	if err != nil {
		w.Fatalf("Watch(%q): %v", id, err)
	}
	w.Cleanup(watcher.Close)
	return &viewer{w, watcher, r}
}

// next returns the next frame, and applies it.
func (v *viewer) next() replica.Frame {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, time.Hour)
	defer cancel()
	f, err := v.watcher.Next(ctx)
	if err != nil {
		v.Fatalf("Next: %v", err)
	}
	if err := v.replica.Apply(f.Text); err != nil && f.Type != replica.TypeEnd {
		v.Fatalf("Apply(%s): %v", f.Text, err)
	}
	return f
}

// wants checks the next frame.
func (v *viewer) wants(text string) {
	v.Helper()
	if f := v.next(); string(f.Text) != text {
		v.Errorf("the next frame is\n%s\nwant\n%s", f.Text, text)
	}
}

// wantsType checks the type of the next frame, and returns it.
func (v *viewer) wantsType(want replica.Type) replica.Frame {
	v.Helper()
	f := v.next()
	if f.Type != want {
		v.Errorf("the next frame is %s, want one of type %q", f.Text, want)
	}
	return f
}

// wantsNothing checks that no frame comes for a long time.
func (v *viewer) wantsNothing() {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 10*time.Second)
	defer cancel()
	if f, err := v.watcher.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		v.Errorf("Next() = %s, %v, want nothing", f.Text, err)
	}
}

// wantsEnd checks that what comes next is the end, for a reason.
func (v *viewer) wantsEnd(want replica.Reason) {
	v.Helper()
	if f := v.next(); f.Type != replica.TypeEnd || f.Reason != want {
		v.Errorf("the next frame is %s, want the end with %q", f.Text, want)
	}
}

// wantsField checks what the replica has of a field; empty: nothing.
func (v *viewer) wantsField(name, want string) {
	v.Helper()
	if got, _ := v.replica.JSON(name); string(got) != want {
		v.Errorf("the replica has %s = %s, want %s", name, got, want)
	}
}

// public returns what clients are to see of a profile.
func public(t testing.TB, p *profile.Profile) map[string]string {
	t.Helper()
	all := make(map[string]string)
	p.View(func(r profile.Reader) {
		for _, f := range p.Schema().Fields() {
			if p.Private(f) || f.Name() == played.Name() {
				continue
			}
			text, err := f.JSON(r)
			if err != nil {
				t.Errorf("JSON of %q: %v", f.Name(), err)
			}
			all[f.Name()] = canonical(t, text)
		}
	})
	return all
}

// canonical returns a JSON text with its members in order.
func canonical(t testing.TB, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// has returns what a replica has.
func has(t testing.TB, r *replica.Replica) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for name, value := range r.Fields() {
		if name != played.Name() {
			all[name] = canonical(t, value)
		}
	}
	return all
}
