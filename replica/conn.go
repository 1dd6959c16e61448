package replica

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/holdfast-games/holdfast/session"
)

// Conn is one client's connection, from when Authorize has let it in to its end. All its
// methods are safe for concurrent use.
type Conn struct {
	h       *Handler
	ws      *websocket.Conn
	net     net.Conn
	player  session.Key
	watcher *Watcher
	turn    atomic.Int32 // of writing; see ready
	ping    *time.Timer
	pinging atomic.Bool  // a ping is to be sent
	frames  atomic.Int32 // of the client since the last ping
}

// The turns of writing: one goroutine at a time writes.
const (
	turnAgain   int32 = iota // somebody writes, or will begin to, and there may be more than he knows
	turnIdle                 // nobody writes
	turnQueued               // a task of the pool is to write
	turnRunning              // it writes
)

const (
	// maxFramesPerPing is how many frames of a client are taken from one ping to the
	// next.
	maxFramesPerPing = 100
	// maxBurst is how many frames are sent to one client before it is others' turn.
	maxBurst = 32
	// partWithin bounds the wait for a client's answer to being sent away.
	partWithin = 5 * time.Second
	// maxDetail bounds what is told to people of why a connection ends, in bytes. A
	// close frame has room for 123.
	maxDetail = 100
)

// Player returns whose profile the client watches.
func (c *Conn) Player() session.Key { return c.player }

// Close ends the connection: the client gets what is there for him, is told why, and
// may come again if the reason is not final. It does not block.
func (c *Conn) Close(r Reason) { c.watcher.finish(r) }

// CloseNow cuts the connection. It does not block.
func (c *Conn) CloseNow() {
	c.watcher.Close()
	_ = c.net.Close() // the reader notices
}

// greet lets the client say what it wants, and begins that.
func (c *Conn) greet(r *http.Request) error {
	by := time.Now().Add(c.h.opts.HelloWithin)
	ctx, cancel := context.WithDeadline(c.h.ctx, by)
	defer cancel()
	_ = c.net.SetReadDeadline(by) // it fails if the connection is closed, and then so does reading
	text, err := c.read(c.h.ctx)
	if err != nil {
		return fmt.Errorf("hello: %w", c.unheard(err))
	}
	hello, err := decodeFromClient(text)
	if err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if hello.Type != typeHello {
		return fmt.Errorf("hello: %w: the first frame is another", ErrFrame)
	}
	c.player = c.h.srv.profiles.Schema().Key(hello.Player)
	if err := c.h.authorize(ctx, r, c.player, hello.Token); err != nil {
		return fmt.Errorf("authorize: %w", err)
	}
	c.watcher, err = c.h.srv.Watch(hello.Player, hello.from(), c.ready)
	return err
}

// read returns the next frame of the client.
func (c *Conn) read(ctx context.Context) ([]byte, error) {
	kind, text, err := c.ws.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		err = fmt.Errorf("%w: it is binary", ErrFrame)
	}
	return text, err
}

// errGone means that a client has left before its hello.
var errGone = errors.New("the client has gone")

