package wire

import (
	"io"
	"net"
	"sync"
)

// link is one connection of a client, with the one to the server that serves
// it. Two goroutines carry it, one per direction.
type link struct {
	p      *Proxy
	number int
	client net.Conn
	ended  chan struct{} // closed when both ends are cut
	once   sync.Once

	// Of the goroutine that carries requests.
	statements map[string]string // SQL by the name of a prepared statement
	portals    map[string]string // SQL by the name of a portal
	within     bool              // a transaction block is open
	changed    bool              // it has written something

	mu      sync.Mutex
	server  net.Conn    // nil at first
	muted   bool        // nothing passes any more
	failed  bool        // the server will answer nothing more
	key     string      // by which the server knows a request to cancel
	left    bool        // the client has been cut, and the server goes on
	pending []*exchange // requests that were sent and are not answered, the oldest first
}

// exchange is a request that the server is to answer.
type exchange struct {
	trap *Trap // nil: nothing goes wrong with it
	// answer is kept back until it is whole if the trap's point is in it.
	answer []byte
}

// meet gives the link its server. It returns false, and closes that, if the link
// has ended.
func (c *link) meet(server net.Conn) bool {
	c.mu.Lock()
	c.server = server
	c.mu.Unlock()
	select {
	case <-c.ended:
		_ = server.Close() // close may have come before there was one
		return false
	default:
		return true
	}
}

// close cuts both ends.
func (c *link) close() {
	c.once.Do(func() {
		close(c.ended)
		_ = c.client.Close() // to close is to cut, whatever it returns
		c.hangUpServer()
	})
}

// hangUpServer cuts the server's end.
func (c *link) hangUpServer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		_ = c.server.Close() // to close is to cut, whatever it returns
	}
}

// pass waits while the wire is silent, and for ever once the link was muted. It
// returns false if the link has ended.
func (c *link) pass() bool {
	select {
	case <-c.ended:
		return false
	case <-c.open():
		return true
	}
}

// open returns a channel that is closed while the link passes anything; nil
// never is.
func (c *link) open() <-chan struct{} {
	c.mu.Lock()
	muted := c.muted
	c.mu.Unlock()
	if muted {
		return nil
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.p.gate
}

// toServer sends bytes on. It returns false if the link is over.
func (c *link) toServer(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if !c.pass() {
		return false
	}
	_, err := c.server.Write(b)
	return err == nil
}

// toClient sends bytes back, unless the client has been cut. It returns false
// if the link is over.
func (c *link) toClient(b []byte) bool {
	if !c.pass() {
		return false
	}
	if c.deserted() || len(b) == 0 {
		return true
	}
	_, err := c.client.Write(b)
	return err == nil || c.deserted()
}

// desert cuts the client and lets the server go on.
func (c *link) desert() {
	c.mu.Lock()
	c.left = true
	c.mu.Unlock()
	_ = c.client.Close()
}

func (c *link) deserted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

func (c *link) mute() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted = true
}

// carryBytes carries a connection whose content is unknown.
func (c *link) carryBytes() {
	both := sync.WaitGroup{}
	both.Go(func() { c.copy(c.client, c.toServer) })
	both.Go(func() { c.copy(c.server, c.toClient) })
	both.Wait()
}

// copy carries one direction until it ends, and then ends the other.
func (c *link) copy(from io.Reader, to func([]byte) bool) {
	defer c.close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !to(buf[:n]) {
			return
		}
		if err != nil {
			c.pass() // a silent wire does not tell of a closing either
			return
		}
	}
}
