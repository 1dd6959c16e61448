package replica

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// HandlerOptions configure a Handler. Nil is the same as the zero value.
type HandlerOptions struct {
	// Origins are the hosts whose pages may connect, beside the one that is asked:
	// patterns as of path.Match, such as "*.example.com", or with a scheme,
	// "https://example.com". Empty: no other.
	Origins []string
	// Conns is how many connections there may be at a time, those included whose
	// client has said nothing yet. Zero means 20,000.
	Conns int
	// HelloWithin is how long a client may take to say what he wants, and Authorize
	// to answer. Zero means 10 s; at most 1 min.
	HelloWithin time.Duration
	// WriteWithin is how long a client may take to take a frame. Zero means 30 s; at
	// most 10 min.
	WriteWithin time.Duration
	// Connected is called with each connection that was let in, before its first
	// frame is sent, and Disconnected after it has ended. Both may be nil. They must
	// be quick.
	Connected, Disconnected func(*Conn)
}

func (o *HandlerOptions) withDefaults() (HandlerOptions, error) {
	var c HandlerOptions
	if o != nil {
		c = *o
	}
	setDefault(&c.Conns, 20_000)
	setDefault(&c.HelloWithin, 10*time.Second)
	setDefault(&c.WriteWithin, 30*time.Second)
	switch {
	case c.Conns < 0:
		return c, fmt.Errorf("%w: %d connections", ErrOption, c.Conns)
	case c.HelloWithin < 0 || c.HelloWithin > time.Minute:
		return c, fmt.Errorf("%w: a hello within %v, at most 1m", ErrOption, c.HelloWithin)
	case c.WriteWithin < 0 || c.WriteWithin > 10*time.Minute:
		return c, fmt.Errorf("%w: a write within %v, at most 10m", ErrOption, c.WriteWithin)
	}
	return c, nil
}

// Handler carries the frames of a Server over WebSockets. It is an http.Handler for one
// path of the game's choice. All its methods are safe for concurrent use.
type Handler struct {
	srv       *Server
	authorize Authorize
	opts      HandlerOptions
	ctx       context.Context // ends with Close
	stop      context.CancelFunc
	all       sync.WaitGroup // of connections

	mu     sync.Mutex // guards what follows
	conns  map[*Conn]struct{}
	others map[*Conn]struct{} // that are not let in yet, or are being sent away
	count  int                // of connections, those included that are no Conn yet
	closed bool
	cut    bool // those who are left are cut, and whoever still comes
}

// NewHandler returns a handler for clients whom authorize lets in. It must be closed
// before the Server. The error is ErrOption, also if there is no authorize: to let
// everybody watch everybody is a function that returns nil.
func NewHandler(srv *Server, authorize Authorize, o *HandlerOptions) (*Handler, error) {
	opts, err := o.withDefaults()
	if err == nil && (srv == nil || authorize == nil) {
		err = fmt.Errorf("%w: there is no server, or nothing that says who may watch whom", ErrOption)
	}
	if err != nil {
		return nil, fmt.Errorf("replicate over WebSockets: %w", err)
	}
	h := &Handler{srv: srv, authorize: authorize, opts: opts, conns: make(map[*Conn]struct{}), others: make(map[*Conn]struct{})}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h, nil
}

// ServeHTTP makes a WebSocket of a request, and returns when the client was let in or
// sent away. The connection goes on after that.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	speak, ok := chosenProtocol(r)
	if !ok {
		h.srv.metrics.refuse(refusedProtocol)
		http.Error(w, "This server speaks the WebSocket subprotocol "+protocol+", which was not offered.", http.StatusBadRequest)
		return
	}
	if why := h.enter(); why != "" {
		h.srv.metrics.refuse(why)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many connections, or the server is shutting down.", http.StatusServiceUnavailable)
		return
	}
	stays := false
	defer func() {
		if !stays {
			h.leave()
		}
	}()
	c, err := h.accept(w, r, speak)
	if err != nil {
		h.srv.opts.Logger.Debug("a handshake was refused", "remote", r.RemoteAddr, "err", err)
		return // it was answered
	}
	h.know(c)
	defer h.unknow(c)
	if speak != protocol {
		h.srv.metrics.refuse(OtherWire)
		c.close(OtherWire, "this server speaks "+protocol)
		return
	}
	if err := c.greet(r); err != nil {
		h.srv.opts.Logger.Debug("a client was not let in", "remote", r.RemoteAddr, "player", c.player, "err", err)
		h.srv.metrics.refuse(c.refuse(err))
		return
	}
	stays = h.start(c)
}

