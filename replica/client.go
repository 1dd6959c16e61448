package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/holdfast-games/holdfast/session"
)

// ClientOptions configure a Client. Nil is the same as the zero value.
type ClientOptions struct {
	// Token returns a token for the game's Authorize; it is asked before each
	// connection, and an error of it is like a connection that fails. Nil means that
	// none is sent.
	Token func(ctx context.Context) (string, error)
	// HTTP is what connections are made with. Nil means http.DefaultClient.
	HTTP *http.Client
	// Header is sent with each handshake. It may be nil.
	Header http.Header
	// FirstPause and LongestPause are the pauses after a connection: the first, and
	// what it grows to while none succeeds. Zero means 250 ms and 15 s; at least 1 ms.
	FirstPause, LongestPause time.Duration
	// MaxFrame is the most bytes that a frame may have. After a larger one the client
	// comes again without a position. Zero means 16 MiB; at least 8 KiB.
	MaxFrame int64
	// Logger is told of connections. Nil means that nothing is logged.
	Logger *slog.Logger
}

func (o *ClientOptions) withDefaults() (ClientOptions, error) {
	var c ClientOptions
	if o != nil {
		c = *o
	}
	setDefault(&c.FirstPause, 250*time.Millisecond)
	setDefault(&c.LongestPause, 15*time.Second)
	setDefault(&c.MaxFrame, 16<<20)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.FirstPause < time.Millisecond || c.LongestPause < c.FirstPause:
		return c, fmt.Errorf("%w: pauses from %v to %v", ErrOption, c.FirstPause, c.LongestPause)
	case c.MaxFrame < maxFromClient:
		return c, fmt.Errorf("%w: frames of up to %d bytes", ErrOption, c.MaxFrame)
	}
	return c, nil
}

const (
	// firstWithin is how long a client waits for the first frame of a connection,
	// whose ping it does not know.
	firstWithin = 20 * time.Second
	// stoodFor is how long a connection has to stand, from when it is open, for the first
	// pause to hold again.
	stoodFor = 5 * time.Second
)

// Client keeps a Replica up to date over WebSockets, one after the other, from Dial to
// Close. All its methods are safe for concurrent use.
type Client struct {
	url, player string
	opts        ClientOptions
	replica     *Replica
	ctx         context.Context
	cancel      context.CancelCauseFunc
	done        chan struct{} // closed when it has ended
	err         error         // why; set before done is closed
}

// Dial begins to watch a player, of the id that the game server opens him with, at a
// URL of the scheme ws, wss, http or https. It does not block, and no connection that
// fails is an error: see WaitLoaded and Done. The error is ErrOption.
func Dial(url, player string, o *ClientOptions) (*Client, error) {
	opts, err := o.withDefaults()
	if err == nil && (player == "" || len(player) > session.MaxID) {
		err = fmt.Errorf("%w: a player's id of %d bytes", ErrOption, len(player))
	}
	if scheme, _, _ := strings.Cut(url, "://"); err == nil && scheme != "ws" && scheme != "wss" && scheme != "http" && scheme != "https" {
		err = fmt.Errorf("%w: not a URL of a WebSocket: %q", ErrOption, url)
	}
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w", player, err)
	}
	c := &Client{url: url, player: player, opts: opts, replica: NewReplica(), done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	go c.run()
	return c, nil
}

// Replica returns the copy that the client keeps. It stays readable after the end.
func (c *Client) Replica() *Replica { return c.replica }

