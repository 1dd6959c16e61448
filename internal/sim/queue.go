package sim

import (
	"container/heap"
	"time"
)

// event is something that the world will do.
type event struct {
	at  time.Time
	seq int
	in  *instance // whose process it needs; nil: nobody's
	do  func()
}

// queue holds the events to come, the next one first.
type queue []*event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop are for container/heap.
func (q *queue) Push(x any) { *q = append(*q, x.(*event)) }

// Pop removes the last event.
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return e
}

// after makes something happen when d has passed, and a random part of a
// microsecond more, so that hardly two things happen at one time.
func (w *world) after(d time.Duration, in *instance, do func()) {
	w.seq++
	at := time.Now().Add(d + 1 + time.Duration(w.rng.Int64N(1000)))
	heap.Push(&w.events, &event{at: at, seq: w.seq, in: in, do: do})
}

// next removes the next event if its time has come. No two are given out at
// the same time.
func (w *world) next() *event {
	for len(w.events) > 0 {
		e := w.events[0]
		if !e.at.After(w.last) {
			e.at = w.last.Add(1)
			heap.Fix(&w.events, 0)
			continue
		}
		if e.at.After(time.Now()) {
			return nil
		}
		heap.Pop(&w.events)
		w.last = time.Now()
		return e
	}
	return nil
}

// sleep lets time pass until the next event, or until something in the servers
// wants to be looked at.
func (w *world) sleep() {
	d := time.Second
	if len(w.events) > 0 {
		d = time.Until(w.events[0].at)
	}
	timer := time.NewTimer(max(d, 1))
	select {
	case <-timer.C:
	case <-w.wake:
	}
	timer.Stop()
}
