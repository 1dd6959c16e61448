// Package doorbell holds every bus to what hand-over wants of it: a player moves
// by the bus alone, without it, and when it is cut in the middle.
package doorbell

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// patience is how long a fact waits for what must come.
const patience = time.Minute

// facts are what is true on every bus.
var facts = []struct {
	name string
	test func(*world)
}{
	{"HandOverNeedsNoRequestInTheDatabase", byBus},
	{"HandOverNeedsNoBus", withoutBus},
	{"HandOverGoesOnWhenTheLineIsCutInTheMiddle", lineCut},
	{"HandOverGoesOnWhenTheBusIsCutInTheMiddle", mediumCut},
	{"ManyPlayersAreHandedOverAtOnce", many},
}

// Run holds a bus to all facts, as bustest.Run does.
func Run(t *testing.T, run func(t *testing.T, fact func(t *testing.T, m *bustest.Medium))) {
	for _, f := range facts {
		t.Run(f.name, func(t *testing.T) {
			run(t, func(t *testing.T, m *bustest.Medium) {
				w := &world{T: t, medium: m, db: faulty.New(remote{mem.Open()})}
				defer w.close()
				f.test(w)
			})
		})
	}
}

// remote is a database that is not looked into often, as those that are reached
// over a network.
type remote struct{ *mem.DB }

// Info implements driver.DB.
func (r remote) Info() driver.Info {
	info := r.DB.Info()
	info.Look = 0
	return info
}

// shared keeps the database open when one server's store is closed.
type shared struct{ driver.DB }

func (shared) Close() error { return nil }

// world is a database and a bus with servers.
type world struct {
	*testing.T
	medium *bustest.Medium
	db     *faulty.DB
	ends   []func(context.Context) error
}

// server is one server with its line to the bus.
type server struct {
	*session.Server
	line *bustest.Line
}

// open starts a server.
func (w *world) open(name string, handOver func(context.Context, *session.Session)) *server {
	w.Helper()
	inner, err := w.medium.Dial(w.Context())
	if err != nil {
		w.Fatalf("Dial: %v", err)
	}
	line := bustest.NewLine(inner, 1)
	b, err := bus.Open(line, nil)
	if err != nil {
		w.Fatalf("bus.Open: %v", err)
	}
	w.ends = append(w.ends, func(context.Context) error { return b.Close() })
	db, err := store.New(shared{w.db}, nil)
	if err != nil {
		w.Fatalf("store.New: %v", err)
	}
	w.ends = append(w.ends, db.Close)
	srv, err := session.Open(w.Context(), db, &session.Options{Name: name, Bus: b, HandOver: handOver, HandOverTime: patience})
	if err != nil {
		w.Fatalf("session.Open: %v", err)
	}
	w.ends = append(w.ends, func(ctx context.Context) error {
		_, err := srv.Close(ctx)
		return err
	})
	return &server{srv, line}
}

// close closes everything, last things first.
func (w *world) close() {
	w.Helper()
	w.db.Use()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, end := range slices.Backward(w.ends) {
		if err := end(ctx); err != nil {
			w.Errorf("close: %v", err)
		}
	}
}

// onlyByBus has no request reach the database.
func (w *world) onlyByBus() {
	isRequest := func(key string) bool { return strings.HasPrefix(key, store.SystemKey("request")) }
	w.db.Use(func(c *faulty.Call) faulty.Fault {
		if c.Op == faulty.Commit && slices.ContainsFunc(c.Keys, isRequest) {
			return faulty.Fault{Err: faulty.ErrDown}
		}
		return faulty.Fault{}
	})
}

func key(i int) session.Key { return session.Key{Kind: "player", ID: fmt.Sprint(i)} }

// visit opens a player on a server, who must have a number of visits, and adds
// one.
func (w *world) visit(srv *server, player, visits int) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	s, err := srv.Open(ctx, key(player), nil)
	if err != nil {
		w.Errorf("Open of player %d on %s: %v", player, srv.Name(), err)
		return
	}
	got, err := count(s)
	if err != nil || got != visits {
		w.Errorf("player %d on %s has %d visits, %v; want %d", player, srv.Name(), got, err, visits)
	}
}

// count adds a visit, and returns how many there were before.
func count(s *session.Session) (visits int, err error) {
	tx, err := s.Begin()
	if err != nil {
		return 0, err
	}
	path := document.Field("visits")
	if value, ok := tx.Document().Get(path); ok {
		err = json.Unmarshal(value, &visits)
	}
	if err == nil {
		err = tx.Set(path, fmt.Append(nil, visits+1), false)
	}
	if err != nil {
		session.Rollback(tx)
		return 0, err
	}
	return visits, session.Commit(false, tx)
}

func byBus(w *world) {
	servers := []*server{w.open("a", nil), w.open("b", nil)}
	w.onlyByBus()
	for i := range 20 {
		w.visit(servers[i%2], 1, i)
	}
}

func withoutBus(w *world) {
	servers := []*server{w.open("a", nil), w.open("b", nil)}
	for _, srv := range servers {
		srv.line.Cut()
	}
	for i := range 3 {
		w.visit(servers[i%2], 1, i)
	}
}

// cutMeanwhile cuts while the first server's game finishes, and joins when the
// player has moved.
func cutMeanwhile(w *world, cut, join func(servers []*server)) {
	var servers []*server
	handing := make(chan struct{})
	once := sync.OnceFunc(func() {
		cut(servers)
		close(handing)
	})
	servers = []*server{w.open("a", func(context.Context, *session.Session) { once() }), w.open("b", nil)}
	w.visit(servers[0], 1, 0)
	w.visit(servers[1], 1, 1)
	<-handing
	w.visit(servers[0], 1, 2)
	join(servers)
	for i := range 4 {
		w.visit(servers[(i+1)%2], 1, i+3)
	}
}

func lineCut(w *world) {
	cutMeanwhile(w,
		func(servers []*server) {
			for _, srv := range servers {
				srv.line.Cut()
			}
		},
		func(servers []*server) {
			for _, srv := range servers {
				srv.line.Join()
			}
			w.onlyByBus()
		})
}

func mediumCut(w *world) {
	if w.medium.Cut == nil {
		w.Skip("this bus cannot be cut")
	}
	cutMeanwhile(w, func([]*server) { w.medium.Cut(w.T) }, func([]*server) { w.medium.Join(w.T) })
}

func many(w *world) {
	const players = 100
	servers := []*server{w.open("a", nil), w.open("b", nil), w.open("c", nil)}
	for i := range players {
		w.visit(servers[0], i, 0)
	}
	for round := 1; round < 4; round++ {
		var wg sync.WaitGroup
		for i := range players {
			wg.Go(func() { w.visit(servers[(i*round)%3], i, round) })
		}
		wg.Wait()
	}
}
