package receipt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// ErrNotProcessed means that what was asked for has not happened yet and may
// still: ask again, as a store does by itself. It comes as a *NotProcessedError,
// with the reason. Every other error of a Book's acts is final: the same act will
// always be refused.
var ErrNotProcessed = errors.New("not processed yet")

// Reasons of a *NotProcessedError, beside those of packages profile, session,
// store and driver. Test for them with errors.Is.
var (
	// ErrUnknownProduct means that where the player is, nobody knows the product.
	ErrUnknownProduct = errors.New("unknown product")
	// ErrDeclined means that the product's handler returned an error, panicked, or
	// wrote what its field refuses. Nothing of what it did remains.
	ErrDeclined = errors.New("declined by the product's handler")
)

// Errors that are final. Test for them with errors.Is.
var (
	// ErrNoPlayer means that nobody says who receives the purchase. It is a
	// driver.ErrInvalid too.
	ErrNoPlayer error = noPlayerError{}
	// ErrOtherPlayer means that the purchase is another player's.
	ErrOtherPlayer = errors.New("the purchase is another player's")
	// ErrOtherPurchase means that the same id stands for another product or
	// another quantity.
	ErrOtherPurchase = errors.New("the id is another purchase's")
	// ErrRefunded means that the purchase was refunded.
	ErrRefunded = errors.New("the purchase was refunded")
	// ErrSpent means that the player whose purchase it was has been erased.
	ErrSpent = errors.New("the purchase was a player's who was erased")
	// ErrGranted means that a purchase cannot be released, as it was granted.
	ErrGranted = errors.New("the purchase was granted")
	// ErrReleased means that a purchase that should be released is claimed by
	// nobody.
	ErrReleased = errors.New("the purchase is claimed by nobody")
)

type noPlayerError struct{}

func (noPlayerError) Error() string        { return "nobody says who receives the purchase" }
func (noPlayerError) Is(target error) bool { return target == driver.ErrInvalid }

// NotProcessedError says why something has not happened yet. It matches
// ErrNotProcessed and the reason.
type NotProcessedError struct {
	ID string // of the purchase
	// Recorded says that what was asked for is on disk. It is done with the next
	// load of the player at the latest, as soon as the reason has passed, whether or
	// not it is asked for again.
	Recorded bool
	Reason   error
}

func (e *NotProcessedError) Error() string {
	return fmt.Sprintf("purchase %q: %v: %v", e.ID, ErrNotProcessed, e.Reason)
}

// Is reports that the error is an ErrNotProcessed.
func (e *NotProcessedError) Is(target error) bool { return target == ErrNotProcessed }

// Unwrap returns the reason.
func (e *NotProcessedError) Unwrap() error { return e.Reason }

// laterError is why the owner of a player leaves a purchase for later. Its text
// travels to the server that waits for it, which reads the reason from it.
type laterError struct {
	reason error // one of reasons
	detail string
}

// laterMark stands before the reason in the text.
const laterMark = "purchase left for later: "

func (e *laterError) Error() string { return laterMark + e.reason.Error() + ": " + e.detail }

func (e *laterError) Unwrap() error { return e.reason }

// reasons are those that a text can name.
var reasons = []error{
	ErrUnknownProduct, ErrDeclined, driver.ErrCorrupt, driver.ErrFormat,
	profile.ErrOtherSlot, profile.ErrSlotDeleted, profile.ErrUnknownSlot, profile.ErrNoSlots,
}

// reasonIn finds the reason that a text names, or else makes an error of it.
func reasonIn(text string) error {
	_, rest, _ := strings.Cut(text, laterMark)
	for _, r := range reasons {
		if detail, ok := strings.CutPrefix(rest, r.Error()+": "); ok {
			return fmt.Errorf("%w: %s", r, detail)
		}
	}
	return errors.New(text)
}
