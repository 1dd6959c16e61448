package mailbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// newsOfGrants is what servers tell each other when a grant is made or cancelled.
const newsOfGrants = "grants"

// givers is how many profiles are given a new grant at the same time.
const givers = 64

// changed has this server know at once what has become of the grants, and tells the
// others.
func (b *Mailbox) changed(ctx context.Context) {
	if _, err := b.read(ctx); err != nil {
		b.opts.Logger.Warn("grants not read after a change", "kind", b.kind, "err", err)
	}
	b.lookSoon()
	if err := b.srv.Tell(newsOfGrants); err != nil {
		b.opts.Logger.Warn("other servers are not told of a change of the grants", "err", err)
	}
}

func (b *Mailbox) lookSoon() {
	select {
	case b.wake <- struct{}{}:
	default: // somebody has asked for that
	}
}

// run looks at the grants now and then, and gives those that are new to the profiles
// that are open.
func (b *Mailbox) run() {
	defer close(b.done)
	var given []driver.Version // which were due at the last look
	for {
		timer := time.NewTimer(b.untilLook())
		select {
		case <-timer.C:
		case <-b.wake:
		case <-b.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		over, err := b.read(b.ctx)
		if err != nil {
			if b.ctx.Err() == nil {
				b.opts.Logger.Warn("grants not read", "kind", b.kind, "err", err)
			}
			continue
		}
		b.clear(over)
		var now []driver.Version
		for _, g := range b.due() {
			now = append(now, g.birth)
		}
		if slices.ContainsFunc(now, func(v driver.Version) bool { return !slices.Contains(given, v) }) {
			b.giveAll()
		}
		given = now
	}
}

// untilLook is the time to the next look, at which grants may begin.
func (b *Mailbox) untilLook() time.Duration {
	now, wait := b.srv.Session().Now(), b.opts.Poll
	for _, g := range *b.grants.Load() {
		if g.Cancelled.IsZero() && g.From.After(now) {
			wait = min(wait, g.From.Sub(now)+time.Millisecond)
		}
	}
	return wait
}

// read reads the grants, and returns those whose time is long over.
func (b *Mailbox) read(ctx context.Context) (over []*grant, err error) {
	b.looking.Lock()
	defer b.looking.Unlock()
	var all []*grant
	for e, err := range grantEntries(ctx, b.db(), b.kind) {
		if err != nil {
			return nil, fmt.Errorf("read grants: %w", err)
		}
		g, err := decodeGrant(e)
		switch {
		case err != nil:
			b.opts.Logger.Error("a grant cannot be read and is not given", "entry", e.Key, "err", err)
		case b.srv.Session().Now().After(g.Until.Add(noteStays)):
			over = append(over, g)
		default:
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b *grant) int { return bytes.Compare(a.birth[:], b.birth[:]) })
	b.grants.Store(&all)
	return over, nil
}

// due returns the grants that are given now.
func (b *Mailbox) due() []*grant {
	all := *b.grants.Load()
	if len(all) == 0 {
		return nil
	}
	now := b.srv.Session().Now()
	var due []*grant
	for _, g := range all {
		if g.Standing(now) {
			due = append(due, g)
		}
	}
	return due
}

// clear deletes grants whose time is long over. Other servers may do the same.
func (b *Mailbox) clear(over []*grant) {
	for _, g := range over {
		id, err := b.db().NewVersion()
		if err != nil {
			return
		}
		w := driver.Write{Key: grantKey(b.kind, g.ID), Version: g.at, Delete: true}
		b.db().Go(store.Attempt{Batch: driver.Batch{ID: id, Writes: []driver.Write{w}}, Lane: store.Background})
	}
}

// giveAll gives what is due to the profiles that are open. Those that cannot be changed
// now see to it by themselves, and those that are loaded later get it then.
func (b *Mailbox) giveAll() {
	open := make(chan *profile.Profile)
	var all sync.WaitGroup
	for range givers {
		all.Go(func() {
			for p := range open {
				if err := p.HandleMessages(b.ctx); err != nil && b.ctx.Err() == nil {
					b.opts.Logger.Debug("grants not given yet", "key", p.Key().String(), "err", err)
				}
			}
		})
	}
	for _, p := range b.srv.Profiles() {
		if b.ctx.Err() == nil && len(b.offers(p)) > 0 {
			open <- p
		}
	}
	close(open)
	all.Wait()
}
