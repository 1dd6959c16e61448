package receipt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Grant grants a purchase, once, whoever calls it how often and on which server.
// It returns without an error only when the award and its record are on disk. The
// player may be here, on another server, or offline: then his profile is opened for
// a moment. He must have been in the game before.
//
// A *NotProcessedError means not yet, and its Recorded whether the claim is on
// disk: then the purchase is granted as soon as its reason has passed, with the
// player's next load at the latest. All other errors are final: ErrNoPlayer,
// ErrOtherPlayer, ErrOtherPurchase, ErrRefunded, ErrSpent, session.ErrErased, and
// driver.ErrInvalid for a purchase that does not pass its Check. It blocks for
// Options.Wait at most.
func (b *Book) Grant(ctx context.Context, p Purchase) (Receipt, error) {
	if err := p.Check(); err != nil {
		return Receipt{}, fmt.Errorf("grant: %w", err)
	}
	if p.Player == "" {
		return Receipt{}, outcome(p.ID, false, ErrNoPlayer)
	}
	ctx, cancel := b.patience(ctx)
	defer cancel()
	var r *record
	for {
		claimed, err := b.claim(ctx, &p)
		if errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
			continue // somebody was faster: his claim is there now
		}
		if r = claimed; err != nil {
			return Receipt{}, outcome(p.ID, false, err)
		}
		break
	}
	r, err := b.settle(ctx, r)
	if err == nil && r.State != Granted {
		err = r.standing()
	}
	if err != nil {
		return Receipt{}, outcome(p.ID, true, err)
	}
	return r.public(), nil
}

// standing is the error of a claim that is not granted, as its state tells.
func (r *record) standing() error {
	switch r.State {
	case Refunded:
		return ErrRefunded
	case Spent:
		return ErrSpent
	case Granted:
		return ErrGranted
	}
	return fmt.Errorf("it is %s", r.State)
}

// claim returns the record of a purchase that is the player's: the one that is
// there, or a new one. It is store.ErrConflict if somebody else was faster.
func (b *Book) claim(ctx context.Context, p *Purchase) (*record, error) {
	r, err := b.rd.last(ctx, p.ID, b.session(p.Player))
	if err != nil {
		return nil, err
	}
	key := b.srv.Schema().Key(p.Player)
	switch {
	case r == nil:
		return b.create(ctx, key, newRecord(p, 1), nil)
	case r.State == Released:
		return b.create(ctx, key, newRecord(p, r.claim+1), r)
	case r.State == Spent:
		return nil, ErrSpent
	case r.Owner == "": // it was refunded before anybody had claimed it
		return nil, ErrRefunded
	case r.Owner != key.String():
		return nil, ErrOtherPlayer
	case !r.same(p):
		return nil, fmt.Errorf("%w: %d of %q", ErrOtherPurchase, r.Purchase.Quantity, r.Purchase.Product)
	}
	return r, nil
}

