package profile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// MaxParties is how many profiles one exchange may change.
const MaxParties = 64

// Party is one whose profile is changed together with others'.
type Party struct {
	Server *Server // a server of this process, with the profile's schema
	ID     string
}

// Exchange changes several profiles, wherever they are: all that fn does to any of
// them happens and is on disk when Exchange returns nil, or nothing of it happens.
// The transactions come in the order of the parties. It makes one try: package
// trade, which a game uses, makes more of them.
//
// Profiles that are open here are changed by one durable UpdateAll, and those that
// are open nowhere are opened for that. If some are open on other servers, those
// hold theirs still meanwhile, fn runs on copies, and one commit changes all the
// roots. So fn must have no effects but on the transactions, with which nothing can
// be sent or attached (ErrNoOutbox), and in which volatile fields read as their
// defaults and cannot be written (ErrVolatile). The reason, of which session.MaxReason bytes are
// kept, goes into the history of each.
//
// Exchange blocks until it is done or ctx ends; a deadline of ctx is also what the
// other servers are asked to wait for. Only to find out what became of a commit
// whose answer is lost it takes up to two seconds longer. If fn returns an error, Exchange returns that.
// Nothing has happened either if the error is ErrBusy or ErrElsewhere, and a later
// try may do better; or session.ErrNotFound, session.ErrErased, ErrErrored,
// session.ErrSuspended, session.ErrClosed if this server is closing, or
// driver.ErrInvalid for a party that is named twice, more than MaxParties, or
// servers that do not belong together. After an *OutcomeError or ErrNotDurable it
// may have happened.
func Exchange(ctx context.Context, parties []Party, reason string, fn func([]*Tx) error) error {
	x, err := newExchange(parties, reason)
	if err != nil {
		return err
	}
	defer x.giveBack()
	if err := x.locate(ctx); err != nil {
		return err
	}
	if !slices.ContainsFunc(x.sides, (*side).elsewhere) {
		return x.updateAll(ctx, fn)
	}
	return x.across(ctx, fn)
}

// exchange is one exchange under way.
type exchange struct {
	*common
	sides     []*side // in the order of the parties
	sorted    []*side // in the order of their keys, in which they are frozen
	reason    string
	announced driver.Version
	over      bool // it is known what became of it, or it is left to others to find out
}

// side is one party's part in an exchange.
type side struct {
	Party
	key    session.Key
	p      *Profile        // if it is open here
	done   func()          // gives p back
	holder *session.Holder // if it is open on another server
	asked  bool            // that server may hold it still

	frozen  *session.Frozen // if it is held still here
	since   time.Time
	at      driver.Version // of the root that is held still
	still   *session.Still
	copy    *Profile
	changed document.Delta
}

func (sd *side) elsewhere() bool { return sd.holder != nil }

func newExchange(parties []Party, reason string) (*exchange, error) {
	if len(parties) == 0 || len(parties) > MaxParties {
		return nil, fmt.Errorf("exchange: %w: %d parties, 1 to %d allowed", driver.ErrInvalid, len(parties), MaxParties)
	}
	x := &exchange{reason: reason}
	for _, party := range parties {
		if party.Server == nil {
			return nil, fmt.Errorf("exchange: %w: party %q has no server", driver.ErrInvalid, party.ID)
		}
		key := party.Server.key(party.ID)
		if err := key.Check(); err != nil {
			return nil, fmt.Errorf("exchange: %w", err)
		}
		if x.common == nil {
			x.common = party.Server.common
		}
		if x.common != party.Server.common {
			return nil, fmt.Errorf("exchange with %v: %w: its server is not one with that of %v", key, driver.ErrInvalid, x.sides[0].key)
		}
		x.sides = append(x.sides, &side{Party: party, key: key})
	}
	x.sorted = slices.Clone(x.sides)
	slices.SortFunc(x.sorted, func(a, b *side) int { return strings.Compare(a.key.String(), b.key.String()) })
	for i, sd := range x.sorted[1:] {
		if sd.key == x.sorted[i].key {
			return nil, fmt.Errorf("exchange: %w: %v is named twice", driver.ErrInvalid, sd.key)
		}
	}
	return x, nil
}

