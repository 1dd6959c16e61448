package profile

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// settlePause is the time from one try to find out what became of an exchange to
// the next.
const settlePause = 100 * time.Millisecond

// settle finds out whether the exchange happened for which the profile is held
// still, takes over what it changed, and lets the profile go. It blocks until that
// is known, or the session has ended.
func (p *Profile) settle(f *session.Frozen) (happened bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-p.s.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		changed, happened, err := f.Settle(ctx)
		switch {
		case err == nil && !happened:
			f.Release()
			return false
		case err == nil:
			p.adopt(f, changed)
			return true
		case p.ended():
			f.Release()
			return false
		}
		p.srv.log.Warn("what became of an exchange is not known yet: the profile stays still", "key", p.key.String(), "err", err)
		pause(ctx, settlePause)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// adopt makes in memory the changes that an exchange has made in the root, as an
// update like any other, and lets the profile go. What cannot be adopted would be
// taken back by the next save: then the profile stays still, nothing of it is
// written any more, and whoever loads it next finds what the root holds.
func (p *Profile) adopt(f *session.Frozen, changed document.Delta) {
	if len(changed) == 0 {
		f.Release()
		return
	}
	tx, err := p.apply(f, changed)
	if err != nil && !p.ended() {
		p.srv.log.Error("what an exchange has changed could not be adopted: the profile stays still", "key", p.key.String(), "err", err)
		return
	}
	f.Release()
	if err != nil {
		return // its memory is of no use any more
	}
	deliver(tx)
}

// apply changes the profile as an exchange has changed its root.
func (p *Profile) apply(f *session.Frozen, changed document.Delta) (*Tx, error) {
	p.lock()
	defer p.mu.Unlock()
	w, err := f.Begin()
	if err != nil {
		return nil, err
	}
	tx := newTx(p)
	tx.w = w
	if x := p.ext.Load(); x != nil {
		tx.listens, tx.taps = x.events.listens.Load(), x.tapped()
	}
	if err := tx.replay(changed); err != nil {
		rollback(tx)
		return nil, err
	}
	tx.over = true
	return tx, commit(false, tx)
}

// replay makes changes that were checked elsewhere. One that does not fit while
// the others are not made yet is made after everything that goes has gone.
func (tx *Tx) replay(changed document.Delta) error {
	var late document.Delta
	for _, c := range changed {
		if err := tx.put(c); errors.Is(err, document.ErrTooLarge) || errors.Is(err, document.ErrNotObject) {
			late = append(late, c)
		} else if err != nil {
			return err
		}
	}
	for _, c := range late {
		if err := tx.put(document.Change{Path: c.Path}); err != nil {
			return err
		}
	}
	for _, c := range late {
		if err := tx.put(c); err != nil {
			return err
		}
	}
	return tx.reload(changed)
}

// put makes one change in the document, and an event of it.
func (tx *Tx) put(c document.Change) error {
	old, _ := tx.w.Document().Get(c.Path)
	kept := c.Value
	var err error
	if c.Value == nil {
		err = tx.w.Delete(c.Path, false)
	} else {
		_, kept, err = tx.w.Put(c.Path, c.Value, false)
	}
	if err != nil {
		return err
	}
	f := tx.p.schema.stored(c.Path.Field)
	if f != nil && f.common().settings.maxLen != nil {
		tx.wrote(f.common())
	}
	if f != nil && tx.collects() {
		tx.changes.add(tx.p, f, c.Path, old, kept)
	}
	return nil
}

// reload fills the slots of the fields that were changed. A value of a type that
// the schema does not have can only have come from a server with another one: the
// profile is closed, which keeps the value as it is.
func (tx *Tx) reload(changed document.Delta) error {
	tx.p.staleAll()
	last := ""
	for _, c := range changed {
		f := tx.p.schema.stored(c.Path.Field)
		if f == nil || c.Path.Field == last {
			continue
		}
		last = c.Path.Field
		sl := tx.touch(tx.p.schema.position(f.common()))
		sl.forget(f)
		value, _ := tx.w.Document().Get(f.common().path)
		if err := loadSlot(f, sl, value); err != nil {
			tx.p.srv.log.Error("another server wrote a value of another type: the profile is closed", "key", tx.p.key.String(), "err", err)
			tx.p.srv.background(func() { _ = tx.p.Close(tx.p.srv.ctx) })
			sl.forget(f)
			_ = loadSlot(f, sl, nil)
		}
	}
	tx.reslot(changed)
	return nil
}