// accept makes a WebSocket of a request.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, speak string) (*Conn, error) {
	c, small := &Conn{h: h}, &smallBuffers{ResponseWriter: w}
	ws, err := websocket.Accept(small, r, &websocket.AcceptOptions{
		Subprotocols: []string{speak}, OriginPatterns: h.opts.Origins,
		CompressionMode: websocket.CompressionNoContextTakeover,
		OnPingReceived:  func(context.Context, []byte) bool { return c.frames.Add(1) <= maxFramesPerPing },
	})
	if err != nil {
		h.srv.metrics.refuse(small.refused())
		return nil, err
	}
	ws.SetReadLimit(maxFromClient)
	c.ws, c.net = ws, small.conn
	return c, nil
}

// chosenProtocol returns the subprotocol to be spoken with a client, or the first of
// other versions that it offers, and false if it offers none.
func chosenProtocol(r *http.Request) (string, bool) {
	other := ""
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			offered = strings.TrimSpace(offered)
			if offered == protocol {
				return protocol, true
			}
			if other == "" && strings.HasPrefix(offered, protocolFamily) {
				other = offered
			}
		}
	}
	return other, other != ""
}

// enter counts a connection, or returns why there may be none.
func (h *Handler) enter() (refused Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return Leaving
	case h.count >= h.opts.Conns:
		return Crowded
	}
	h.count++
	h.all.Add(1)
	h.srv.metrics.connections.Inc()
	return ""
}

// know notes a connection that is not let in yet, for Close.
func (h *Handler) know(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.others[c] = struct{}{}
	if h.cut {
		_ = c.net.Close()
	}
}

// unknow forgets it: it was let in or has ended.
func (h *Handler) unknow(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.others, c)
}

func (h *Handler) leave() {
	h.mu.Lock()
	h.count--
	h.mu.Unlock()
	h.srv.metrics.connections.Dec()
	h.all.Done()
}

// start lets a connection run that was let in. It returns false if the handler was
// closed meanwhile.
func (h *Handler) start(c *Conn) bool {
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.conns[c] = struct{}{}
	}
	h.mu.Unlock()
	if closed {
		c.watcher.Close()
		h.srv.metrics.refuse(Leaving)
		c.close(Leaving, "")
		return false
	}
	if h.opts.Connected != nil {
		h.opts.Connected(c)
	}
	go c.run()
	return true
}

// gone forgets a connection that has ended.
func (h *Handler) gone(c *Conn) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
	if h.opts.Disconnected != nil {
		h.opts.Disconnected(c)
	}
	h.leave()
}

// Close ends all connections, with Leaving, and takes no more. It returns when they
// have ended, at the latest when ctx does: those that are left are cut then. The error
// is that of ctx. Closing twice waits for the same.
func (h *Handler) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	conns := make([]*Conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	h.stop()
	for _, c := range conns {
		c.watcher.finish(Leaving)
	}
	ended := make(chan struct{})
	go func() {
		h.all.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	for _, c := range conns {
		c.CloseNow()
	}
	h.mu.Lock()
	h.cut = true
	for c := range h.others {
		_ = c.net.Close() // who waits for it notices
	}
	h.mu.Unlock()
	<-ended
	return fmt.Errorf("close the connections of clients: %w", context.Cause(ctx))
}

// refusal returns what a client is told of an error of Authorize or Watch.
func refusal(err error) Reason {
	switch {
	case errors.Is(err, ErrExpired):
		return Expired
	case errors.Is(err, ErrForbidden):
		return Forbidden
	case errors.Is(err, ErrCrowded):
		return Crowded
	case errors.Is(err, ErrFrame):
		return Malformed
	case errors.Is(err, ErrClosed):
		return Leaving
	}
	return Failed
}
