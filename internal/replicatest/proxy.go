package replicatest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Proxy passes WebSocket messages on, and goes wrong where a test asks. All its methods
// are safe for concurrent use.
type Proxy struct {
	server *http.Server
	url    string
	ctx    context.Context
	stop   context.CancelFunc
	all    sync.WaitGroup

	mu     sync.Mutex // guards what follows
	target string
	faults Faults
	dice   *rand.Rand
	muted  chan struct{} // nil: it is not; closed when it is not any more
	links  map[*link]struct{}
}

// Faults are what goes wrong with the messages from the server, by chance.
type Faults struct {
	Seed    uint64
	Delay   time.Duration // each waits for up to so long
	Swap    float64       // how often a message comes after the next one
	Repeat  float64       // how often it comes twice
	Cut     float64       // how often the connection is cut in its place
	Refused bool          // no connection is taken
}

// link is one connection, on both sides.
type link struct{ client, server *websocket.Conn }

func (l *link) cut() {
	_ = l.client.CloseNow()
	_ = l.server.CloseNow()
}

// NewProxy starts a proxy on a free port of this machine in front of a URL of the scheme
// ws.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{url: "ws://" + l.Addr().String(), target: target, links: make(map[*link]struct{})}
	p.dice = rand.New(rand.NewPCG(1, 1))
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	p.all.Go(func() { _ = p.server.Serve(l) }) // until Close
	return p, nil
}

// URL returns where clients connect.
func (p *Proxy) URL() string { return p.url }

// Retarget has new connections go to another server.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Use has messages go wrong from now on.
func (p *Proxy) Use(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.dice = f, rand.New(rand.NewPCG(f.Seed, 1))
}

// Cut cuts all connections, as a wire is cut: nobody is told why.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		go l.cut()
	}
}

// Mute has nothing pass any more, in either direction, while all connections stay: they
// are open on one side only. Or ends that.
func (p *Proxy) Mute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.muted == nil:
		p.muted = make(chan struct{})
	case !on && p.muted != nil:
		close(p.muted)
		p.muted = nil
	}
}

// Close ends the proxy and all connections, and returns when nothing runs any more.
func (p *Proxy) Close() {
	p.Mute(false)
	p.stop()
	_ = p.server.Close()
	p.Cut()
	p.all.Wait()
}

// ServeHTTP passes one connection on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	target, refused := p.target, p.faults.Refused
	p.mu.Unlock()
	if refused {
		http.Error(w, "refused", http.StatusServiceUnavailable)
		return
	}
	var offered []string
	for s := range strings.SplitSeq(r.Header.Get("Sec-WebSocket-Protocol"), ",") {
		offered = append(offered, strings.TrimSpace(s))
	}
	server, _, err := websocket.Dial(p.ctx, target, &websocket.DialOptions{Subprotocols: offered})
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{server.Subprotocol()}, InsecureSkipVerify: true})
	if err != nil {
		_ = server.CloseNow()
		return
	}
	client.SetReadLimit(-1)
	server.SetReadLimit(-1)
	l := &link{client, server}
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	p.all.Go(func() { p.pass(client, server, nil) })
	p.pass(server, client, p.decide)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// verdict is what becomes of a message.
type verdict struct {
	wait              time.Duration
	swap, repeat, cut bool
}

func (p *Proxy) decide() verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := verdict{swap: p.dice.Float64() < p.faults.Swap, repeat: p.dice.Float64() < p.faults.Repeat, cut: p.dice.Float64() < p.faults.Cut}
	if p.faults.Delay > 0 {
		v.wait = rand.N(p.faults.Delay)
	}
	return v
}

// pass passes messages on in one direction until one side has ended, and tells the
// other.
func (p *Proxy) pass(from, to *websocket.Conn, decide func() verdict) {
	var held []byte // comes after the next one
	for {
		kind, text, err := from.Read(p.ctx)
		p.awaitSound()
		if err != nil {
			p.tell(to, err)
			return
		}
		v := verdict{}
		if decide != nil {
			v = decide()
		}
		time.Sleep(v.wait)
		switch {
		case v.cut:
			_, _ = from.CloseNow(), to.CloseNow()
			return
		case v.swap && held == nil:
			held = text
			continue
		}
		out := [][]byte{text}
		if v.repeat {
			out = append(out, text)
		}
		if held != nil {
			out, held = append(out, held), nil
		}
		for _, text := range out {
			if to.Write(p.ctx, kind, text) != nil {
				_ = from.CloseNow()
				return
			}
		}
	}
}

// awaitSound waits until the proxy is not muted.
func (p *Proxy) awaitSound() {
	p.mu.Lock()
	muted := p.muted
	p.mu.Unlock()
	if muted == nil {
		return
	}
	select {
	case <-muted:
	case <-p.ctx.Done():
	}
}

// tell tells one side how the other has ended.
func (p *Proxy) tell(to *websocket.Conn, err error) {
	if closed, ok := errors.AsType[websocket.CloseError](err); ok && closed.Code != websocket.StatusNoStatusRcvd {
		_ = to.Close(closed.Code, closed.Reason)
		return
	}
	_ = to.CloseNow()
}
