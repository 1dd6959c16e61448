package pgbus

import (
	"context"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Times of the connection that listens.
const (
	pingEvery  = 10 * time.Second // of silence
	pingTime   = 5 * time.Second
	listenTime = 2 * time.Second // that Listen waits
	closeTime  = time.Second
	firstDelay = 20 * time.Millisecond // until the first try to connect again
	lastDelay  = 2 * time.Second
)

// listener owns the connection that listens.
type listener struct {
	t    *transport
	done chan struct{} // closed when run has ended

	mu        sync.Mutex // guards what follows
	wanted    map[string][]*ear
	down      bool
	waiting   []chan struct{}    // closed when what is wanted now is listened to
	dirty     bool               // what is wanted has changed
	interrupt context.CancelFunc // of the wait for a notification
}

// ear is one who listens to a channel.
type ear struct{ fn func(packet []byte) }

func newListener(t *transport) *listener {
	return &listener{t: t, done: make(chan struct{}), wanted: make(map[string][]*ear)}
}

// add listens to a channel.
func (l *listener) add(channel string, fn func([]byte)) (stop func()) {
	e, heard := &ear{fn}, make(chan struct{})
	l.mu.Lock()
	l.wanted[channel] = append(slices.Clone(l.wanted[channel]), e)
	if l.down {
		close(heard)
	} else {
		l.waiting = append(l.waiting, heard)
	}
	l.changeLocked()
	l.mu.Unlock()
	late := time.NewTimer(listenTime)
	defer late.Stop()
	select {
	case <-heard:
	case <-late.C: // the connection is of no use, which will be found
	case <-l.t.ctx.Done():
	}
	return func() { l.remove(channel, e) }
}

func (l *listener) remove(channel string, e *ear) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(l.wanted[channel]), func(o *ear) bool { return o == e })
	if l.wanted[channel] = left; len(left) == 0 {
		delete(l.wanted, channel)
	}
	l.changeLocked()
}

// changeLocked has the connection listen to what is wanted.
func (l *listener) changeLocked() {
	l.dirty = true
	if l.interrupt != nil {
		l.interrupt()
	}
}

// run listens, by a new connection whenever one is lost, until the transport is
// closed.
func (l *listener) run(conn *pgx.Conn) {
	defer close(l.done)
	for conn != nil {
		h := newHearing(l, conn)
		l.setDown(false) // who listens from now on waits until that is so
		if h.sync() == nil {
			l.t.Tell(true)
			h.hear()
		}
		l.setDown(true)
		if l.t.ctx.Err() == nil {
			l.t.Tell(false)
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		_ = conn.Close(ctx) // the server finds out by itself
		cancel()
		conn = l.reconnect()
	}
}

// setDown says whether there is a connection. Nobody waits for one that is not
// there.
func (l *listener) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down = down; !down {
		return
	}
	for _, heard := range l.waiting {
		close(heard)
	}
	l.waiting = nil
}

// reconnect connects again, or returns nil if the transport is closed.
func (l *listener) reconnect() *pgx.Conn {
	for wait := firstDelay; ; wait = min(2*wait, lastDelay) {
		t := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-t.C:
		case <-l.t.ctx.Done():
			t.Stop()
			return nil
		}
		if conn, err := l.t.connect(l.t.ctx); err == nil {
			return conn
		}
	}
}

// hearing is one connection that listens, while it lasts.
type hearing struct {
	l     *listener
	conn  *pgx.Conn
	heard map[string]bool // channels
}

func newHearing(l *listener, conn *pgx.Conn) *hearing {
	return &hearing{l, conn, make(map[string]bool)}
}

// hear delivers what is notified until the connection is lost or the transport
// is closed.
func (h *hearing) hear() {
	for h.l.t.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(h.l.t.ctx, pingEvery)
		err := h.wait(ctx, cancel)
		silent := errors.Is(ctx.Err(), context.DeadlineExceeded)
		cancel()
		if err == nil {
			err = h.sync()
		}
		if err == nil && silent {
			err = h.exec("select 1")
		}
		if err != nil {
			return
		}
	}
}

// wait delivers until ctx ends. The error says that the connection is lost.
func (h *hearing) wait(ctx context.Context, interrupt context.CancelFunc) error {
	h.l.mu.Lock()
	h.l.interrupt = interrupt
	if h.l.dirty {
		interrupt()
	}
	h.l.mu.Unlock()
	for {
		n, err := h.conn.WaitForNotification(ctx)
		switch {
		case n != nil:
			h.deliver(n)
		case h.conn.IsClosed():
			return err
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}

func (h *hearing) deliver(n *pgconn.Notification) {
	h.l.mu.Lock()
	ears := h.l.wanted[n.Channel]
	h.l.mu.Unlock()
	packet, err := base64.RawStdEncoding.DecodeString(n.Payload)
	if err != nil {
		packet = []byte(n.Payload) // the bus refuses and counts it
	}
	for _, e := range ears {
		e.fn(packet)
	}
}

// sync listens to the channels that are wanted, and to no others.
func (h *hearing) sync() error {
	h.l.mu.Lock()
	h.l.dirty = false
	waiting := h.l.waiting
	h.l.waiting = nil
	var changes []string
	for channel := range h.l.wanted {
		if !h.heard[channel] {
			h.heard[channel] = true
			changes = append(changes, "listen "+channel)
		}
	}
	for channel := range h.heard {
		if h.l.wanted[channel] == nil {
			delete(h.heard, channel)
			changes = append(changes, "unlisten "+channel)
		}
	}
	h.l.mu.Unlock()
	var err error
	if len(changes) > 0 {
		err = h.exec(strings.Join(changes, "; "))
	}
	for _, heard := range waiting {
		close(heard)
	}
	return err
}

func (h *hearing) exec(statements string) error {
	ctx, cancel := context.WithTimeout(h.l.t.ctx, pingTime)
	defer cancel()
	_, err := h.conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}
