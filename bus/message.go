package bus

import (
	"crypto/rand"
	"encoding/hex"
)

// ID names a Bus among all of its fleet: it is drawn at random when the Bus is
// opened.
type ID [12]byte

func newID() (id ID) {
	_, _ = rand.Read(id[:]) // it never fails
	return id
}

// String returns the id as 24 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Message is what a subscriber's function is given: a message, or the notice
// that some may have been missed.
type Message struct {
	Topic string // under which it was published
	Data  []byte // the receiver's own; nil in a notice
	From  ID     // who sent it; zero in a notice that concerns every sender
	Own   bool   // this Bus sent it
	// Missed marks a notice: messages of the topic may have been lost where it
	// stands. Whoever relies on them looks into the database now.
	Missed bool
}
