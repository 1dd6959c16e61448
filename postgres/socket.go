package postgres

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// farewell is how long a connection that has failed may take to end, and a
// request to cancel what it was doing. The pool counts the connection until
// then, so a server that has fallen silent must not draw it out.
const farewell = time.Second

// line makes the socket of one connection, and those for the requests to cancel
// what it does.
type line struct {
	life context.Context // when it ends, every socket is closed
	made atomic.Bool     // the connection stands; what is dialled now is a request to cancel
}

// give gives a connection that is about to be made a line of its own.
func give(life context.Context, c *pgx.ConnConfig) {
	l := &line{life: life}
	c.DialFunc = l.dial
	c.AfterConnect = func(context.Context, *pgconn.PgConn) error {
		l.made.Store(true)
		return nil
	}
}

// dialer notices within half a minute that a server has vanished.
var dialer = net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}

// dial implements pgconn.DialFunc.
func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	cancels := l.made.Load()
	last := time.Now().Add(farewell)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if cancels {
		ctx, stop = context.WithDeadline(ctx, last)
		defer stop()
	}
	defer context.AfterFunc(l.life, stop)()
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: c}
	s.forget = context.AfterFunc(l.life, func() { c.Close() })
	if !cancels {
		return s, nil
	}
	// Nobody says anything on it after the request but the server's kernel, and
	// a server that has fallen silent not even that.
	s.last.Store(&last)
	return s, s.SetDeadline(last)
}

// socket is a net.Conn that does not linger once it has failed.
type socket struct {
	net.Conn
	last   atomic.Pointer[time.Time] // no deadline is later than that; nil: it has not failed
	forget func() bool
}

// note remembers the first failure. A read that a deadline ends is one too: pgx
// gives up a connection whose call has run out of time.
func (s *socket) note(err error) {
	if err != nil && s.last.Load() == nil {
		last := time.Now().Add(farewell)
		s.last.CompareAndSwap(nil, &last)
	}
}

// Read implements net.Conn.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.note(err)
	return n, err
}

// Write implements net.Conn.
func (s *socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	s.note(err)
	return n, err
}

// Close implements net.Conn.
func (s *socket) Close() error {
	s.forget()
	return s.Conn.Close()
}

// SetDeadline implements net.Conn.
func (s *socket) SetDeadline(t time.Time) error { return s.Conn.SetDeadline(s.clip(t)) }

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(t time.Time) error { return s.Conn.SetReadDeadline(s.clip(t)) }

// SetWriteDeadline implements net.Conn.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.Conn.SetWriteDeadline(s.clip(t)) }

// clip returns the deadline t, or none for zero, as far as there is time left.
func (s *socket) clip(t time.Time) time.Time {
	if last := s.last.Load(); last != nil && (t.IsZero() || t.After(*last)) {
		return *last
	}
	return t
}
