package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sweepTimeout is how long the server may take to be rid of processes that hold
// locks for nobody. It is asked again after the next commit that fails.
const sweepTimeout = 5 * time.Second

// backend is a process of the server's, which serves one connection. Ids are
// used again, so the time when it began belongs to it.
type backend struct {
	pid   int32
	began time.Time
}

// served is under which a connection remembers its backend.
const served = "holdfast.backend"

// sweeper asks the server to end backends that hold locks for nobody. Of a
// commit whose connection was lost, the server may have received half; it then
// waits for the rest, and keeps locks on a lease perhaps, until it notices that
// nobody is there. With a load balancer in between it may never do so.
type sweeper struct {
	pool *pgxpool.Pool // not the commits', whose connections may all be lost
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	running bool
	asked   bool
	gone    []backend // those that this program gave up since the server was asked last
}

func newSweeper(pool *pgxpool.Pool) *sweeper {
	s := &sweeper{pool: pool}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// close gives up what is under way and waits for its end. No call of failed may
// follow.
func (s *sweeper) close() {
	if s != nil {
		s.stop()
		s.wg.Wait()
	}
}

// failed is told of the connection of a commit that failed. It does not block:
// the server is asked by a goroutine, of which there is one at most.
func (s *sweeper) failed(c *pgx.Conn, err error) {
	if s == nil || !c.IsClosed() && code(err) != codeLock {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
	if b, ok := c.PgConn().CustomData()[served].(backend); ok && c.IsClosed() {
		s.gone = append(s.gone, b)
	}
	if !s.running {
		s.running = true
		s.wg.Go(s.run)
	}
}

// run asks the server as long as commits failed since it was asked last.
func (s *sweeper) run() {
	for {
		s.mu.Lock()
		gone := s.gone
		s.gone = nil
		s.running, s.asked = s.asked, false
		running := s.running
		s.mu.Unlock()
		if !running {
			return
		}
		s.sweep(gone)
	}
}

// sweep asks the server once. Nothing rests on its answer: without one the
// locks are in the way for longer.
func (s *sweeper) sweep(gone []backend) {
	ctx, cancel := context.WithTimeout(s.ctx, sweepTimeout)
	defer cancel()
	pids, began := make([]int32, len(gone)), make([]time.Time, len(gone))
	for i, b := range gone {
		pids[i], began[i] = b.pid, b.began
	}
	_, _ = s.pool.Exec(ctx, sqlAbandoned, pgx.QueryExecModeExec, pids, began)
}
