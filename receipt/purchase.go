package receipt

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// Limits of a Purchase. Those of texts are in bytes.
const (
	MaxPurchaseID   = 512
	MaxProduct      = 100
	MaxPlayer       = session.MaxID
	MaxPayer        = 200
	MaxQuantity     = 1_000_000_000
	MaxDetails      = 16 << 10
	MaxDetailsDepth = 32 // objects and arrays inside each other, the outermost being the first
)

// Purchase is something that was paid for and is to be handed out once.
type Purchase struct {
	// ID is the purchase's name, unique in the world and the same whenever the
	// purchase is told of: 1 to MaxPurchaseID bytes of text without NUL. By
	// convention it is "<store>:<id>", so that the ids of two stores cannot
	// meet.
	ID string
	// Product is what was bought, by the name that the game's handlers know:
	// 1 to MaxProduct bytes of text without NUL.
	Product string
	// Player is the id of who receives it, at most MaxPlayer bytes. Empty means
	// that the proof names nobody: whoever delivers it then has to say.
	Player string
	// Slot is the id of the player's save slot that receives it: it is granted while
	// that is loaded, and waits until then. Of a purchase that is told of several
	// times, what the first claim says holds. Empty means the account, or whichever
	// slot is loaded, as the product's function likes. A Verifier may set it, from
	// what the game had the store keep with the purchase.
	Slot string
	// Payer is who paid, if that was another than the player: at most MaxPayer
	// bytes. Empty means the player, or nobody known.
	Payer string
	// Quantity is how many of the product were bought, 1 to MaxQuantity. Zero
	// means 1.
	Quantity int64
	// At is when it was bought. Zero means that the proof does not say.
	At time.Time
	// Sandbox says that no money was moved: the purchase was made for a test.
	Sandbox bool
	// Details is what else the store said, kept with the record: a JSON object
	// of at most MaxDetails bytes and MaxDetailsDepth levels, without duplicate
	// names. Empty means nothing.
	Details json.RawMessage
}

// Event is what a proof says of a purchase: that it was made or, with Refund,
// that it was taken back.
type Event struct {
	Purchase
	// Refund means that the store gave the money back or revoked the purchase:
	// a refund, a chargeback, the end of a share. The purchase is the one that
	// was made, not one of its own.
	Refund bool
}

// Check returns an error that matches driver.ErrInvalid, and names the field
// and the reason, unless everything in the purchase is within its limits.
func (p *Purchase) Check() error {
	texts := []struct {
		what, text  string
		least, most int
	}{
		{"purchase id", p.ID, 1, MaxPurchaseID},
		{"product", p.Product, 1, MaxProduct},
		{"player", p.Player, 0, MaxPlayer},
		{"payer", p.Payer, 0, MaxPayer},
	}
	for _, t := range texts {
		if err := checkText(t.what, t.text, t.least, t.most); err != nil {
			return err
		}
	}
	if p.Slot != "" {
		if err := profile.CheckSlot(p.Slot); err != nil {
			return err
		}
	}
	if p.Quantity < 0 || p.Quantity > MaxQuantity {
		return fmt.Errorf("%w: quantity %d, 1 to %d allowed", driver.ErrInvalid, p.Quantity, MaxQuantity)
	}
	// The record is JSON, which knows the years 0 to 9999 only.
	if _, err := p.At.MarshalJSON(); err != nil {
		return fmt.Errorf("%w: time of purchase: %w", driver.ErrInvalid, err)
	}
	return checkDetails(p.Details)
}

func checkText(what, s string, least, most int) error {
	switch {
	case len(s) < least || len(s) > most:
		return fmt.Errorf("%w: %s of %d bytes, %d to %d allowed: %.60q", driver.ErrInvalid, what, len(s), least, most, s)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: %s %q is not valid UTF-8", driver.ErrInvalid, what, s)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%w: %s %q has a NUL byte", driver.ErrInvalid, what, s)
	}
	return nil
}

func checkDetails(details json.RawMessage) error {
	if len(details) == 0 {
		return nil
	}
	if len(details) > MaxDetails {
		return fmt.Errorf("%w: details of %d bytes, at most %d allowed", driver.ErrInvalid, len(details), MaxDetails)
	}
	text, err := document.Compact(details, &document.Limits{Size: MaxDetails, Depth: MaxDetailsDepth})
	if err != nil {
		return fmt.Errorf("%w: details: %w", driver.ErrInvalid, err)
	}
	if text[0] != '{' {
		return fmt.Errorf("%w: details are not a JSON object: %.60q", driver.ErrInvalid, text)
	}
	return nil
}