// create creates a claim: its record, the player's index, and the message to his
// server, in one commit. The claim before it, if there is one, was released.
func (b *Book) create(ctx context.Context, key session.Key, r *record, before *record) (*record, error) {
	if _, known := b.products[r.Purchase.Product]; !known && len(b.products) > 0 {
		return nil, fmt.Errorf("%w: %q", ErrUnknownProduct, r.Purchase.Product)
	}
	birth, err := b.birth(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := b.slotOf(key, r.Purchase.Slot); err != nil {
		return nil, err
	}
	r.Owner, r.Birth = key.String(), birth
	r = r.with(Claimed, act{At: b.ss.Now().UTC().Round(time.Millisecond), By: b.ss.Name()})
	m, err := b.message(errand{Do: verbGrant, ID: r.ID, Claim: r.claim}, birth)
	if err != nil {
		return nil, err
	}
	mail, err := b.srv.MessageWrite(key.ID, m)
	if err != nil {
		return nil, err
	}
	return r, b.store(ctx, r, before, mail)
}

// slotOf refuses a save slot that a player who is here does not have, so that nothing
// is claimed for it.
func (b *Book) slotOf(key session.Key, id string) error {
	p, open := b.srv.Profile(key.ID)
	if id == "" || !open || p.Err() != nil {
		return nil
	}
	if slices.ContainsFunc(p.SaveSlots(), func(s profile.SaveSlot) bool { return s.ID == id }) {
		return nil
	}
	return &profile.SlotError{Key: key, Slot: id, Err: profile.ErrUnknownSlot}
}

// store creates a record that is not there yet, with its index and what goes with
// it.
func (b *Book) store(ctx context.Context, r, before *record, more ...driver.Write) error {
	w, err := r.write() // its mode is driver.Expect: there must be none
	if err != nil {
		return err
	}
	writes := append([]driver.Write{w}, more...)
	if key, err := session.ParseKey(r.Owner); err == nil {
		index, err := r.index(key, driver.Once)
		if err != nil {
			return err
		}
		writes = append(writes, index)
	}
	var checks []driver.Check
	if before != nil {
		checks = append(checks, driver.Check{Key: recordKey(before.ID, before.claim), Version: before.version})
	}
	return b.commit(ctx, checks, writes...)
}

// birth returns the birth id of a player's profile.
func (b *Book) birth(ctx context.Context, key session.Key) (driver.Version, error) {
	if s := b.session(key.ID); s != nil {
		return s.Birth(), nil
	}
	owner, err := b.ss.Owner(ctx, key)
	switch {
	case err != nil:
		return driver.Version{}, err
	case owner.Erased:
		return driver.Version{}, session.ErrErased
	case !owner.Exists:
		return driver.Version{}, session.ErrNotFound
	}
	return owner.Birth, nil
}

// session returns the session of a player who is here, or nil. One that is over knows
// nothing that counts: what it held is in the database, or is lost.
func (b *Book) session(player string) *session.Session {
	p, open := b.srv.Profile(player)
	if !open || p.Session() == nil || p.Session().Err() != nil {
		return nil
	}
	return p.Session()
}

// settle returns the record when the claim is not merely claimed any more, and
// that is on disk for good.
func (b *Book) settle(ctx context.Context, r *record) (*record, error) {
	switch {
	case r.State == Claimed:
	case r.held != nil: // of that session, and of no other that came after it
		return r, r.held.Sync(ctx)
	default:
		return r, b.confirm(ctx)
	}
	return b.send(ctx, r, errand{Do: verbGrant, ID: r.ID, Claim: r.claim}, true)
}

// send has an errand done by the server of the player, and returns the record as
// it is then, and on disk for good. Sent says that the message is there already,
// if it has not ended meanwhile.
func (b *Book) send(ctx context.Context, r *record, e errand, sent bool) (*record, error) {
	key, err := session.ParseKey(r.Owner)
	if err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		if !sent {
			if err := b.post(ctx, key, r, e); err != nil {
				return nil, err
			}
		}
		here := b.session(key.ID)
		out, err := b.srv.DeliverAlone(ctx, key.ID, e.messageID())
		switch {
		case err == nil:
			return b.heard(ctx, r, out.Result, here)
		case !errors.Is(err, profile.ErrGone) || tries > 0:
			return nil, b.reason(ctx, key, err)
		}
		// The message ended unhandled, or what came of it is not kept any more.
		if r, err = b.again(ctx, r, e); err != nil || e.done(r) {
			return r, err
		}
		sent = false
	}
}

// done reports whether there is nothing to do any more.
func (e errand) done(r *record) bool {
	return r.State != Claimed && (e.Do != verbRefund || r.State != Granted)
}

// post sends the message of an errand.
func (b *Book) post(ctx context.Context, key session.Key, r *record, e errand) error {
	m, err := b.message(e, r.Birth)
	if err == nil {
		m.Audit, err = b.act(e)
	}
	if err == nil {
		_, err = b.srv.Send(ctx, key.ID, m, nil)
	}
	return err
}

// heard returns the record as the player's server has answered. If he was in one
// session here before and after, what the answer says was on disk before it was
// given; else it may have been read.
func (b *Book) heard(ctx context.Context, r *record, answer []byte, here *session.Session) (*record, error) {
	next, err := r.hear(answer)
	if err != nil {
		return nil, err
	}
	if here != nil && here.Err() == nil {
		return next, nil
	}
	return next, b.confirm(ctx)
}

// again reads the record of a claim anew, whose message was not there. It is
// ErrSpent if the player has been erased, and another has come under his id.
func (b *Book) again(ctx context.Context, r *record, e errand) (*record, error) {
	snap, err := b.ss.DB().Read(ctx, recordKey(r.ID, r.claim))
	if err != nil {
		return nil, err
	}
	now, err := decode(&snap.Entries[0])
	switch {
	case err != nil:
		return nil, err
	case e.done(now):
		return now, b.confirm(ctx)
	}
	key, err := session.ParseKey(now.Owner)
	if err != nil {
		return nil, err
	}
	birth, err := b.birth(ctx, key)
	if err == nil && birth != now.Birth {
		err = ErrSpent
	}
	return now, err
}

// reason says why the player's server has not done what it was asked for.
func (b *Book) reason(ctx context.Context, key session.Key, err error) error {
	var unhandled *profile.UnhandledError
	if errors.As(err, &unhandled) {
		return reasonIn(unhandled.Reason)
	}
	if p, open := b.srv.Profile(key.ID); open && p.Err() != nil {
		return fmt.Errorf("%w: %w", profile.ErrErrored, err)
	}
	return err
}
