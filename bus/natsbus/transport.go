package natsbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/holdfast-games/holdfast/bus"
)

// Times and sizes of a connection.
const (
	connectTime  = 5 * time.Second
	pingEvery    = 5 * time.Second
	firstDelay   = 20 * time.Millisecond // until the first try to connect again
	lastDelay    = 2 * time.Second
	listenTime   = 2 * time.Second
	sendTime     = 5 * time.Second
	leastPayload = 1 << 10
	pendingMost  = 1 << 20  // packets that wait within the client, per subject
	pendingBytes = 64 << 20 // and their bytes
)

// transport is a connection to NATS.
type transport struct {
	bus.Watcher
	nc      *nats.Conn
	closing atomic.Bool
	closed  chan struct{} // closed when the connection has ended for good
	after   func()        // called by Close; may be nil
}

// Open returns a Bus that is connected to a server at an address, which the
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

// Dial returns a transport that is connected to a server. Open is the short way
// to a Bus.
func Dial(ctx context.Context, address string) (bus.Transport, error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	return a.dial(ctx)
}

// connect opens a connection with options that say to whom.
func connect(servers, shown string, options ...nats.Option) (*transport, error) {
	t := &transport{closed: make(chan struct{})}
	options = append(options,
		nats.Name("holdfast bus"), nats.Timeout(connectTime),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.CustomReconnectDelay(delay),
		nats.ReconnectBufSize(-1), // the Bus keeps what cannot be sent
		nats.DisconnectErrHandler(t.disconnected),
		nats.ReconnectHandler(t.reconnected),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // what is dropped shows as a gap
		nats.ClosedHandler(func(*nats.Conn) { close(t.closed) }),
	)
	nc, err := nats.Connect(servers, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", shown, err)
	}
	t.nc = nc
	if nc.MaxPayload() < leastPayload {
		return nil, errors.Join(fmt.Errorf("connect to %s: it carries %d bytes per message, %d are needed", shown, nc.MaxPayload(), leastPayload), t.Close())
	}
	return t, nil
}

// delay is the time before a try to connect again.
func delay(tries int) time.Duration {
	d := min(firstDelay<<min(tries, 10), lastDelay)
	return d/2 + rand.N(d/2)
}

// disconnected tells that the line is lost, unless it was closed on purpose.
func (t *transport) disconnected(*nats.Conn, error) {
	if !t.closing.Load() {
		t.Tell(false)
	}
}

// reconnected tells that the line is back once the server has all that is
// listened to.
func (t *transport) reconnected(nc *nats.Conn) {
	if nc.FlushTimeout(listenTime) == nil {
		t.Tell(true)
		return
	}
	// The connection was lost again, which is told by itself, or it is of no use.
	_ = nc.ForceReconnect()
}

// Send implements bus.Transport.
func (t *transport) Send(ctx context.Context, packets []bus.Packet) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime) // the library wants a deadline
	defer cancel()
	for _, p := range packets {
		if err := t.nc.Publish(subject(p.Subject), p.Data); err != nil {
			return sendError(err)
		}
	}
	if err := t.nc.FlushWithContext(ctx); err != nil {
		return sendError(err)
	}
	return nil
}

var errDown = errors.New("not connected")

func sendError(err error) error {
	switch {
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		err = errDown
	case errors.Is(err, nats.ErrConnectionClosed):
		err = bus.ErrClosed
	}
	return fmt.Errorf("send by NATS: %w", err)
}

// Listen implements bus.Transport.
func (t *transport) Listen(name string, fn func(packet []byte)) (func(), error) {
	sub, err := t.nc.Subscribe(subject(name), func(m *nats.Msg) { fn(m.Data) })
	if errors.Is(err, nats.ErrConnectionClosed) {
		return nil, bus.ErrClosed
	}
	if err == nil {
		err = sub.SetPendingLimits(pendingMost, pendingBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("listen by NATS: %w", err)
	}
	// On a new connection, all subscriptions are made again before it is told.
	if t.nc.IsConnected() && t.nc.FlushTimeout(listenTime) != nil && t.nc.IsConnected() {
		_ = t.nc.ForceReconnect()
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// Limit implements bus.Transport.
func (t *transport) Limit() int { return int(max(leastPayload, min(t.nc.MaxPayload(), 1<<20))) }

// Close implements bus.Transport.
func (t *transport) Close() error {
	if t.closing.Swap(true) {
		return bus.ErrClosed
	}
	t.nc.Close()
	<-t.closed
	if t.after != nil {
		t.after()
	}
	return nil
}
