package receipt

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Refund takes a purchase back, once and for ever, and says why: session.MaxReason
// bytes of text at most. If it was granted, its product's Refund is called in the
// update that also records it; if it was not, it never will be, even if nobody has
// ever seen it before. The player is who claimed it, whatever p says of him. What
// was refunded already is no error.
//
// A *NotProcessedError means not yet, as for Grant. All other errors are final:
// ErrSpent and session.ErrErased, as there is nothing to be taken back from who was
// erased, and driver.ErrInvalid. It blocks for Options.Wait at most.
func (b *Book) Refund(ctx context.Context, p Purchase, reason string) (Receipt, error) {
	err := p.Check()
	if err == nil {
		err = checkReason(reason)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("refund: %w", err)
	}
	ctx, cancel := b.patience(ctx)
	defer cancel()
	for {
		r, recorded, err := b.tryRefund(ctx, &p, reason)
		if errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
			continue // it was claimed or refunded meanwhile
		}
		if err == nil && r.State != Refunded {
			err = r.standing()
		}
		if err != nil {
			return Receipt{}, outcome(p.ID, recorded, err)
		}
		return r.public(), nil
	}
}

// tryRefund refunds a purchase as it stands at this moment. Recorded says that the
// refund is on disk, whatever the error.
func (b *Book) tryRefund(ctx context.Context, p *Purchase, reason string) (r *record, recorded bool, err error) {
	last, err := b.rd.last(ctx, p.ID, nil)
	switch {
	case err != nil:
		return nil, false, err
	case last == nil:
		r, err = b.refundUnclaimed(ctx, newRecord(p, 1), p.Player, reason, nil)
		return r, false, err
	case last.State == Released:
		r, err = b.refundUnclaimed(ctx, newRecord(p, last.claim+1), p.Player, reason, last)
		return r, false, err
	case last.State == Spent:
		return nil, false, ErrSpent
	case last.State == Refunded:
		return last, true, b.confirm(ctx)
	}
	return b.ask(ctx, last, errand{Do: verbRefund, ID: last.ID, Claim: last.claim, Reason: reason})
}

// refundUnclaimed records that a purchase which nobody has claimed is refunded. It
// is put into the player's index if there is such a player.
func (b *Book) refundUnclaimed(ctx context.Context, r *record, player, reason string, before *record) (*record, error) {
	if player != "" {
		key := b.srv.Schema().Key(player)
		birth, err := b.birth(ctx, key)
		switch {
		case err == nil:
			r.Owner, r.Birth = key.String(), birth
		case !errors.Is(err, session.ErrErased) && !errors.Is(err, session.ErrNotFound):
			return nil, err
		}
	}
	r = r.with(Refunded, act{At: b.ss.Now().UTC().Round(time.Millisecond), By: b.ss.Name(), Reason: reason})
	act, err := b.acted(verbRefund, r, reason)
	if err != nil {
		return nil, err
	}
	return r, b.store(ctx, r, before, act...)
}

// ask sends an errand to the player whose claim it is.
func (b *Book) ask(ctx context.Context, r *record, e errand) (next *record, recorded bool, err error) {
	key, err := session.ParseKey(r.Owner)
	if err != nil {
		return nil, false, err
	}
	if err := b.kind(key); err != nil {
		return nil, false, err
	}
	if err := b.post(ctx, key, r, e); err != nil {
		return nil, false, err
	}
	next, err = b.send(ctx, r, e, true)
	return next, true, err
}

// kind refuses a player of another kind than the book's.
func (b *Book) kind(key session.Key) error {
	if key.Kind != b.srv.Schema().Key(key.ID).Kind {
		return fmt.Errorf("%w: it is the purchase of %v, and this book is another kind's", driver.ErrInvalid, key)
	}
	return nil
}

// Release frees a claim that was not granted, so that the purchase may be claimed
// anew, by anybody: an operator's act, for a purchase that names the wrong player
// or that nobody will ever handle. The reason, 1 to session.MaxReason bytes of
// text, is kept with the claim and told in the player's history. Like every change
// of what is a player's, it is made by whoever has him, or by opening his profile
// for a moment.
//
// A *NotProcessedError means not yet, as for Grant. All other errors are final:
// store.ErrNotFound if the purchase was never seen, ErrGranted, ErrRefunded,
// ErrReleased, ErrSpent, session.ErrErased and driver.ErrInvalid. It blocks for
// Options.Wait at most.
func (b *Book) Release(ctx context.Context, id, reason string) (Receipt, error) {
	err := checkText("purchase id", id, 1, MaxPurchaseID)
	if err == nil && reason == "" {
		err = fmt.Errorf("%w: no reason is given", driver.ErrInvalid)
	}
	if err == nil {
		err = checkReason(reason)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("release: %w", err)
	}
	ctx, cancel := b.patience(ctx)
	defer cancel()
	last, err := b.rd.last(ctx, id, nil)
	switch {
	case err != nil:
		return Receipt{}, outcome(id, false, err)
	case last == nil:
		return Receipt{}, fmt.Errorf("release purchase %q: %w", id, store.ErrNotFound)
	case last.State == Released:
		return Receipt{}, outcome(id, false, ErrReleased)
	case last.State != Claimed:
		return Receipt{}, outcome(id, false, last.standing())
	}
	r, recorded, err := b.ask(ctx, last, errand{Do: verbRelease, ID: id, Claim: last.claim, Reason: reason})
	if err == nil && r.State != Released {
		err = r.standing()
	}
	if err == nil {
		err = b.landed(ctx, r)
	}
	if err != nil {
		return Receipt{}, outcome(id, recorded, err)
	}
	return r.public(), nil
}

// landed waits until a released claim is so in the database as well, for which its
// player's server is saving: whoever claims the purchase reads it there.
func (b *Book) landed(ctx context.Context, r *record) error {
	pause := 5 * time.Millisecond
	for {
		now, err := b.rd.read(ctx, recordKey(r.ID, r.claim), nil)
		if err != nil || now != nil && now.State == Released {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			pause = min(2*pause, time.Second)
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("wait until the release is in the database: %w", context.Cause(ctx))
		}
	}
}

func checkReason(reason string) error {
	if len(reason) > session.MaxReason || !utf8.ValidString(reason) {
		return fmt.Errorf("%w: reason of %d bytes, at most %d of UTF-8", driver.ErrInvalid, len(reason), session.MaxReason)
	}
	return nil
}
