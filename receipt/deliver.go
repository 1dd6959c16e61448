package receipt

import (
	"context"
	"errors"
	"fmt"
)

// Delivery is what became of one event of a proof.
type Delivery struct {
	Event
	Receipt Receipt // as the record stands, if there is no error
	Err     error   // of Grant or Refund
}

// Deliver does what a proof says: it grants what was bought, and refunds what was
// taken back, and returns what became of each event. Player is who receives the
// purchases of which the proof says nobody, such as the one whose client has handed
// it in; what the proof says is another's is ErrOtherPlayer then. Empty takes the
// proof's word.
//
// The error is that of the verifier, and then there are no deliveries; or those of
// the deliveries together: it matches ErrNotProcessed if any of them should be
// delivered again. To deliver a proof again does no harm.
func (b *Book) Deliver(ctx context.Context, v Verifier, proof Proof, player string) ([]Delivery, error) {
	events, err := v.Verify(ctx, proof)
	if err != nil {
		return nil, fmt.Errorf("deliver: %w", err)
	}
	done := make([]Delivery, len(events))
	var errs []error
	for i, e := range events {
		done[i].Event = e
		done[i].Receipt, done[i].Err = b.deliver(ctx, e, player)
		errs = append(errs, done[i].Err)
	}
	return done, errors.Join(errs...)
}

func (b *Book) deliver(ctx context.Context, e Event, player string) (Receipt, error) {
	if e.Refund {
		return b.Refund(ctx, e.Purchase, "told by the store")
	}
	if player != "" && e.Player != "" && e.Player != player {
		return Receipt{}, outcome(e.ID, false, ErrOtherPlayer)
	}
	if e.Player == "" {
		e.Player = player
	}
	return b.Grant(ctx, e.Purchase)
}
