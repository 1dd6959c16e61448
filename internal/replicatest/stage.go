package replicatest

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Options are those of the stage's replica servers: quick, so that tests are.
var Options = replica.Options{
	Tick: 20 * time.Millisecond, Ping: 400 * time.Millisecond, Patience: 2 * time.Second, Linger: time.Minute,
}

// within bounds what a request to the stage takes.
const within = 20 * time.Second

// Stage is two game servers with players, and what tells them what to do.
type Stage struct {
	key   ed25519.PrivateKey
	disk  *disk
	games [2]*game
	http  *http.Server
	url   string

	mu      sync.Mutex // guards what follows
	players map[string]*actor
	count   int
}

// game is one game server.
type game struct {
	db       *store.DB
	profiles *profile.Server
	replicas *replica.Server
	handler  *replica.Handler
	http     *http.Server
	url      string
}

// actor is one player of the stage.
type actor struct {
	id    string
	proxy *Proxy

	mu sync.Mutex // guards what follows; held for the whole of a step
	at int        // the game server that is to have him
	p  *profile.Profile
}

// Begun is a player for a scenario.
type Begun struct {
	Player string `json:"player"`
	Token  string `json:"token"`
	URL    string `json:"url"` // of the player's proxy
}

// NewStage starts a stage on free ports of this machine.
func NewStage() (*Stage, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	s := &Stage{key: private, disk: &disk{DB: mem.Open(), broken: make(map[string]bool)}, players: make(map[string]*actor)}
	for i := range s.games {
		if s.games[i], err = newGame(s.disk, fmt.Sprint("game", i), public); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /scenarios", answer(func(*http.Request) (any, error) { return Scenarios() }))
	mux.HandleFunc("POST /begin", answer(s.begin))
	mux.HandleFunc("POST /step", answer(s.step))
	mux.HandleFunc("GET /state", answer(s.state))
	mux.HandleFunc("POST /end", answer(s.end))
	if s.http, s.url, err = serve(mux); err != nil {
		return nil, err
	}
	return s, nil
}

// disk is the database, which all game servers have. It can refuse to save players.
type disk struct {
	driver.DB
	mu     sync.Mutex
	broken map[string]bool // by the keys of their roots
}

// refuse has a player's saves refused from now on, or not any more.
func (d *disk) refuse(id string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken[schema.Key(id).String()] = on
}

// Commit refuses a group with the root of a player whose saves are refused.
func (d *disk) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	d.mu.Lock()
	for _, b := range g.Batches {
		for _, w := range b.Writes {
			if d.broken[w.Key] {
				d.mu.Unlock()
				return nil, fmt.Errorf("%w: the test says so", driver.ErrInvalid)
			}
		}
	}
	d.mu.Unlock()
	return d.DB.Commit(ctx, g)
}

// Close keeps the database open for the other servers.
func (d *disk) Close() error { return nil }

// newGame starts a game server.
func newGame(drv driver.DB, name string, key ed25519.PublicKey) (*game, error) {
	db, err := store.New(drv, nil)
	if err != nil {
		return nil, err
	}
	g := &game{db: db}
	o := &profile.Options{Autosave: -1}
	o.Session.Name, o.Session.Lease = name, session.MinLease // an erasure takes as long as that
	if g.profiles, err = profile.Open(context.Background(), db, schema, o); err != nil {
		return nil, err
	}
	if g.replicas, err = replica.NewServer(g.profiles, &Options); err != nil {
		return nil, err
	}
	g.handler, err = replica.NewHandler(g.replicas, replica.PlayerTokens(key), &replica.HandlerOptions{HelloWithin: 2 * time.Second, WriteWithin: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	if g.http, g.url, err = serve(g.handler); err != nil {
		return nil, err
	}
	g.url = "ws" + g.url[len("http"):]
	return g, nil
}

// serve serves HTTP on a free port, until the server is closed.
func serve(h http.Handler) (*http.Server, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: within}
	go func() { _ = srv.Serve(l) }() // until it is closed
	return srv, "http://" + l.Addr().String(), nil
}

// URL returns where the stage's requests go.
func (s *Stage) URL() string { return s.url }

// Close ends everything.
func (s *Stage) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	_ = s.http.Close()
	s.mu.Lock()
	for _, a := range s.players {
		a.proxy.Close()
	}
	s.mu.Unlock()
	for _, g := range s.games {
		_ = g.handler.Close(ctx)
		_ = g.http.Close()
		g.replicas.Close()
		_, _ = g.profiles.Close(ctx)
		_ = g.db.Close(ctx)
	}
}

// answer makes an HTTP handler of a function.
func answer(fn func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		v, err := fn(r.WithContext(ctx))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the asker notices
	}
}

func (s *Stage) begin(*http.Request) (any, error) {
	proxy, err := NewProxy(s.games[0].url)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.count++
	a := &actor{id: fmt.Sprint("p", s.count), proxy: proxy}
	s.players[a.id] = a
	s.mu.Unlock()
	token, err := replica.IssueToken(s.key, schema.Key(a.id), time.Minute)
	return Begun{Player: a.id, Token: token, URL: proxy.URL()}, err
}

func (s *Stage) actor(r *http.Request) (*actor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.URL.Query().Get("player")
	if a := s.players[id]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("no player %q", id)
}

func (s *Stage) end(r *http.Request) (any, error) {
	a, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	delete(s.players, a.id)
	s.mu.Unlock()
	a.proxy.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.p != nil {
		err = a.p.Close(r.Context())
	}
	return struct{}{}, err
}

func (s *Stage) state(r *http.Request) (any, error) {
	a, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.p == nil {
		return nil, errors.New("the player is not open")
	}
	return public(a.p)
}

// plant stores what the stage's schema cannot read.
func (s *Stage) plant(ctx context.Context, id string) error {
	db, err := store.New(s.disk, nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	srv, err := profile.Open(ctx, db, foreign, nil)
	if err != nil {
		return err
	}
	p, err := srv.Open(ctx, id, nil)
	if err == nil {
		err = p.Update(func(tx *profile.Tx) error { return foreignCoins.Set(tx, "many") })
	}
	_, failed := srv.Close(ctx)
	return errors.Join(err, failed)
}

// erase erases a player.
func (s *Stage) erase(ctx context.Context, a *actor) error {
	_, err := s.games[a.at].profiles.Erase(ctx, a.id, &session.EraseOptions{})
	return err
}
