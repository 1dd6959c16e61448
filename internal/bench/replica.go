package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/session"
)

const (
	// middleBag is how many items a bag holds so that a player's data have about 20 KB.
	middleBag = 300
	// replicaTick is the tick that the server has by default.
	replicaTick = 50 * time.Millisecond
	// replicaWithin is by when an update should have reached a client, in milliseconds
	// beside the tick.
	replicaWithin = 100
	// replicaBytes is how many bytes the change of a number may take.
	replicaBytes = 100
	// countsWithin is by when bytes have been counted that a client has got: it may get
	// them before who writes them knows.
	countsWithin = 100 * time.Millisecond
	// replicaMemory is how much of the server's memory a client may take, in KB.
	replicaMemory = 30
	// unwatchedMost and unreadMost are how often an update and a read of who is not
	// watched may take the time that they take without replication. The second one
	// allows for what two measurements of one thing differ.
	unwatchedMost, unreadMost = 1.25, 1.1
)

// shown is a game server that shows its players to clients.
type shown struct {
	r        *run
	profiles *profile.Server
	replicas *replica.Server
	handler  *replica.Handler
	http     *http.Server
	url      string
	read     atomic.Int64 // bytes that went to clients
	players  []*profile.Profile
}

// show starts a server with players of about 20 KB.
func (r *run) show(db *database, players int) (s *shown, err error) {
	s = &shown{r: r, players: make([]*profile.Profile, players)}
	s.profiles, err = profile.Open(r.ctx, db.DB, schema, &profile.Options{
		Session: session.Options{Name: "replica", JournalBytes: fleetJournal}, Autosave: -1, // saves need memory too
	})
	if err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := seed(r.ctx, s.profiles.Session(), 0, players, middleBag); err != nil {
		return nil, errors.Join(err, s.close())
	}
	err = each(opening, players, func(i int) (err error) {
		s.players[i], err = s.profiles.Open(r.ctx, playerID(i), nil)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// begin serves clients.
func (s *shown) begin() (err error) {
	if s.replicas, err = replica.NewServer(s.profiles, &replica.Options{Tick: replicaTick}); err != nil {
		return err
	}
	everybody := func(context.Context, *http.Request, session.Key, string) error { return nil }
	if s.handler, err = replica.NewHandler(s.replicas, everybody, nil); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.http = &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(counted{l, &s.read}) }() // until it is closed
	s.url = "ws://" + l.Addr().String()
	return nil
}

func (s *shown) close() (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.r.ctx), time.Minute)
	defer cancel()
	if s.handler != nil {
		err = s.handler.Close(ctx)
	}
	if s.http != nil {
		err = errors.Join(err, s.http.Close())
	}
	if s.replicas != nil {
		s.replicas.Close()
	}
	return errors.Join(err, s.r.closeServer(s.profiles))
}

// counted counts the bytes that are written to what it accepts.
type counted struct {
	net.Listener
	written *atomic.Int64
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{conn, c.written}, nil
}

