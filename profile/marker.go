package profile

import (
	"context"
	"hash/fnv"
	"slices"

	"github.com/holdfast-games/holdfast/driver"
)

// sweepsAfter has a page of outcomes swept for every mailPage messages that have come
// to their end, on average. Chance decides, by the message's key, so that nothing has
// to be remembered of players who are opened for a moment only.
func (b *inbox) sweepsAfter(key string) {
	h := fnv.New32a()
	h.Write([]byte(key))
	if h.Sum32()%mailPage == 0 {
		b.sweeps++
	}
}

// sweep deletes outcomes whose time is over, so that they do not pile up: a page is
// twice as many as have been made since the last one. It begins where the last sweep
// ended.
func (b *inbox) sweep(ctx context.Context) {
	for ; b.sweeps > 0; b.sweeps-- {
		if err := b.sweepPage(ctx); err != nil {
			b.p.srv.log.Debug("outcomes of messages not cleared away yet", "key", b.p.key.String(), "err", err)
			b.sweeps = 0
			return // the next one does it
		}
	}
}

func (b *inbox) sweepPage(ctx context.Context) error {
	q := driver.Query{Prefix: folder(b.p.key, doneFolder), After: b.cursor, Limit: 2 * mailPage}
	page, err := b.p.srv.ss.DB().List(ctx, q)
	if err != nil {
		return err
	}
	if b.cursor = ""; page.More {
		b.cursor = page.Entries[len(page.Entries)-1].Key
	}
	var old, dead []string
	for i := range page.Entries {
		e := &page.Entries[i]
		o, err := decodeOutcome(e)
		switch {
		case err != nil || !page.Now.Wall.After(o.Until):
		case o.Error == "":
			old = append(old, e.Key)
		default:
			dead = append(dead, e.Key)
		}
	}
	more, err := b.withoutLetters(ctx, dead)
	if err == nil {
		old, err = b.stillOver(ctx, append(old, more...))
	}
	if err != nil || len(old) == 0 {
		return err
	}
	return b.update(ctx, func(tx *Tx) error {
		for _, key := range old {
			if err := tx.Attach(deletion(key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// stillOver returns those of some outcomes whose time is over also by what the session
// has not saved yet: nothing else attaches to them meanwhile.
func (b *inbox) stillOver(ctx context.Context, outcomes []string) (over []string, err error) {
	outcomes = slices.DeleteFunc(outcomes, func(key string) bool { _, ok := b.p.s.Attached(key); return ok })
	if len(outcomes) == 0 {
		return nil, nil
	}
	snap, err := b.p.srv.ss.DB().Read(ctx, outcomes...)
	for i := range snap.Entries {
		e := &snap.Entries[i]
		if !e.Found() {
			continue
		}
		if o, err := decodeOutcome(e); err == nil && snap.Now.Wall.After(o.Until) {
			over = append(over, e.Key)
		}
	}
	return over, err
}

// withoutLetters returns those of the outcomes of failed handlers whose dead letter
// is gone. As long as that is kept, its id stays taken: another message of the same
// id that failed as well would take its place.
func (b *inbox) withoutLetters(ctx context.Context, outcomes []string) (gone []string, err error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	letters := make([]string, len(outcomes))
	for i, key := range outcomes {
		letters[i] = entryKey(b.p.key, deadFolder, idOf(key))
	}
	snap, err := b.p.srv.ss.DB().Read(ctx, letters...)
	if err != nil {
		return nil, err
	}
	for i := range snap.Entries {
		if !snap.Entries[i].Found() {
			gone = append(gone, outcomes[i])
		}
	}
	return gone, nil
}
