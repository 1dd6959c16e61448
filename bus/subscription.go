package bus

import "sync"

// subscriberBytes bounds what waits for one subscriber, beside Options.Backlog.
const subscriberBytes = 16 << 20

// item is a message that waits for a subscriber, or a notice.
type item struct {
	record
	from   ID
	own    bool
	missed bool    // it is a notice
	parcel *parcel // where the data come from, if they are fetched
}

func (it *item) bytes() int {
	if it.parcel != nil {
		return it.parcel.size
	}
	return len(it.data)
}

// subscription is one subscriber with what waits for it, in order. A goroutine
// of its own takes the items, one after another.
type subscription struct {
	b     *Bus
	topic string
	wants kind // of records
	take  func(*item)
	wake  chan struct{} // level
	ended chan struct{}
	end   func() // closes ended, once

	mu    sync.Mutex // guards what follows
	queue []item
	bytes int
}

func newSubscription(b *Bus, topic string, wants kind) *subscription {
	s := &subscription{b: b, topic: topic, wants: wants, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	s.end = sync.OnceFunc(func() { close(s.ended) })
	return s
}

// push queues an item. If there is no room for it, a notice takes its place.
func (s *subscription) push(it item) {
	s.mu.Lock()
	if !it.missed && (len(s.queue) >= s.b.opts.Backlog || s.bytes+it.bytes() > subscriberBytes) {
		s.b.mx.dropped.WithLabelValues("backlog").Inc()
		it = item{from: it.from, missed: true}
		s.b.mx.missed.WithLabelValues("backlog").Inc()
	}
	s.pushLocked(it)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pushLocked makes one of notices that follow each other.
func (s *subscription) pushLocked(it item) {
	if n := len(s.queue); it.missed && n > 0 && s.queue[n-1].missed {
		if s.queue[n-1].from != it.from {
			s.queue[n-1].from = ID{}
		}
		return
	}
	s.queue = append(s.queue, it)
	s.bytes += it.bytes()
}

func (s *subscription) pop() (it item, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.queue = nil
		return it, false
	}
	it = s.queue[0]
	s.queue[0] = item{}
	s.queue = s.queue[1:]
	s.bytes -= it.bytes()
	return it, true
}

// run takes items until the subscription ends.
func (s *subscription) run() {
	for {
		it, ok := s.pop()
		if !ok {
			select {
			case <-s.wake:
			case <-s.ended:
				return
			}
			continue
		}
		if it.parcel != nil {
			s.await(&it)
		}
		select {
		case <-s.ended:
			return
		default:
			s.take(&it)
		}
	}
}

// await waits for the data of an item. If they cannot be had, it becomes a
// notice.
func (s *subscription) await(it *item) {
	select {
	case <-it.parcel.done:
	case <-s.ended:
		return
	}
	if it.parcel.err != nil {
		s.b.mx.missed.WithLabelValues("fetch").Inc()
		*it = item{from: it.from, missed: true}
		return
	}
	it.data = it.parcel.data
}

// tell calls a subscriber's function.
func (s *subscription) tell(it *item, fn func(Message)) {
	m := Message{Topic: s.topic, From: it.from, Own: it.own, Missed: it.missed}
	if !it.missed {
		s.b.mx.received.Inc()
		m.Data = append([]byte{}, it.data...)
	}
	fn(m)
}
