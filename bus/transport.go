package bus

import "context"

// Transport carries packets between the servers of a fleet: in the process, by
// NATS, by PostgreSQL. It makes a single attempt and has no policy; what a packet
// holds, retries and gaps are the business of [Bus]. All methods are safe for
// concurrent use.
type Transport interface {
	// Send sends packets in order, each to all who listen to its subject by
	// then, the sender included. It returns when they are on their way, or with
	// an error when ctx ends or the line is down: then any of them may have
	// been sent, and the caller sends all of them again. The transport keeps
	// none of the bytes after it has returned, unless it leaves them unchanged.
	Send(ctx context.Context, packets []Packet) error
	// Listen calls fn for each packet of a subject until stop is called, in the
	// order in which each sender sent them. fn does not block; it keeps the
	// bytes and does not change them. A subject may be listened to several
	// times. Listen returns when what is sent from then on is heard; while the
	// line is down it returns without that, and Watch's function tells when it
	// is so. It waits a few seconds at most. The error is ErrClosed, or one that
	// will not pass. Stop does not wait for fn, and may be called by it.
	Listen(subject string, fn func(packet []byte)) (stop func(), err error)
	// Watch has fn told when the line is lost (false), and when it is back and
	// all that is listened to is heard again (true); never twice the same in a
	// row. It is called once, before the other methods. fn does not block.
	Watch(fn func(up bool))
	// Limit is how large a packet may be, in bytes: at least 1,024.
	Limit() int
	// Close ends the connection, makes the calls that wait return, and returns
	// when all goroutines of the transport have ended.
	Close() error
}

// Packet is what a transport carries.
type Packet struct {
	Subject string // a fleet's name, a dot, and a topic: UTF-8 without zero bytes, at most MaxTopic+51 bytes
	Data    []byte // at most Limit bytes
}
