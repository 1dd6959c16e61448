package receipt

import (
	"context"
	"fmt"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// confirmation is a commit that makes what was read count: what others have written
// can be seen before it is where it outlives the database's primary. All who come
// while one is under way share the next.
type confirmation struct {
	done chan struct{}
	err  error
}

// confirmer is what all who confirm share.
type confirmer struct {
	mu         sync.Mutex // guards what follows
	confirming bool       // a confirmation is under way
	next       *confirmation
}

// confirm returns when a commit that began later has been answered.
func (b *Book) confirm(ctx context.Context) error {
	b.mu.Lock()
	if b.next == nil {
		b.next = &confirmation{done: make(chan struct{})}
	}
	c := b.next
	b.beginLocked()
	b.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		return fmt.Errorf("confirm what was read: %w", context.Cause(ctx))
	}
	if c.err != nil {
		return fmt.Errorf("confirm what was read: %w", c.err)
	}
	return nil
}

// beginLocked begins the next confirmation, unless one is under way, or nobody
// wants it.
func (b *Book) beginLocked() {
	if b.confirming || b.next == nil {
		return
	}
	c := b.next
	b.next, b.confirming = nil, true
	end := func(_ driver.Moment, err error) {
		c.err = err
		close(c.done)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.confirming = false
		b.beginLocked()
	}
	id, err := b.ss.DB().NewVersion()
	if err != nil {
		go end(driver.Moment{}, err) // the mutex is held
		return
	}
	w := driver.Write{Key: store.SystemKey("confirm", system), Mode: driver.Always}
	b.ss.DB().Go(store.Attempt{Batch: driver.Batch{ID: id, Writes: []driver.Write{w}}, Lane: store.Waited, Done: end})
}
