package receipt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// MaxProof is how many bytes the body of a proof may have.
const MaxProof = 256 << 10

// Errors of a Verifier, wrapped with the reason. Test for them with errors.Is.
// None of them passes: the same proof is refused again.
var (
	// ErrUnverified means that the proof could be read and is not to be
	// believed: a signature, a certificate, a time, or whom it is meant for
	// does not hold.
	ErrUnverified = errors.New("proof does not verify")
	// ErrMalformed means that the proof cannot be read: it is cut short, is
	// not of the form that its verifier expects, or says something that no
	// purchase can hold.
	ErrMalformed = errors.New("malformed proof")
	// ErrTooLarge means that the proof is larger than its limit. Nothing of it
	// was read.
	ErrTooLarge = errors.New("proof too large")
)

// Proof is what is said to prove a purchase, as it came: a store's request, or
// what a client hands in. Nothing in it is to be believed before a Verifier
// has looked at it.
type Proof struct {
	// Body is the request's body, byte for byte, or what the client handed in:
	// 1 to MaxProof bytes.
	Body []byte
	// Header is the request's header. Nil if there was none; which fields
	// count is for the verifier to say.
	Header http.Header
}

// Check returns an error that matches ErrTooLarge or ErrMalformed unless the
// proof's body is within its limits. It looks at the length alone. Every
// Verifier calls it first.
func (p Proof) Check() error {
	switch n := len(p.Body); {
	case n > MaxProof:
		return fmt.Errorf("%w: body of %d bytes, at most %d allowed", ErrTooLarge, n, MaxProof)
	case n == 0:
		return fmt.Errorf("%w: empty body", ErrMalformed)
	}
	return nil
}

// Verifier tells whether a proof is genuine, and what it says.
type Verifier interface {
	// Verify returns what the proof says of purchases. Every event that it
	// returns passes its Check. A genuine proof that says nothing of a
	// purchase, such as a store's test notification, gives no events and no
	// error.
	//
	// An error matches ErrUnverified, ErrMalformed or ErrTooLarge if the proof
	// is at fault, and comes without events; any other means that it could not
	// be judged this time.
	//
	// Verify remembers nothing: the same proof gives the same events again, and
	// granting once is the business of whoever receives them. It does not
	// change the proof and keeps none of its bytes. It may block on a store
	// that it asks, until ctx ends, and is safe for concurrent use.
	Verify(ctx context.Context, p Proof) ([]Event, error)
}
