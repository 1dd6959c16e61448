package sqlite

import (
	"context"
	"slices"
	"sync"
)

// turn is the right to use the connection that writes. Who asks for it waits
// in one of two queues; the urgent one is served first, each in its order.
type turn struct {
	mu     sync.Mutex      // guards what follows; never held while waiting
	taken  bool            // someone has the turn
	urgent []chan struct{} // who waits; closed when the turn is theirs
	others []chan struct{}
}

// take waits for the turn. If ctx ends first, it returns an error as ended
// does, and the turn is not taken.
func (t *turn) take(ctx context.Context, urgent bool) error {
	if err := ended(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	queue := t.queue(urgent)
	*queue = append(*queue, mine)
	t.mu.Unlock()
	return t.wait(ctx, mine, urgent)
}

// wait waits until mine is closed or ctx ends.
func (t *turn) wait(ctx context.Context, mine chan struct{}, urgent bool) error {
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	queue := t.queue(urgent)
	if i := slices.Index(*queue, mine); i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	} else {
		t.passLocked() // it had become ours in the meantime
	}
	return ended(ctx)
}

// queue returns the queue of one kind. It expects mu held.
func (t *turn) queue(urgent bool) *[]chan struct{} {
	if urgent {
		return &t.urgent
	}
	return &t.others
}

// pass hands the turn to who waits first.
func (t *turn) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passLocked()
}

func (t *turn) passLocked() {
	for _, urgent := range []bool{true, false} {
		if queue := t.queue(urgent); len(*queue) > 0 {
			close((*queue)[0])
			*queue = slices.Delete(*queue, 0, 1)
			return
		}
	}
	t.taken = false
}

// yield hands the turn to an urgent one, if any waits, and takes it again
// before all the others. If ctx ends meanwhile the turn is lost.
func (t *turn) yield(ctx context.Context) error {
	t.mu.Lock()
	if len(t.urgent) == 0 {
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.others = slices.Insert(t.others, 0, mine)
	t.passLocked()
	t.mu.Unlock()
	return t.wait(ctx, mine, false)
}
