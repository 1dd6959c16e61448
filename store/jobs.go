package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// jobs orders the requests of Stores: those on one key go one after another,
// from their first read until the outcome of their last attempt.
type jobs struct {
	mu    sync.Mutex
	turns turns
	owner map[*turn]*job
	idle  chan struct{} // closed and replaced when the last job ends
}

// job is a request in the line of its key.
type job struct {
	turn  turn
	store string
	start chan struct{} // closed when it is its turn
	skip  chan struct{} // closed when it was skipped
}

// begin waits for the turn of a request on key. The caller must call end.
func (q *jobs) begin(ctx context.Context, store, key string) (*job, error) {
	j := &job{turn: turn{keys: []string{key}}, store: store, start: make(chan struct{}), skip: make(chan struct{})}
	q.mu.Lock()
	if q.owner == nil {
		q.owner = make(map[*turn]*job)
	}
	q.owner[&j.turn] = j
	first := q.turns.join(&j.turn)
	q.mu.Unlock()
	if first {
		return j, nil
	}
	select {
	case <-j.start:
		return j, nil
	case <-j.skip:
		return nil, ErrSkipped
	case <-ctx.Done():
		q.end(j)
		return nil, fmt.Errorf("wait for earlier requests on the key: %w", context.Cause(ctx))
	}
}

// end lets the next request on the key begin. Ending a job that was skipped
// does nothing.
func (q *jobs) end(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.endLocked(j)
}

func (q *jobs) endLocked(j *job) {
	if _, ok := q.owner[&j.turn]; !ok {
		return
	}
	delete(q.owner, &j.turn)
	q.turns.leave(&j.turn, func(t *turn) { close(q.owner[t].start) })
	if len(q.owner) == 0 && q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
}

// wait returns when no request is in any line, or ctx ends.
func (q *jobs) wait(ctx context.Context) error {
	q.mu.Lock()
	if len(q.owner) == 0 {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the queues to empty: %w", context.Cause(ctx))
	}
}

// skipToLast fails every waiting request but the last of each line of a store,
// and returns how many.
func (q *jobs) skipToLast(store string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	var skipped []*job
	for _, key := range slices.Sorted(maps.Keys(q.turns.lines)) {
		line := q.turns.lines[key]
		for i := 1; i < len(line)-1; i++ {
			if j := q.owner[line[i]]; j.store == store {
				skipped = append(skipped, j)
			}
		}
	}
	for _, j := range skipped {
		q.endLocked(j)
		close(j.skip)
	}
	return len(skipped)
}
