package receipt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// work is an errand that was prepared: with the record as it stands.
type work struct {
	errand
	record *record
	// refunding says that a refund of the same purchase is on its way: then it is
	// not granted any more.
	refunding bool
}

// later returns an error with which a message stays, and the reason is told.
func later(reason error, detail string) error {
	return fmt.Errorf("%w: %w", profile.ErrLater, &laterError{reason, detail})
}

// prepare reads the record of the purchase that a message is about. What an update
// of this session has changed in it may not be in the database yet, so the session
// is asked first: nothing else handles the player's purchases meanwhile.
func (b *Book) prepare(ctx context.Context, p *profile.Profile, m *profile.Message) (any, error) {
	w := &work{}
	if err := json.Unmarshal(m.Body, &w.errand); err != nil {
		return nil, fmt.Errorf("message %q: %w: %w", m.ID, driver.ErrCorrupt, err)
	}
	key := recordKey(w.ID, w.Claim)
	if at, ok := p.Session().Attached(key); ok {
		r, err := decodeValue(key, at.Value)
		w.record = r
		return w, damaged(key, err)
	}
	refund, err := b.messageKey(p.ID(), errand{Do: verbRefund, ID: w.ID, Claim: w.Claim}, m)
	if err != nil {
		return nil, err
	}
	snap, err := b.ss.DB().Read(ctx, key, refund)
	if err != nil {
		return nil, err
	}
	if !snap.Entries[0].Found() {
		return nil, later(driver.ErrCorrupt, fmt.Sprintf("there is no record %q", key))
	}
	w.refunding = snap.Entries[1].Found()
	w.record, err = decode(&snap.Entries[0])
	return w, damaged(key, err)
}

// damaged makes an error of reading a record one that leaves the message where it
// is.
func damaged(key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, driver.ErrFormat):
		return later(driver.ErrFormat, err.Error())
	}
	return later(driver.ErrCorrupt, fmt.Sprintf("record %q: %v", key, err))
}

// messageKey returns the entry in which a message waits.
func (b *Book) messageKey(player string, e errand, like *profile.Message) (string, error) {
	m, err := b.message(e, like.For)
	if err != nil {
		return "", err
	}
	w, err := b.srv.MessageWrite(player, m)
	return w.Key, err
}

// handle does what a message asks for, in an update that also writes the record.
func (b *Book) handle(tx *profile.Tx, m *profile.Message) (json.RawMessage, error) {
	w, ok := m.Prepared().(*work)
	if !ok {
		return nil, fmt.Errorf("message %q was not prepared", m.ID)
	}
	r := w.record
	p := tx.Profile()
	if r.State == Spent || r.Owner != p.Key().String() || r.Birth != p.Session().Birth() {
		return nil, fmt.Errorf("purchase %q: %w", w.ID, ErrOtherPlayer) // a dead letter: nobody sends such
	}
	next, err := b.step(tx, w)
	if err == nil && next != r {
		tx.Keep()
		tx.Origin(originOf(r, next))
		err = attach(tx, next)
	}
	if err == nil && next != r && next.State == Released {
		err = attachIndex(tx, next)
	}
	if err != nil {
		return nil, err
	}
	return next.news()
}

// originOf returns what sort of act a step is; none if it changes no data.
func originOf(before, next *record) string {
	switch {
	case next.State == Granted:
		return session.OriginPurchase
	case next.State == Refunded && before.State == Granted:
		return session.OriginRefund
	}
	return ""
}

// step returns the record one step further, or as it is if there is nothing to do.
func (b *Book) step(tx *profile.Tx, w *work) (*record, error) {
	r := w.record
	a := act{At: b.ss.Now().UTC().Round(time.Millisecond), By: b.ss.Name(), Reason: w.Reason}
	switch {
	case w.Do == verbGrant && r.State == Claimed && !w.refunding:
		return b.grant(tx, r, a)
	case w.Do == verbGrant && r.State == Claimed: // the refund's own message finds it done
		a.Reason = "refunded before it was granted"
		return r.with(Refunded, a), nil
	case w.Do == verbRefund && r.State == Claimed:
		return r.with(Refunded, a), nil
	case w.Do == verbRefund && r.State == Granted:
		return b.refund(tx, r, a)
	case w.Do == verbRelease && r.State == Claimed:
		return r.with(Released, a), nil
	}
	return r, nil
}