// unheard returns what it means that reading the hello has failed.
func (c *Conn) unheard(err error) error {
	switch {
	case errors.Is(err, ErrFrame), errors.Is(err, websocket.ErrMessageTooBig), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.h.ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return fmt.Errorf("%w: %w", errGone, err)
}

// refuse sends a client away that was not let in, and returns why.
func (c *Conn) refuse(err error) (why Reason) {
	switch {
	case errors.Is(err, errGone):
		_ = c.ws.CloseNow()
		return refusedGone
	case errors.Is(err, websocket.ErrMessageTooBig):
		_ = c.ws.CloseNow() // it was told
		return Malformed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		why = Silent
	default:
		why = refusal(err)
	}
	c.close(why, "")
	return why
}

// close tells the client why the connection ends, and ends it. It blocks until the
// client has answered, but not for long.
func (c *Conn) close(r Reason, detail string) {
	if detail != "" {
		detail = ": " + detail[:min(len(detail), maxDetail)]
	}
	stop := time.AfterFunc(partWithin, func() { _ = c.net.Close() })
	defer stop.Stop()
	_ = c.ws.Close(websocket.StatusCode(closeCodes[r]), string(r)+detail) // whatever comes of it, it is closed
}

// run reads what the client sends until the connection ends.
func (c *Conn) run() {
	ping := c.h.srv.opts.Ping
	c.ping = time.AfterFunc(time.Hour, c.pingDue)
	c.ping.Reset(ping)
	c.turn.Store(turnIdle)
	c.ready()
	for {
		_ = c.net.SetReadDeadline(time.Now().Add(ping * silences / 2)) // it fails if the connection is closed, and then so does reading
		if err := c.hear(); err != nil {
			c.hangUp(err)
			break
		}
	}
	c.watcher.Close()
	c.ping.Stop()
	_ = c.ws.CloseNow()
	c.h.gone(c)
}

// hear takes one frame of the client.
func (c *Conn) hear() error {
	text, err := c.read(context.Background())
	if err != nil {
		return err
	}
	f, err := decodeFromClient(text)
	switch {
	case err != nil:
		return err
	case f.Type != typePong:
		return fmt.Errorf("%w: a second hello", ErrFrame)
	case c.frames.Add(1) > maxFramesPerPing:
		return fmt.Errorf("%w: too many frames", ErrFrame)
	}
	return nil
}

// hangUp ends the connection after an error of reading.
func (c *Conn) hangUp(err error) {
	switch {
	case errors.Is(err, ErrFrame):
		c.close(Malformed, "")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.close(Silent, "")
	}
	c.h.srv.opts.Logger.Debug("a client has gone", "key", c.player.String(), "err", err)
}

// pingDue has a ping sent, whatever else is: it is the answer that shows that the client
// is there.
func (c *Conn) pingDue() {
	c.frames.Store(0)
	c.ping.Reset(c.h.srv.opts.Ping)
	if c.watcher.off.Load() { // the connection has ended, and has perhaps stopped the timer before this
		c.ping.Stop()
		return
	}
	c.pinging.Store(true)
	c.ready()
}

// ready has what there is for the client written, by one goroutine at a time.
func (c *Conn) ready() {
	for {
		switch turn := c.turn.Load(); turn {
		case turnQueued, turnAgain:
			return
		case turnRunning:
			if c.turn.CompareAndSwap(turn, turnAgain) {
				return
			}
		default:
			if c.turn.CompareAndSwap(turn, turnQueued) {
				c.h.srv.pool.add(c)
				return
			}
		}
	}
}

// work writes what there is for the client.
func (c *Conn) work() {
	for n := 0; ; n++ {
		if n == maxBurst {
			c.turn.Store(turnQueued)
			c.h.srv.pool.add(c)
			return
		}
		c.turn.Store(turnRunning)
		if f, ok := c.next(); ok {
			c.write(f)
			continue
		}
		if c.turn.CompareAndSwap(turnRunning, turnIdle) {
			return
		}
	}
}

// next returns the next frame for the client.
func (c *Conn) next() (Frame, bool) {
	if f, ok := c.watcher.Poll(); ok {
		return f, true
	}
	if c.pinging.Swap(false) {
		return PingFrame(), true
	}
	return Frame{}, false
}

// write sends a frame. If the client does not take it, the connection is cut.
func (c *Conn) write(f Frame) {
	if f.Type == TypeEnd {
		c.close(f.Reason, "")
		return
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(c.h.opts.WriteWithin)) // it fails if the connection is closed, and then so does writing
	if err := c.ws.Write(context.Background(), websocket.MessageText, f.Text); err != nil {
		c.CloseNow()
		return
	}
	c.h.srv.metrics.sent(f)
	_ = c.net.SetWriteDeadline(time.Time{}) // likewise: answers to pings have limits of their own
}
