package outage_test

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/session"
)

// setBack is a cluster of which an older copy can take its place.
type setBack struct {
	t       *testing.T
	ctx     context.Context
	cluster *pgtest.Cluster
	data    string // folder of the cluster's files
}

func newSetBack(t *testing.T, ctx context.Context, cluster *pgtest.Cluster) *setBack {
	t.Helper()
	b := &setBack{t: t, ctx: ctx, cluster: cluster}
	c, err := pgx.Connect(ctx, cluster.URL())
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	if err := c.QueryRow(ctx, "SHOW data_directory").Scan(&b.data); err != nil {
		t.Fatalf("data_directory: %v", err)
	}
	if err := c.Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return b
}

func (b *setBack) run(name string, args ...string) {
	b.t.Helper()
	if out, err := exec.CommandContext(b.ctx, name, args...).CombinedOutput(); err != nil {
		b.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// copy keeps a copy of the cluster as it is, and starts it again.
func (b *setBack) copy() {
	b.t.Helper()
	b.cluster.Stop()
	b.run("cp", "-a", b.data, b.data+".copy")
	b.cluster.Restart()
}

// restore puts the copy in the place of the cluster, and starts that.
func (b *setBack) restore() {
	b.t.Helper()
	b.cluster.Kill()
	b.run("rm", "-rf", b.data)
	b.run("mv", b.data+".copy", b.data)
	restart(b.ctx, b.t, b.cluster)
}

// TestADatabaseThatWasSetBack replaces the database by an older copy while
// servers run. Their sessions are over and say why, and what the copy holds is
// not overwritten by what they have in memory.
func TestADatabaseThatWasSetBack(t *testing.T) {
	t.Parallel() // it waits more than it works
	f := newFleet(t, 0, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	f.ctx = ctx
	h := &holders{t: t, f: f, ended: make(map[*player]chan error)}
	h.setBack()
	t.Run("EndsAllSessionsAndSaysWhy", h.sayWhy)
	t.Run("IsNotOverwritten", h.holdTheCopy)
	t.Run("ServesOnUnderNewLeases", h.serveOn)
}

// setBack lets two servers change players before and after a copy was taken, and
// puts the copy in the place of the database.
func (h *holders) setBack() {
	h.t.Helper()
	f := h.f
	first := f.start()
	b := newSetBack(h.t, f.ctx, f.cluster)
	h.old = make(map[*player]*update)
	for _, p := range f.check.players[:3] {
		h.old[p] = h.keep(h.open(first, p), true)
	}
	p, q, moved, born := f.check.players[0], f.check.players[1], f.check.players[2], f.check.players[3]
	if err := first.holds(moved).Close(f.ctx); err != nil {
		h.t.Fatalf("Close: %v", err)
	}
	b.copy()
	second := f.start() // the copy knows nothing of it
	h.keep(first.holds(p), true)
	h.keep(first.holds(q), false) // in the journal alone
	h.keep(h.open(second, moved), true)
	h.keep(h.open(second, born), true)
	b.restore()
	h.known, h.unknown = []*player{p, q}, []*player{moved, born}
}

func (h *holders) sayWhy(t *testing.T) {
	for _, p := range h.known {
		if err := h.end(p); !errors.Is(err, session.ErrLost) || !errors.Is(err, session.ErrHistoryLost) {
			t.Errorf("the session of %v ended with %v, want ErrLost and ErrHistoryLost", p.key, err)
		}
	}
	for _, p := range h.unknown {
		if err := h.end(p); !errors.Is(err, session.ErrLost) {
			t.Errorf("the session of %v, whose server the copy does not know, ended with %v, want ErrLost", p.key, err)
		}
	}
}

func (h *holders) holdTheCopy(t *testing.T) {
	srv := h.f.servers[0].srv
	for p, u := range h.old {
		v, err := srv.Peek(h.f.ctx, p.key)
		if err != nil {
			t.Errorf("Peek: %v", err)
			continue
		}
		if got, err := h.f.check.identify(p, v.Document.AppendJSON(nil)); err != nil || got != u {
			t.Errorf("%v holds update %v, %v, want %v as the copy did", p.key, got, err, u)
		}
	}
	born := h.f.check.players[3]
	if v, err := srv.Peek(h.f.ctx, born.key); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("Peek at a player who came after the copy = %v, %v, want ErrNotFound", v, err)
	}
}

func (h *holders) serveOn(t *testing.T) {
	f := h.f
	second := f.servers[1]
	for p, u := range h.old {
		ss, err := second.srv.Open(f.ctx, p.key, nil)
		if err != nil {
			t.Errorf("Open: %v", err)
			continue
		}
		if got := (&actor{s: second, c: f.check}).head(ss); got != u {
			t.Errorf("opened %v at update %v, want %v", p.key, got, u)
		}
	}
	for len(f.servers) > 0 {
		f.shutDown(f.servers[0])
	}
	if err := f.check.result(); err != nil {
		t.Error(err)
	}
}

// holders keeps sessions of which it is known how they end.
type holders struct {
	t              *testing.T
	f              *fleet
	ended          map[*player]chan error
	old            map[*player]*update // what the copy holds
	known, unknown []*player           // by whether the copy knows their servers
}

// open opens a player on a server.
func (h *holders) open(s *server, p *player) *session.Session {
	h.t.Helper()
	ended := make(chan error, 1)
	h.ended[p] = ended
	ss, err := s.srv.Open(h.f.ctx, p.key, &session.OpenOptions{Ended: func(_ *session.Session, err error) { ended <- err }})
	if err != nil {
		h.t.Fatalf("Open: %v", err)
	}
	s.take(p, ss)
	return ss
}

// keep makes one update durable, and saves it if so asked. A server that was
// suspended because the database was away is waited for.
func (h *holders) keep(ss *session.Session, save bool) *update {
	h.t.Helper()
	a := &actor{s: h.f.servers[0], c: h.f.check, ctx: h.f.ctx}
	made, err := a.change([]*session.Session{ss}, true)
	for errors.Is(err, session.ErrSuspended) && wait(h.f.ctx, 20*time.Millisecond) {
		made, err = a.change([]*session.Session{ss}, true)
	}
	if err == nil {
		err = ss.Sync(h.f.ctx)
	}
	if err == nil && save {
		err = ss.Save(h.f.ctx)
	}
	if err != nil {
		h.t.Fatalf("keep an update of %v: %v", ss.Key(), err)
	}
	return made[0]
}

// end waits until a player's session has ended.
func (h *holders) end(p *player) error {
	h.t.Helper()
	select {
	case err := <-h.ended[p]:
		return err
	case <-h.f.ctx.Done():
		h.t.Fatalf("the session of %v did not end", p.key)
		return nil
	}
}

// holds returns the session in which a server holds a player.
func (s *server) holds(p *player) *session.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ss, held := range s.held {
		if held == p {
			return ss
		}
	}
	return nil
}