func (b *Book) grant(tx *profile.Tx, r *record, a act) (*record, error) {
	product, known := b.products[r.Purchase.Product]
	if !known {
		return nil, later(ErrUnknownProduct, fmt.Sprintf("%q", r.Purchase.Product))
	}
	if err := inSlot(tx, r); err != nil {
		return nil, err
	}
	award := &Award{Purchase: r.purchase()}
	if err := b.call(tx, "grant", product.Grant, award); err != nil {
		return nil, err
	}
	if len(award.Into) > MaxInto || !utf8.ValidString(award.Into) {
		return nil, later(ErrDeclined, fmt.Sprintf("Into has %d bytes, at most %d of UTF-8", len(award.Into), MaxInto))
	}
	a.Into, a.Revision, a.Reason = award.Into, tx.Revision(), ""
	return r.with(Granted, a), nil
}

func (b *Book) refund(tx *profile.Tx, r *record, a act) (*record, error) {
	product, known := b.products[r.Purchase.Product]
	if !known {
		return nil, later(ErrUnknownProduct, fmt.Sprintf("%q", r.Purchase.Product))
	}
	missing := inSlot(tx, r)
	switch {
	case errors.Is(missing, profile.ErrUnknownSlot): // the award is gone with its slot
		a.Reason = fmt.Sprintf("%.100s (its save slot is gone)", a.Reason)
	case missing != nil:
		return nil, missing
	case product.Refund != nil:
		if err := b.call(tx, "refund", product.Refund, &Award{r.purchase(), r.Granted.Into}); err != nil {
			return nil, err
		}
	}
	a.Revision = tx.Revision()
	return r.with(Refunded, a), nil
}

// inSlot leaves a purchase for later whose save slot is not loaded. If that is gone for
// good the reason is profile.ErrUnknownSlot, and the purchase stays claimed until
// somebody refunds or releases it.
func inSlot(tx *profile.Tx, r *record) error {
	err := tx.InSlot(r.Purchase.Slot)
	if missing, ok := errors.AsType[*profile.SlotError](err); ok {
		return later(missing.Err, fmt.Sprintf("it is for save slot %q", r.Purchase.Slot))
	}
	return err
}

// call calls a product's handler, which may panic.
func (b *Book) call(tx *profile.Tx, what string, fn func(*profile.Tx, *Award) error, a *Award) (err error) {
	defer func() {
		if v := recover(); v != nil {
			b.log.Error("a product's handler panicked", "what", what, "product", a.Product, "purchase", a.ID,
				"key", tx.Profile().Key().String(), "panic", v, "stack", string(debug.Stack()))
			err = later(ErrDeclined, fmt.Sprintf("it panicked: %v", v))
		}
	}()
	err = fn(tx, a)
	if err == nil {
		err = tx.Err() // a refused write fails the update, whatever the handler makes of it
	}
	if err == nil || errors.Is(err, session.ErrOutboxFull) {
		return err
	}
	return later(ErrDeclined, err.Error())
}

// attach writes a record with an update.
func attach(tx *profile.Tx, r *record) error {
	w, err := r.write()
	if err != nil {
		return err
	}
	w.Mode = driver.Always
	return tx.Attach(w)
}

// attachIndex writes the index entry of a record anew, as it leaves something else by
// now.
func attachIndex(tx *profile.Tx, r *record) error {
	w, err := r.index(tx.Profile().Key(), driver.Always)
	if err != nil {
		return err
	}
	return tx.Attach(w)
}