type countedConn struct {
	net.Conn
	written *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// replicas measures what it costs to show players to clients, and how soon these see
// what has changed. The clients are a process of their own.
func (r *run) replicas() (figures []Figure, err error) {
	db, err := r.open("replica.bytes")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	s, err := r.show(db, r.sizes.viewers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	small, err := s.small()
	if err != nil {
		return nil, err
	}
	figures = append(figures, small)
	if !r.processes(db) {
		return append(figures, skipped(alone, "replica.latency", "replica.memory")...), nil
	}
	crowd, err := s.crowd()
	return append(figures, crowd...), err
}

// small measures how many bytes the change of one number is on the wire.
func (s *shown) small() (f Figure, err error) {
	c, err := replica.Dial(s.url, playerID(0), nil)
	if err != nil {
		return f, err
	}
	defer c.Close()
	if err := c.WaitLoaded(s.r.ctx); err != nil {
		return f, err
	}
	if err := s.r.sleep(countsWithin); err != nil {
		return f, err
	}
	came := make(chan struct{}, 1)
	c.Replica().OnUpdated("coins", func(json.RawMessage) { came <- struct{}{} })
	state, before := s.read.Load(), s.read.Load()
	const changes = 5
	for i := range changes {
		err := s.players[0].Update(func(tx *profile.Tx) error { return coins.Set(tx, int64(123_456_789+i)) })
		if err != nil {
			return f, err
		}
		select {
		case <-came:
		case <-s.r.ctx.Done():
			return f, context.Cause(s.r.ctx)
		}
	}
	if err := s.r.sleep(countsWithin); err != nil {
		return f, err
	}
	each := float64(s.read.Load()-before) / changes
	return Figure{Name: "replica.bytes", Value: each, Unit: "bytes"}.limited(fmt.Sprintf("under %d", replicaBytes), each < replicaBytes).
		noted("one number of a player of %s, with the WebSocket's own; the state took %d", size(s.players[0]), state), nil
}

// crowd has every player watched by a client, and changes each once a second.
func (s *shown) crowd() ([]Figure, error) {
	w, err := s.r.hire("replica.bytes", roleWatch)
	if err != nil {
		return nil, err
	}
	f, err := s.watched(w)
	return f, errors.Join(err, w.dismiss())
}

func (s *shown) watched(w *worker) ([]Figure, error) {
	ctx, cancel := context.WithCancel(s.r.ctx)
	changing := make(chan error, 1)
	go func() { changing <- s.change(ctx) }()
	defer func() { cancel(); <-changing }()
	if err := s.r.sleep(s.r.sizes.watch / 3); err != nil { // until the server is as it is when nobody watches
		return nil, err
	}
	before := memoryInUse()
	if _, err := w.tell(order{URL: s.url, Clients: len(s.players)}); err != nil {
		return nil, err
	}
	if err := s.r.sleep(s.r.sizes.watch / 3); err != nil {
		return nil, err
	}
	if _, err := w.tell(order{Begin: true}); err != nil {
		return nil, err
	}
	if err := s.r.sleep(s.r.sizes.watch); err != nil {
		return nil, err
	}
	a, err := w.tell(order{})
	if err != nil {
		return nil, err
	}
	each := float64(memoryInUse()-before) / float64(len(s.players)) / 1024
	after := milliseconds(a.Took) - milliseconds(replicaTick)
	return []Figure{
		Figure{Name: "replica.latency", Value: milliseconds(a.Took), Unit: "ms"}.
			limited(fmt.Sprintf("at most %d ms and the tick of %v", replicaWithin, replicaTick), after <= replicaWithin).
			noted("p99 from update to client; half within %.1f ms; %d clients, %d changes", milliseconds(a.Half), len(s.players), a.Count),
		Figure{Name: "replica.memory", Value: max(each, 0.1), Unit: "KB"}.atMost(replicaMemory).
			noted("for each of %d clients: heap and stacks of the server's process", len(s.players)),
	}, nil
}

// change changes each player once a second, evenly, to the time at which it does.
func (s *shown) change(ctx context.Context) error {
	began := time.Now()
	for i := 0; ; i++ {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(len(s.players)))
		if wait := time.Until(due); wait > time.Millisecond {
			time.Sleep(wait)
		}
		if ctx.Err() != nil {
			return nil
		}
		err := s.players[i%len(s.players)].Update(func(tx *profile.Tx) error { return coins.Set(tx, time.Now().UnixNano()) })
		if err != nil {
			return err
		}
	}
}

// memoryInUse returns how many bytes are in use, after a collection.
func memoryInUse() int64 {
	heap := heapInUse()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return heap + int64(m.StackInuse)
}

// unwatched measures what replication adds to an update and a read of a player whom
// nobody watches, beside the same on a server without it.
func (r *run) unwatched() (figures []Figure, err error) {
	db, err := r.open("replica.update")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	s, err := r.show(db, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	bare, err := profile.Open(r.ctx, db.DB, schema, &profile.Options{Session: session.Options{Name: "replica.bare"}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(bare)) }()
	if err := seed(r.ctx, bare.Session(), 2, 3, middleBag); err != nil {
		return nil, err
	}
	p, err := bare.Open(r.ctx, playerID(2), nil)
	if err != nil {
		return nil, err
	}
	update, err := r.nanoseconds(updates(s.players[0]), updates(p))
	if err != nil {
		return nil, err
	}
	read, err := r.nanoseconds(reads(s.players[0]), reads(p))
	if err != nil {
		return nil, err
	}
	w, err := s.replicas.Watch(playerID(1), replica.Position{}, nil)
	if err != nil {
		return nil, err
	}
	w.Close() // from here on, what changes is noted until somebody comes back
	lingering, err := r.nanoseconds(updates(s.players[1]), updates(p))
	const without = "the same without replication"
	return []Figure{
		Figure{Name: "replica.update", Unit: "ns"}.beside(without, update).ratioAtMost(unwatchedMost).noted("of a player whom nobody watches"),
		Figure{Name: "replica.update.lingering", Unit: "ns"}.beside(without, lingering).noted("of a player whose last watcher may come back"),
		Figure{Name: "replica.read", Unit: "ns"}.beside(without, read).ratioAtMost(unreadMost),
	}, err
}
