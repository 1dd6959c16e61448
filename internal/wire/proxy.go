package wire

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"sync"
)

// Proxy passes connections on to one server, and goes wrong as a test asks. All
// its methods are safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	carry    func(*link) // what it does with a connection
	ctx      context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup // goroutines

	mu       sync.Mutex
	traps    []*Trap // that have not sprung, the oldest first
	plan     Plan
	links    map[*link]struct{}
	opened   int // links so far
	refusing bool
	gate     chan struct{} // closed while the wire passes anything
	happened map[Fault]int // by point and action
}

// ListenPostgres returns a proxy that knows the messages of PostgreSQL, on a
// free port of this machine, for the server of a URL. The caller closes it. It
// does not connect to the server before a client comes. Connections must not be
// encrypted (sslmode=disable).
func ListenPostgres(databaseURL string) (*Proxy, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("listen for PostgreSQL: %w", err)
	}
	return listen(u.Host, (*link).carryMessages)
}

// ListenBytes returns a proxy that knows nothing of what it carries, for the
// server at an address, host:port. The caller closes it.
func ListenBytes(address string) (*Proxy, error) { return listen(address, (*link).carryBytes) }

func listen(target string, carry func(*link)) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{
		target: target, listener: l, carry: carry,
		links: make(map[*link]struct{}), gate: make(chan struct{}), happened: make(map[Fault]int),
	}
	close(p.gate)
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.work.Go(p.accept)
	return p, nil
}

// Addr returns the address that clients connect to, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL returns a URL of the server with the proxy's address in it.
func (p *Proxy) URL(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("route a URL through the proxy: %w", err)
	}
	u.Host = p.Addr()
	return u.String(), nil
}

// Close cuts all connections, lets go of whatever is held, and returns when
// nothing of the proxy runs any more.
func (p *Proxy) Close() error {
	p.stop()
	err := p.listener.Close()
	p.Cut()
	p.work.Wait()
	return err
}

// Cut cuts every connection that is open now.
func (p *Proxy) Cut() {
	p.mu.Lock()
	links := maps.Clone(p.links)
	p.mu.Unlock()
	for c := range links {
		c.close()
	}
}

// HangUp closes the server's end of every connection, as a server does whose
// keepalive finds nobody at the other end. Through a silent wire, the clients do
// not hear of it.
func (p *Proxy) HangUp() {
	p.mu.Lock()
	links := maps.Clone(p.links)
	p.mu.Unlock()
	for c := range links {
		c.hangUpServer()
	}
}

// Refuse says whether new connections are closed as soon as they come. Those
// that are open stay so.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = on
}

// Silence says whether the wire has fallen silent: connections stay open and
// new ones are accepted, but nothing passes in either direction, not even that
// one end was closed. What was sent meanwhile passes afterwards.
func (p *Proxy) Silence(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		if on {
			p.gate = make(chan struct{})
		}
	default:
		if !on {
			close(p.gate)
		}
	}
}

// Happened returns how often a fault has happened at a point.
func (p *Proxy) Happened(at Point, do Action) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.happened[Fault{At: at, Do: do}]
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // the listener was closed
		}
		p.work.Go(func() { p.connect(client) })
	}
}

// connect carries one connection until it ends.
func (p *Proxy) connect(client net.Conn) {
	p.mu.Lock()
	refuse := p.refusing || p.ctx.Err() != nil
	c := &link{p: p, client: client, ended: make(chan struct{}), statements: make(map[string]string), portals: make(map[string]string)}
	if !refuse {
		p.opened++
		c.number = p.opened
		p.links[c] = struct{}{}
	}
	p.mu.Unlock()
	if refuse {
		_ = client.Close() // it is gone either way
		return
	}
	defer p.forget(c)
	if !c.pass() {
		return
	}
	server, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", p.target)
	if err != nil || !c.meet(server) {
		return
	}
	p.carry(c)
}

func (p *Proxy) forget(c *link) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, c)
}