// locate finds out where the profiles are, and opens those that are nowhere.
func (x *exchange) locate(ctx context.Context) error {
	errs := make([]error, len(x.sides))
	var all sync.WaitGroup
	for i, sd := range x.sides {
		if sd.isHere() {
			if sd.p.failed != nil {
				errs[i] = sd.p.erroredErr("exchange with")
			}
			continue
		}
		all.Go(func() { errs[i] = sd.locate(ctx) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return x.reachable(ctx)
}

// isHere takes the profile if it is open on this server.
func (sd *side) isHere() bool {
	p, ok := sd.Server.Profile(sd.ID)
	switch {
	case !ok || p.ended() || p.closingDone() != nil:
		return false
	case p.kept.Load():
		sd.p, sd.done = p, func() {}
	case p.lend():
		sd.p, sd.done = p, p.giveBack
	}
	return sd.p != nil
}

func (sd *side) locate(ctx context.Context) error {
	owner, err := sd.Server.ss.Owner(ctx, sd.key)
	switch {
	case err != nil:
		return fmt.Errorf("exchange with %v: %w", sd.key, err)
	case owner.Erased:
		return fmt.Errorf("exchange with %v: %w", sd.key, session.ErrErased)
	case !owner.Exists:
		return fmt.Errorf("exchange with %v: %w", sd.key, session.ErrNotFound)
	case owner.Holder != nil && !owner.Here:
		sd.holder = owner.Holder
		return nil
	}
	p, done, err := sd.Server.borrow(ctx, sd.ID, &OpenOptions{MustExist: true, NoAsk: true})
	switch {
	case errors.Is(err, session.ErrLocked):
		return fmt.Errorf("exchange with %v: %w: %w", sd.key, ErrBusy, err)
	case err != nil:
		return fmt.Errorf("exchange with %v: %w", sd.key, err)
	case p.failed != nil:
		done()
		return p.erroredErr("exchange with")
	}
	sd.p, sd.done = p, done
	return nil
}

// giveBack gives back the profiles that were opened for the exchange.
func (x *exchange) giveBack() {
	for _, sd := range x.sides {
		if sd.done != nil {
			sd.done()
		}
	}
}

// updateAll makes the exchange among profiles that are all open here.
func (x *exchange) updateAll(ctx context.Context, fn func([]*Tx) error) error {
	ps := make([]*Profile, len(x.sides))
	for i, sd := range x.sides {
		ps[i] = sd.p
	}
	began := false
	err := UpdateAll(ps, func(txs []*Tx) error {
		began = true
		for _, tx := range txs {
			tx.Because(x.reason)
			tx.Origin(session.OriginTrade)
		}
		return fn(txs)
	}, Durable(ctx))
	if err != nil && !began && moved(err) {
		return fmt.Errorf("exchange: %w: %w", ErrBusy, err)
	}
	return err
}

// moved reports whether an error means that a session is not here any more.
func moved(err error) bool {
	return errors.Is(err, session.ErrClosed) || errors.Is(err, session.ErrLost) || errors.Is(err, ErrNotOpen)
}

// across makes the exchange among profiles of which some are open on other servers.
func (x *exchange) across(ctx context.Context, fn func([]*Tx) error) (err error) {
	if x.announced, err = x.ss.Announce(); err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	defer x.end(false) // unless it has ended: fn may have panicked
	for _, sd := range x.sorted {
		if err := x.freeze(ctx, sd); err != nil {
			return fmt.Errorf("exchange with %v: %w", sd.key, err)
		}
	}
	if err := x.read(ctx); err != nil {
		return err
	}
	if err := x.run(fn); err != nil {
		return err
	}
	return x.commit(ctx)
}

// freeze holds one profile still, here or where it is.
func (x *exchange) freeze(ctx context.Context, sd *side) error {
	if sd.elsewhere() {
		return x.ask(ctx, sd)
	}
	f, err := sd.p.freeze(ctx, x.announced)
	switch {
	case err == nil:
		sd.frozen, sd.at, sd.since = f, f.Version(), time.Now()
		return nil
	case moved(err) || ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// read reads the roots that are held still.
func (x *exchange) read(ctx context.Context) error {
	keys, at := make([]session.Key, len(x.sides)), make([]driver.Version, len(x.sides))
	for i, sd := range x.sides {
		keys[i], at[i] = sd.key, sd.at
	}
	stills, err := x.ss.ReadStill(ctx, keys, at)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("exchange: %w: %w", ErrBusy, err)
	}
	if err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	for i, sd := range x.sides {
		sd.still = stills[i]
		if err := sd.Server.schema.settled(sd.key, stills[i].Document); err != nil {
			return fmt.Errorf("exchange: %w: %w", ErrElsewhere, err)
		}
		if sd.copy, err = detached(sd.Server, sd.key, stills[i].Document); err != nil {
			return fmt.Errorf("exchange: %w: %w", ErrErrored, err)
		}
	}
	return nil
}

// run calls the game's function on the copies.
func (x *exchange) run(fn func([]*Tx) error) error {
	copies := make([]*Profile, len(x.sides))
	for i, sd := range x.sides {
		copies[i] = sd.copy
	}
	changed, err := runDetached(copies, fn)
	if err != nil {
		return err
	}
	for i, sd := range x.sides {
		sd.changed = changed[i]
	}
	return nil
}

// commit commits the roots, and tells everybody.
func (x *exchange) commit(ctx context.Context) error {
	if !slices.ContainsFunc(x.sides, func(sd *side) bool { return len(sd.changed) > 0 }) {
		return nil // and what fn has read was on disk
	}
	stills := make([]*session.Still, len(x.sides))
	for i, sd := range x.sides {
		stills[i] = sd.still
	}
	err := x.ss.Exchange(ctx, x.announced, stills, x.reason)
	switch {
	case err == nil:
		x.end(true)
		return nil
	case errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain), errors.Is(err, store.ErrLate):
		return fmt.Errorf("exchange: %w: %w", ErrBusy, err)
	case errors.Is(err, driver.ErrInvalid):
		return fmt.Errorf("exchange: %w", err) // it was never sent
	}
	return x.find(ctx, err)
}

// end lets all profiles go, when it is known what became of the exchange.
func (x *exchange) end(committed bool) {
	if x.over {
		return
	}
	x.over = true
	for _, sd := range x.sides {
		if sd.frozen == nil {
			continue
		}
		if committed {
			sd.frozen.Committed(sd.still)
			sd.p.adopt(sd.frozen, sd.changed)
		} else {
			sd.frozen.Release()
		}
		x.mx.thawed(time.Since(sd.since), committed)
	}
	x.tell(committed)
}
