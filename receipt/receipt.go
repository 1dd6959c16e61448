package receipt

import (
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// State is how far a purchase has come.
type State string

// The states of a purchase. Each can only become one that stands below it.
const (
	// Claimed means that the purchase is its player's, and not granted yet.
	Claimed State = "claimed"
	// Granted means that the award and this record are on disk.
	Granted State = "granted"
	// Refunded means that the purchase was taken back. If it was never granted
	// before, it never will be.
	Refunded State = "refunded"
	// Released means that an operator has freed the claim: it was not granted, and
	// the purchase may be claimed anew, for anybody.
	Released State = "released"
	// Spent means that the player whose it was has been erased. Nothing else is
	// kept, and it is granted to nobody any more.
	Spent State = "spent"
)

// Receipt is the record of one purchase.
type Receipt struct {
	Purchase
	// Key is whose purchase it is. Zero: nobody's, as it was refunded before
	// anybody had claimed it, or its player was erased.
	Key session.Key
	// Claim counts the claims of the purchase, from 1: all before the last one were
	// released.
	Claim int
	State State

	Claimed, Granted, Refunded, Released Act
}

// Act is one step of a purchase.
type Act struct {
	At       time.Time // by the database's clock; zero: it was not taken
	By       string    // the name of the server that took it
	Reason   string    // of a refund or a release
	Revision uint64    // of the profile, with what the product's handler changed
	Into     string    // of a grant: what the product's handler has noted in Award.Into
}
