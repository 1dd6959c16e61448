package receipt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// MaxInto is how many bytes Award.Into may have.
const MaxInto = 200

// Product is something that is sold, and what it does to whoever receives it.
type Product struct {
	// Name is Purchase.Product, 1 to MaxProduct bytes of text without NUL.
	Name string
	// Grant gives the player what was bought, in an update: what it writes and the
	// record of the purchase are on disk together or not at all. Into which slot or
	// field is for it to say. An error, also a refused write, or a panic leaves
	// everything as it was: the purchase waits, and Grant is called again with the
	// player's next load, or when the purchase is delivered again. Like the
	// function of an Update it must be quick and use the profile through the Tx only.
	Grant func(tx *profile.Tx, a *Award) error
	// Refund takes back what Grant has given, if it is still there, likewise. It is
	// called once for a purchase that was granted and is refunded, and never for
	// one that was not granted. Nil takes nothing back: the refund is recorded only.
	Refund func(tx *profile.Tx, a *Award) error
}

// Award is a purchase in the hands of its product's handler.
type Award struct {
	Purchase
	// Into says where the award has gone, at most MaxInto bytes of text: the slot,
	// the field, the item's id. Grant may set it, and Refund is given what was set.
	Into string
}

// Options configure a Book. A nil *Options is the same as the zero value.
type Options struct {
	// Wait is the longest that Grant, Refund and Release wait for what they have
	// asked for. Zero means 10 s. The context may end the wait before.
	Wait time.Duration
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger
}

// Book grants the purchases of one profile.Server's players. All its methods are
// safe for concurrent use. It holds nothing that must be closed.
type Book struct {
	srv      *profile.Server
	ss       *session.Server
	rd       *Reader
	wait     time.Duration
	log      *slog.Logger
	products map[string]Product
	*confirmer
}

// New returns a book for a server's players, and has it handle their purchases
// there. It must be called once per schema, before the first profile is opened. A
// product without a name or a Grant, one that is named twice, and a second book
// are driver.ErrInvalid. Without products it is for those who only deliver, such as
// a web shop: the purchases of players who are nowhere in the game then wait for
// a game server.
func New(srv *profile.Server, products []Product, o *Options) (*Book, error) {
	b := &Book{srv: srv, ss: srv.Session(), wait: 10 * time.Second, log: slog.New(slog.DiscardHandler), products: make(map[string]Product), confirmer: new(confirmer)}
	b.rd = NewReader(b.ss.DB())
	if o != nil {
		if o.Wait < 0 {
			return nil, fmt.Errorf("open a book of purchases: %w: negative wait %v", driver.ErrInvalid, o.Wait)
		}
		if o.Wait > 0 {
			b.wait = o.Wait
		}
		if o.Logger != nil {
			b.log = o.Logger
		}
	}
	for _, p := range products {
		if err := b.add(p); err != nil {
			return nil, fmt.Errorf("open a book of purchases: %w", err)
		}
	}
	if err := srv.HandlePrepared(topic, b.prepare, b.handle); err != nil {
		return nil, fmt.Errorf("open a book of purchases: %w", err)
	}
	srv.TellDeeds(b.deeds)
	return b, nil
}

func (b *Book) add(p Product) error {
	if err := checkText("product", p.Name, 1, MaxProduct); err != nil {
		return err
	}
	if _, twice := b.products[p.Name]; twice || p.Grant == nil {
		return fmt.Errorf("%w: product %q has no Grant, or is named twice", driver.ErrInvalid, p.Name)
	}
	b.products[p.Name] = p
	return nil
}

// Reader returns a reader of the records in the book's database.
func (b *Book) Reader() *Reader { return b.rd }

// patience bounds a wait.
func (b *Book) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, b.wait, fmt.Errorf("no answer for %v", b.wait))
}

// final are the errors that will always come again.
var final = []error{
	driver.ErrInvalid, ErrOtherPlayer, ErrOtherPurchase, ErrRefunded, ErrSpent, ErrGranted, ErrReleased, session.ErrErased,
}

// outcome returns the error of an act as its caller gets it. Recorded says that
// what was asked for is on disk.
func outcome(id string, recorded bool, err error) error {
	switch {
	case err == nil:
		return nil
	case slices.ContainsFunc(final, func(f error) bool { return errors.Is(err, f) }):
		return fmt.Errorf("purchase %q: %w", id, err)
	}
	return &NotProcessedError{ID: id, Recorded: recorded, Reason: err}
}

// commit commits a batch, once its outcome is known.
func (b *Book) commit(ctx context.Context, checks []driver.Check, writes ...driver.Write) error {
	id, err := b.ss.DB().NewVersion()
	if err != nil {
		return err
	}
	batch := driver.Batch{ID: id, Checks: checks, Writes: writes}
	_, err = b.ss.DB().Commit(ctx, store.Attempt{Batch: batch, Lane: store.Waited})
	return err
}
