package fromroblox

import (
	"context"
	"errors"
	"log"
	"testing"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// game is what the examples run in: two servers of one fleet. In a real one each is
// a process of its own, over sqlite.Open or postgres.Open.
type game struct {
	db    *store.DB
	buses [2]*bus.Bus
	a, b  *profile.Server
}

// start starts both servers. OnOpen is called for each player who is loaded; nil
// is not.
func start(schema *profile.Schema, onOpen func(*profile.Profile)) *game {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	must(err)
	g, line := &game{db: db}, bus.NewLocal()
	for i, srv := range []**profile.Server{&g.a, &g.b} {
		g.buses[i], err = line.Open(nil)
		must(err)
		o := &profile.Options{OnOpen: onOpen}
		o.Session.Bus = g.buses[i]
		*srv, err = profile.Open(ctx, db, schema, o)
		must(err)
	}
	return g
}

// stop saves and releases everybody, and closes the rest.
func (g *game) stop() {
	ctx := context.Background()
	for _, srv := range []*profile.Server{g.a, g.b} {
		_, err := srv.Close(ctx)
		must(err)
	}
	must(errors.Join(g.buses[0].Close(), g.buses[1].Close(), g.db.Close(ctx)))
}

// join loads a player on a server.
func join(srv *profile.Server, id string) *profile.Profile {
	p, err := srv.Open(context.Background(), id, nil)
	must(err)
	return p
}

// leave saves and releases a player.
func leave(p *profile.Profile) { must(p.Close(context.Background())) }

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
