package profile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// Item is what players own in these tests.
type Item struct {
	Name  string   `json:"name"`
	Level int      `json:"level"`
	Gems  []string `json:"gems,omitempty"`
}

// Settings has a default with inner parts.
type Settings struct {
	Volume int            `json:"volume"`
	Music  bool           `json:"music"`
	Keys   map[string]int `json:"keys"`
	Tags   []Item         `json:"tags"`
}

var (
	coins    = profile.Int("coins", 500, profile.Min(0), profile.Max(1_000_000))
	luck     = profile.Float("luck", 0.5, profile.Min(0))
	veteran  = profile.Bool("veteran", false)
	nick     = profile.String("nick", "nobody", profile.MaxLen(20))
	born     = profile.Time("born", time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC))
	blob     = profile.Bytes("blob", []byte{1, 2, 3})
	settings = profile.Value("settings", Settings{
		Volume: 7, Music: true, Keys: map[string]int{"jump": 32}, Tags: []Item{{Name: "first", Level: 9}},
	})
	bag     = profile.Map[Item]("bag")
	quests  = profile.List[Item]("quests")
	friends = profile.Set("friends", profile.MaxLen(3))
	kills   = profile.Counters("kills", profile.Min(0))
	lazy    = profile.Int("lazy", 0, profile.Lazy())
	secret  = profile.String("secret", "", profile.Private())

	player = profile.NewSchema("player",
		coins, luck, veteran, nick, born, blob, settings, bag, quests, friends, kills, lazy, secret)
)

// world is a database with servers of games, in a bubble of simulated time.
type world struct {
	*testing.T
	ctx context.Context
	db  *mem.DB
}

// bubble runs fn in a bubble with an empty database.
func bubble(t *testing.T, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fn(&world{t, t.Context(), mem.Open()})
		synctest.Wait()
	})
}

// open keeps the shared database open when one server's store is closed.
type open struct{ driver.DB }

func (open) Close() error { return nil }

// server starts a server on the world's database, which is closed with the
// test if the test does not do that.
func (w *world) server(name string, o *profile.Options) *profile.Server {
	w.Helper()
	return w.serverOn(name, open{w.db}, player, o)
}

func (w *world) serverOn(name string, drv driver.DB, schema *profile.Schema, o *profile.Options) *profile.Server {
	w.Helper()
	db, err := store.New(drv, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	var opts profile.Options
	if o != nil {
		opts = *o
	}
	opts.Session.Name = name
	if opts.Session.Retention == nil {
		opts.Session.Retention = &driver.Retention{} // all versions
	}
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

// load opens a profile that must be in order.
func (w *world) load(srv *profile.Server, id string) *profile.Profile {
	w.Helper()
	p := w.loadAny(srv, id)
	if p.Err() != nil {
		w.Fatalf("Open(%q): the profile is errored: %v", id, p.Err())
	}
	return p
}

// loadAny opens a profile that may be errored.
func (w *world) loadAny(srv *profile.Server, id string) *profile.Profile {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	p, err := srv.Open(ctx, id, nil)
	if err != nil {
		w.Fatalf("Open(%q): %v", id, err)
	}
	return p
}

func (w *world) close(p *profile.Profile) {
	w.Helper()
	if err := p.Close(w.ctx); err != nil {
		w.Fatalf("Close of %v: %v", p.Key(), err)
	}
}

func (w *world) update(p *profile.Profile, fn func(tx *profile.Tx)) {
	w.Helper()
	if err := p.Update(func(tx *profile.Tx) error { fn(tx); return nil }); err != nil {
		w.Fatalf("Update of %v: %v", p.Key(), err)
	}
}

// refuses checks that an update fails with an error and changes nothing that
// can be read.
func (w *world) refuses(p *profile.Profile, want error, fn func(tx *profile.Tx)) {
	w.Helper()
	before := dump(p)
	err := p.Update(func(tx *profile.Tx) error { fn(tx); return nil })
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
	if s == nil {
		return ""
	}
	s.Lock()
	defer s.Unlock()
	return string(s.Document().AppendJSON(nil))
}

// stored returns the data in a player's root, as they are in the database.
func (w *world) stored(srv *profile.Server, id string) string {
	w.Helper()
	v, err := srv.Session().Peek(w.ctx, srv.Schema().Key(id))
	if err != nil {
		w.Fatalf("Peek(%q): %v", id, err)
	}
	return string(v.Document.AppendJSON(nil))
}

// plant stores data for a player past all schemas.
func (w *world) plant(id string, data func(*profile.Tx)) {
	w.Helper()
	srv := w.serverOn("planter", open{w.db}, foreign, nil)
	p := w.load(srv, id)
	w.update(p, data)
	if _, err := srv.Close(w.ctx); err != nil {
		w.Fatalf("Close of the planter: %v", err)
	}
}

// foreign has fields of player under other types, and one that player does not
// have.
var (
	foreignCoins    = profile.Value[any]("coins", nil)
	foreignSettings = profile.Value[any]("settings", nil)
	foreignBag      = profile.Value[any]("bag", nil)
	foreignBig      = profile.Value("big", jsonNumber)
	foreignExtra    = profile.String("extra", "")
	foreign         = profile.NewSchema("player", foreignCoins, foreignSettings, foreignBag, foreignBig, foreignExtra)
)
