package bus

import "errors"

// Errors of a bus.
var (
	// ErrClosed means that the bus was closed.
	ErrClosed = errors.New("bus closed")
	// ErrFull means that too much waits to be sent already: the line is down or
	// slower than what is published. Nothing was sent.
	ErrFull = errors.New("too much waits to be sent")
	// ErrTooLarge means that a message is over MaxMessage.
	ErrTooLarge = errors.New("message too large")
	// ErrTopic means that a topic is not 1 to MaxTopic bytes of UTF-8, or that
	// it is one of Holdfast's own.
	ErrTopic = errors.New("invalid topic")
	// ErrOptions means that an option is out of its range.
	ErrOptions = errors.New("invalid bus options")
	// ErrAddress means that an address of a line, as of NATS or PostgreSQL, is
	// not understood.
	ErrAddress = errors.New("invalid address of a bus")
	// ErrNoReply means that no reply came in time: nobody serves the topic, the
	// request or its reply was lost, or whoever serves it is slow.
	ErrNoReply = errors.New("no reply")
	// ErrServed means that this bus serves the topic already.
	ErrServed = errors.New("topic is served already")
)

// ReplyError is what a handler returned instead of a reply.
type ReplyError struct {
	Text string // of the handler's error, at most 1 KiB
}

// Error implements error.
func (e *ReplyError) Error() string { return "the other side: " + e.Text }
