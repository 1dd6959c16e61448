package wire

import "time"

// Point is where in a request, or in its answer, something goes wrong.
type Point uint8

// The points, in the order in which a request passes them.
const (
	Before       Point = iota // nothing of the request has reached the server
	Middle                    // half of its bytes have
	BeforeCommit              // all before what commits has; the end of a request that commits nothing
	Sent                      // all of it has been sent, and the answer is not waited for
	Answer                    // the answer is there, and nothing of it has reached the client
	MidAnswer                 // half of the answer's bytes have
)

// String returns the point's name.
func (p Point) String() string {
	return [...]string{"before", "middle", "before commit", "sent", "answer", "mid answer"}[p]
}

func (p Point) inAnswer() bool { return p >= Answer }

// offset returns the number of bytes that pass before the point, of so many in
// all and so many before what commits.
func (p Point) offset(all, commit int) int {
	switch p {
	case Before, Answer:
		return 0
	case Middle, MidAnswer:
		return all / 2
	case BeforeCommit:
		return commit
	default:
		return all
	}
}

// Action is what goes wrong.
type Action uint8

// The actions; see the package's comment.
const (
	Pass  Action = iota // nothing goes wrong
	Cut                 // both ends are closed
	Hold                // nothing passes until it is released
	Leave               // the client is cut; the server gets the rest when it is released
	Mute                // nothing passes any more, and nobody is told
)

// String returns the action's name.
func (a Action) String() string { return [...]string{"pass", "cut", "hold", "leave", "mute"}[a] }

// Fault is what goes wrong with one request. The zero Fault is nothing.
type Fault struct {
	At Point
	Do Action
	// For is how long Hold and Leave wait for their release before they go on
	// by themselves. Zero: until they are released, or the proxy is closed.
	For time.Duration
}

// Match says which requests are meant.
type Match func(*Request) bool

// Commits matches the requests that commit a change.
func Commits(r *Request) bool { return r.Commits }

// Any matches every request.
func Any(*Request) bool { return true }

// CommitOf matches the requests that commit a change and have a text, such as
// a key, in one of their parameters.
func CommitOf(text string) Match {
	return func(r *Request) bool { return r.Commits && r.Has(text) }
}