// WaitLoaded waits for the first state. It returns nil once there is one, also if the
// player is on defaults (Replica.LoadError); else why there will be none, or ctx's error.
func (c *Client) WaitLoaded(ctx context.Context) error {
	var err error
	select {
	case <-c.replica.loaded:
		return nil
	case <-c.done:
		err = c.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return fmt.Errorf("wait for the state of %q: %w", c.player, err)
}

// Done is closed when the client has ended: it was closed, or has given up.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns nil until Done is closed, and then why: ErrClosed, or an *EndedError that is
// final.
func (c *Client) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close ends the client, and returns when it has. It must not be called by a function
// that the replica calls.
func (c *Client) Close() {
	c.CloseNow()
	<-c.done
}

// CloseNow ends the client without waiting for that.
func (c *Client) CloseNow() { c.cancel(ErrClosed) }

// run connects again and again.
func (c *Client) run() {
	defer close(c.done)
	pause := c.opts.FirstPause
	for {
		stood, err := c.connect()
		switch ended, ok := errors.AsType[*EndedError](err); {
		case c.ctx.Err() != nil:
			c.err = context.Cause(c.ctx)
			return
		case ok && ended.Final:
			c.err = ended
			return
		case errors.Is(err, ErrFrame):
			c.replica.forget()
		}
		if stood >= stoodFor {
			pause = c.opts.FirstPause
		}
		c.opts.Logger.Debug("a connection to the server has ended", "player", c.player, "pause", pause, "err", err)
		select {
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		case <-c.ctx.Done():
		}
		pause = min(2*pause, c.opts.LongestPause)
	}
}

// connect makes one connection, and returns when it has ended: for how long it stood, and
// why it ended.
func (c *Client) connect() (stood time.Duration, err error) {
	ws, err := c.dial()
	if err != nil {
		return 0, err
	}
	opened := time.Now()
	defer func() { _ = ws.CloseNow() }()
	stop := context.AfterFunc(c.ctx, func() { _ = ws.Close(websocket.StatusNormalClosure, "") })
	defer stop()
	err = c.listen(ws)
	stood = time.Since(opened)
	if ended, ok := endOf(err); ok {
		return stood, ended
	}
	if errors.Is(err, ErrFrame) {
		_ = ws.Close(websocket.StatusCode(closeCodes[Malformed]), "") // the error is what matters
	}
	return stood, err
}

// dial connects and says what is wanted.
func (c *Client) dial() (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, firstWithin)
	defer cancel()
	hello := fromClient{Type: typeHello, Player: c.player}
	if c.opts.Token != nil {
		var err error
		if hello.Token, err = c.opts.Token(ctx); err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
	}
	at := c.replica.Resume()
	hello.Epoch, hello.Rev = at.Epoch, at.Revision
	text, err := json.Marshal(hello)
	if err != nil {
		return nil, err
	}
	ws, _, err := websocket.Dial(ctx, c.url, &websocket.DialOptions{
		HTTPClient: c.opts.HTTP, HTTPHeader: c.opts.Header, Subprotocols: []string{protocol},
		CompressionMode: websocket.CompressionNoContextTakeover,
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(c.opts.MaxFrame)
	if err := ws.Write(ctx, websocket.MessageText, text); err != nil {
		_ = ws.CloseNow()
		return nil, err
	}
	return ws, nil
}

// listen applies what the server sends, until there is nothing for too long.
func (c *Client) listen(ws *websocket.Conn) error {
	within := firstWithin
	for {
		ctx, cancel := context.WithTimeout(c.ctx, within)
		kind, text, err := ws.Read(ctx)
		cancel()
		if errors.Is(err, websocket.ErrMessageTooBig) {
			return fmt.Errorf("%w: it has more than %d bytes", ErrFrame, c.opts.MaxFrame)
		}
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return fmt.Errorf("%w: it is binary", ErrFrame)
		}
		f, err := decodeFromServer(text)
		if err != nil {
			return err
		}
		if f.Type == TypePing {
			if err := c.pong(ws); err != nil {
				return err
			}
			continue
		}
		placed, err := c.replica.apply(&f)
		if err != nil {
			return err
		}
		if placed {
			within = silence(f.Ping)
		}
	}
}

// silence returns after how long without a frame a connection is dead, if the server
// pings each so many milliseconds.
func silence(ping float64) time.Duration {
	every := time.Duration(min(ping, float64(maxPing.Milliseconds())) * float64(time.Millisecond))
	return max(every, minPing) * silences / 2
}

func (c *Client) pong(ws *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(c.ctx, firstWithin)
	defer cancel()
	return ws.Write(ctx, websocket.MessageText, []byte(`{"type":"pong"}`))
}
