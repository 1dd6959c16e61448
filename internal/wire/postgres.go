package wire

import (
	"bufio"
	"sync"
)

// carryMessages carries a connection of PostgreSQL.
func (c *link) carryMessages() {
	both := sync.WaitGroup{}
	both.Go(c.carryRequests)
	both.Go(c.carryAnswers)
	both.Wait()
}

// carryRequests carries what the client sends.
func (c *link) carryRequests() {
	from := bufio.NewReaderSize(c.client, 64<<10)
	if !c.carryFirst(from) {
		c.clientLeft()
		return
	}
	r := &Request{Conn: c.number}
	for {
		m, err := readMessage(from)
		if err != nil {
			break
		}
		c.note(r, m)
		switch m.kind() {
		case 'S', 'Q': // the request is whole
			if !c.request(r) {
				return
			}
		case 'p', 'H', 'd', 'c', 'f', 'X': // the server is to see it now
			if !c.send(r.bytes) {
				return
			}
		default:
			continue
		}
		r = &Request{Conn: c.number}
	}
	c.clientLeft()
}

// clientLeft ends the link after the client has left, once a silent wire tells
// the server so.
func (c *link) clientLeft() {
	if !c.deserted() {
		c.pass()
		c.close()
	}
}

// carryFirst carries the first packet. Encryption is refused. A request to
// cancel is passed on and ends the link when the server has closed it; but not
// one from a client that a fault has cut, since the server is to go on.
func (c *link) carryFirst(from *bufio.Reader) bool {
	for {
		packet, code, err := readFirst(from)
		if err != nil {
			return false
		}
		switch code {
		case sslCode, gssCode:
			if !c.toClient([]byte{'N'}) {
				return false
			}
			continue
		case cancelCode:
			if c.p.leftBehind(string(packet[8:])) {
				c.close()
				return false
			}
		default:
			c.expect(&exchange{}) // the server says when it is ready
		}
		return c.toServer(packet)
	}
}

// leftBehind reports whether the link with a key has lost its client.
func (p *Proxy) leftBehind(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.links {
		if c.leftWith(key) {
			return true
		}
	}
	return false
}

func (c *link) leftWith(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left && c.key == key
}

// expect notes that the server will answer.
func (c *link) expect(x *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed {
		x.fail()
		return
	}
	c.pending = append(c.pending, x)
}

// request sends a whole request on, and lets go wrong what shall. It returns
// false if no other request can come.
func (c *link) request(r *Request) bool {
	x := &exchange{trap: c.p.choose(r)}
	c.expect(x)
	if x.trap == nil || x.trap.fault.At.inAnswer() {
		return c.send(r.bytes)
	}
	n := x.trap.fault.At.offset(len(r.bytes), r.commitAt())
	return c.send(r.bytes[:n]) && c.act(x.trap) && c.send(r.bytes[n:]) && !c.deserted()
}

// commitAt returns where in the request the point BeforeCommit is.
func (r *Request) commitAt() int {
	if r.Commits {
		return r.commit
	}
	return len(r.bytes)
}

// send is toServer, and ends the link if that fails.
func (c *link) send(b []byte) bool {
	if c.toServer(b) {
		return true
	}
	c.close()
	return false
}

// act does what a fault does at its point. It returns false if the link is over.
func (c *link) act(t *Trap) bool {
	c.p.count(t.fault)
	switch t.fault.Do {
	case Cut:
		c.close()
	case Mute:
		c.mute()
	case Leave:
		c.desert()
	}
	t.spring()
	switch t.fault.Do {
	case Hold, Leave:
		return t.await(c.ended)
	case Mute:
		<-c.ended
		return false
	}
	return t.fault.Do != Cut
}

// carryAnswers carries what the server sends.
func (c *link) carryAnswers() {
	defer c.fail()
	from := bufio.NewReaderSize(c.server, 64<<10)
	for {
		m, err := readMessage(from)
		if err != nil {
			c.pass()
			return
		}
		if m.kind() == 'K' {
			c.known(string(m.body()))
		}
		x := c.current()
		if !c.heard(x, m) || m.kind() == ready && c.answered(x) {
			return
		}
	}
}

// known notes the key of the server's process.
func (c *link) known(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = key
}

// ready is the kind of the message that ends an answer.
const ready = 'Z'

// current returns the exchange that the server answers now, if any.
func (c *link) current() *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		return nil
	}
	return c.pending[0]
}

// heard deals with a message from the server. It returns false if the link is
// over.
func (c *link) heard(x *exchange, m message) bool {
	if x == nil || x.trap == nil {
		return c.toClient(m)
	}
	t := x.trap
	if m.kind() == 'E' {
		t.noteError(sqlstate(m))
	}
	if !t.fault.At.inAnswer() {
		return c.toClient(m)
	}
	x.answer = append(x.answer, m...)
	if m.kind() != ready {
		return true
	}
	t.end(true) // before the fault happens, so that whoever waits for that finds it
	n := t.fault.At.offset(len(x.answer), 0)
	return c.toClient(x.answer[:n]) && c.act(t) && c.toClient(x.answer[n:])
}

// answered takes an exchange off whose answer has come to its end. It returns
// true if the client has been cut and nothing more is to come.
func (c *link) answered(x *exchange) (last bool) {
	if x == nil {
		return false
	}
	if x.trap != nil {
		x.trap.end(true)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = c.pending[1:]
	return c.left && len(c.pending) == 0
}

// fail ends the link, and with it all that is not answered.
func (c *link) fail() {
	c.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.pending {
		x.fail()
	}
	c.pending, c.failed = nil, true
}

// fail notes that there will be no answer.
func (x *exchange) fail() {
	if x.trap != nil {
		x.trap.end(false)
	}
}
