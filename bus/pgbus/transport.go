package pgbus

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/bus"
)

// maxPacket is how many bytes fit into a notification as base64.
const maxPacket = 7999 * 3 / 4

// transport is two connections to a database.
type transport struct {
	bus.Watcher
	config   *pgx.ConnConfig
	listener *listener
	turn     chan *pgx.Conn // holds the connection that notifies, or nil, while nobody sends
	ctx      context.Context
	stop     context.CancelFunc
}

// Open returns a Bus that is connected to a database at an address, which the
// package's comment describes. It blocks until it is connected or ctx ends. The
// options may be nil.
func Open(ctx context.Context, address string, o *bus.Options) (*bus.Bus, error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	t, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	return bus.Open(t, a.options(o))
}

// Dial returns a transport that is connected to a database. Open is the short
// way to a Bus.
func Dial(ctx context.Context, address string) (bus.Transport, error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	return a.dial(ctx)
}

func (a *address) dial(ctx context.Context) (bus.Transport, error) {
	t := &transport{config: a.config, turn: make(chan *pgx.Conn, 1)}
	listens, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	notifies, err := t.connect(ctx)
	if err != nil {
		return nil, errors.Join(err, listens.Close(ctx))
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.turn <- notifies
	t.listener = newListener(t)
	go t.listener.run(listens)
	return t, nil
}

// connect opens a connection to a primary.
func (t *transport) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, t.config)
	if err != nil {
		return nil, fmt.Errorf("connect the bus: %w", err)
	}
	// What is notified need not be on disk before it is told.
	_, err = conn.Exec(ctx, "set synchronous_commit = off; set idle_session_timeout = 0", pgx.QueryExecModeSimpleProtocol)
	var replica bool
	if err == nil {
		err = conn.QueryRow(ctx, "select pg_is_in_recovery()", pgx.QueryExecModeSimpleProtocol).Scan(&replica)
	}
	if err == nil && replica {
		err = errors.New("the database is a read-only replica, which carries no notifications: give the primary's address")
	}
	if err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("connect the bus: %w", err)
	}
	return conn, nil
}

const notify = "select pg_notify(channel, packet) from unnest($1::text[], $2::text[]) as packets (channel, packet)"

// Send implements bus.Transport.
func (t *transport) Send(ctx context.Context, packets []bus.Packet) error {
	channels, texts := make([]string, len(packets)), make([]string, len(packets))
	for i, p := range packets {
		channels[i], texts[i] = channel(p.Subject), base64.RawStdEncoding.EncodeToString(p.Data)
	}
	var conn *pgx.Conn
	select {
	case conn = <-t.turn:
	case <-t.ctx.Done():
		return bus.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("notify: %w", context.Cause(ctx))
	}
	err := t.ctx.Err()
	if err == nil && conn == nil {
		conn, err = t.connect(ctx)
	}
	if err == nil {
		_, err = conn.Exec(ctx, notify, channels, texts)
	}
	if conn != nil && conn.IsClosed() {
		conn = nil
	}
	t.turn <- conn
	switch {
	case t.ctx.Err() != nil:
		return bus.ErrClosed
	case err != nil:
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// channel is a subject's name in the database.
func channel(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return "holdfast_" + hex.EncodeToString(sum[:16])
}

// Listen implements bus.Transport.
func (t *transport) Listen(subject string, fn func(packet []byte)) (func(), error) {
	if t.ctx.Err() != nil {
		return nil, bus.ErrClosed
	}
	return t.listener.add(channel(subject), fn), nil
}

// Limit implements bus.Transport.
func (t *transport) Limit() int { return maxPacket }

// Close implements bus.Transport.
func (t *transport) Close() error {
	if t.ctx.Err() != nil {
		return bus.ErrClosed
	}
	t.stop()
	<-t.listener.done
	conn := <-t.turn
	t.turn <- nil
	if conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = conn.Close(ctx) // the server finds out by itself
	return nil
}
