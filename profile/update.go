package profile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// UpdateOption says something of one update.
type UpdateOption struct{ durable context.Context }

// Durable makes an update wait until it, and all before it, is on disk: no
// crash takes it back then. If ctx ends before that, the update has happened
// in memory and the error is ErrNotDurable. An update that failed waits for
// nothing.
func Durable(ctx context.Context) UpdateOption { return UpdateOption{ctx} }

// durability returns the context of Durable, or nil.
func durability(opts []UpdateOption) (context.Context, error) {
	var ctx context.Context
	for _, o := range opts {
		if o.durable != nil {
			ctx = o.durable
		}
	}
	if ctx != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("durable update: %w", context.Cause(ctx))
	}
	return ctx, nil
}

// Update changes the profile: all that fn does happens at once, or nothing of
// it. It is in memory and does no I/O, unless Durable says to wait for the disk.
//
// If fn returns an error, that is returned and everything is undone. If a
// write was refused, the update fails with a *RefusedError even if fn returns
// nil. If fn panics, everything is undone and the panic goes on. Fn is called
// once, or not at all if the profile cannot be changed: session.ErrSuspended,
// session.ErrClosed, a *session.LostError, or ErrEventsFull. Other updates and
// all readers wait for fn, so it must be quick, and must use the profile only
// through the Tx.
func (p *Profile) Update(fn func(*Tx) error, opts ...UpdateOption) error {
	ctx, err := durability(opts)
	if err != nil {
		return fmt.Errorf("update %v: %w", p.key, err)
	}
	tx, err := p.update(fn, ctx != nil)
	if err != nil {
		p.srv.mx.refusedBy(err)
		return err
	}
	deliver(tx)
	if ctx != nil {
		return p.sync(ctx)
	}
	return nil
}

func (p *Profile) update(fn func(*Tx) error, durable bool) (*Tx, error) {
	tx, err := p.lockForUpdate(durable)
	if err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	defer func() {
		if !tx.over { // fn has panicked, or ended its goroutine
			tx.over = true
			rollback(tx)
		}
	}()
	err = hold(p, fn, tx)
	tx.over = true
	if err = firstError(err, tx.err); err != nil {
		rollback(tx)
		return nil, err
	}
	return tx, commit(durable, tx)
}

// lockForUpdate locks the profile and begins an update. While the profile is held
// still it waits without the lock.
func (p *Profile) lockForUpdate(durable bool) (*Tx, error) {
	var thaw thawing
	for {
		p.lock()
		tx, err := p.start(durable)
		if err == nil {
			return tx, nil
		}
		p.mu.Unlock()
		if !errors.Is(err, session.ErrFrozen) {
			return nil, err
		}
		if !thaw.wait(p) {
			return nil, fmt.Errorf("update %v: %w: %w", p.key, ErrBusy, err)
		}
	}
}

// start begins an update. The profile is locked.
func (p *Profile) start(durable bool) (*Tx, error) {
	tx := newTx(p)
	if err := p.startEvents(tx); err != nil {
		return nil, err
	}
	if p.failed == nil {
		w, err := p.s.Begin()
		if err != nil {
			return nil, err
		}
		tx.w = w
		return tx, nil
	}
	switch {
	case durable:
		return nil, p.erroredErr("durable update of")
	case p.ended():
		return nil, fmt.Errorf("update %v: %w", p.key, session.ErrClosed)
	}
	tx.w = &localTx{doc: p.failed.doc}
	return tx, nil
}

// startEvents finds out whether the changes must be collected.
func (p *Profile) startEvents(tx *Tx) error {
	if !p.watched.Load() {
		return nil // and nothing is read that lies elsewhere
	}
	x := p.ext.Load()
	if x.events.queued.Load() >= MaxQueuedEvents {
		return fmt.Errorf("update %v: %w", p.key, ErrEventsFull)
	}
	tx.listens, tx.taps = x.events.listens.Load(), x.tapped()
	return nil
}

// sync waits until everything up to here is on disk.
func (p *Profile) sync(ctx context.Context) error {
	if err := p.s.Sync(ctx); err != nil {
		return fmt.Errorf("update %v: %w: %w", p.key, ErrNotDurable, err)
	}
	return nil
}

// UpdateAll changes several profiles of one database's servers: all that fn
// does to any of them happens, or nothing, also across any crash. The
// transactions come in the order of ps. It is otherwise like Profile.Update,
// and Lazy fields that it writes are journalled like any other. If one of them is
// held still for a trade, all wait for that. A profile that is named twice or
// belongs to another session server is driver.ErrInvalid, and one that is errored
// ErrErrored, as it could not keep its side.
func UpdateAll(ps []*Profile, fn func([]*Tx) error, opts ...UpdateOption) error {
	ctx, err := durability(opts)
	if err != nil {
		return fmt.Errorf("update %d profiles: %w", len(ps), err)
	}
	if len(ps) == 0 {
		return fn(nil)
	}
	txs, err := updateAll(ps, fn, ctx != nil)
	if err != nil {
		ps[0].srv.mx.refusedBy(err)
		return err
	}
	deliver(txs...)
	if ctx == nil {
		return nil
	}
	for _, p := range ps {
		err = errors.Join(err, p.sync(ctx))
	}
	return err
}

func updateAll(ps []*Profile, fn func([]*Tx) error, durable bool) ([]*Tx, error) {
	sorted, err := lockable(ps)
	if err != nil {
		return nil, err
	}
	txs, err := lockAllForUpdate(ps, sorted)
	if err != nil {
		return nil, err
	}
	defer unlockAll(sorted)
	ended := false
	defer func() {
		if !ended {
			endAll(txs)
			rollback(txs...)
		}
	}()
	err = holdAll(fn, txs)
	ended = true
	endAll(txs)
	for _, tx := range txs {
		err = firstError(err, tx.err)
	}
	if err != nil {
		rollback(txs...)
		return nil, err
	}
	return txs, commit(durable, txs...)
}

// lockAllForUpdate locks profiles, in the order of sorted, and begins an update of
// them. While one of them is held still it waits without any lock.
func lockAllForUpdate(ps, sorted []*Profile) ([]*Tx, error) {
	var thaw thawing
	for {
		for _, p := range sorted {
			p.lock()
		}
		txs, err := startAll(ps)
		if err == nil {
			return txs, nil
		}
		unlockAll(sorted)
		if !errors.Is(err, session.ErrFrozen) {
			return nil, err
		}
		if !thaw.wait(sorted...) {
			return nil, fmt.Errorf("update %d profiles: %w: %w", len(ps), ErrBusy, err)
		}
	}
}

func unlockAll(ps []*Profile) {
	for _, p := range ps {
		p.mu.Unlock()
	}
}

func endAll(txs []*Tx) {
	for _, tx := range txs {
		tx.over = true
	}
}

// lockable returns the profiles in the order in which they are locked, which
// is the same for everybody, so that nobody waits in a circle.
func lockable(ps []*Profile) ([]*Profile, error) {
	sorted := slices.Clone(ps)
	slices.SortFunc(sorted, func(a, b *Profile) int { return strings.Compare(a.key.String(), b.key.String()) })
	for i, p := range sorted {
		if p.failed != nil {
			return nil, p.erroredErr("update together with others")
		}
		if i > 0 && (p.key == sorted[i-1].key || p.srv.common != sorted[0].srv.common) {
			return nil, fmt.Errorf("update %v together with others: %w: it is named twice or belongs to another server", p.key, driver.ErrInvalid)
		}
	}
	return sorted, nil
}

// startAll begins an update of profiles that are locked.
func startAll(ps []*Profile) ([]*Tx, error) {
	txs := make([]*Tx, len(ps))
	ss := make([]*session.Session, len(ps))
	for i, p := range ps {
		txs[i], ss[i] = newTx(p), p.s
		if err := p.startEvents(txs[i]); err != nil {
			return nil, err
		}
	}
	ws, err := session.BeginAll(ss...)
	if err != nil {
		return nil, err
	}
	for i, w := range ws {
		txs[i].w = w
	}
	return txs, nil
}
