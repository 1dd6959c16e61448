package bus

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// outbox is what a Bus has to send. One goroutine sends: what is published
// while it is at it goes with the next packets.
type outbox struct {
	b    *Bus
	wake chan struct{} // level: there is something to send, or the line is back
	done chan struct{} // closed when nothing is sent any more

	mu      sync.Mutex // guards what follows
	streams map[string]*stream
	ready   []*stream // those that have something to send, in turn
	owing   []*stream // those of which something was dropped since a packet was sent
	number  uint64    // of the last packet
	bytes   int       // that wait or are being sent
	closing bool      // run ends when everything is sent
}

// stream is what is sent on one topic, in order.
type stream struct {
	topic string
	queue []queued
	last  uint64    // the number of the last packet, or of one that was never sent
	used  time.Time // when something was published last
	ready bool      // it is in the outbox's list
	beat  bool      // a packet is due even if it is empty
	owing bool      // something was dropped: a beat is due when the line works again
}

// queued is a record that waits.
type queued struct {
	record
	at time.Time
}

// parcelled is a packet with what it carries.
type parcelled struct {
	Packet
	stream  *stream
	records int
	bytes   int
	oldest  time.Time
}

// Limits of one call of a transport's Send, and of the memory of topics.
const (
	sendPackets  = 128
	sendBytes    = 512 << 10
	keptStreams  = 4096
	sendTime     = 5 * time.Second
	beatFor      = time.Minute // how long after its last message a topic gets beats
	firstBackoff = 5 * time.Millisecond
	lastBackoff  = 500 * time.Millisecond
)

func newOutbox(b *Bus) *outbox {
	return &outbox{b: b, wake: make(chan struct{}, 1), done: make(chan struct{}), streams: make(map[string]*stream)}
}

func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// add queues records of a topic, all or none.
func (o *outbox) add(topic string, records ...record) error {
	size := 0
	for i := range records {
		size += records[i].size()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closing:
		return ErrClosed
	case o.bytes+size > o.b.opts.QueueBytes:
		return ErrFull
	}
	s, now := o.streamLocked(topic), time.Now()
	for _, r := range records {
		s.queue = append(s.queue, queued{r, now})
	}
	o.bytes += size
	s.used = now
	o.readyLocked(s)
	return nil
}

// streamLocked returns a topic's stream. Idle ones are forgotten when there are
// many: the next packet then does not say which was before it.
func (o *outbox) streamLocked(topic string) *stream {
	s := o.streams[topic]
	if s != nil {
		return s
	}
	if len(o.streams) >= keptStreams {
		o.forgetLocked()
	}
	s = &stream{topic: topic}
	o.streams[topic] = s
	return s
}

// forgetLocked drops the half of the idle streams that were used least lately.
func (o *outbox) forgetLocked() {
	var idle []*stream
	for _, s := range o.streams {
		if !s.ready && !s.owing && len(s.queue) == 0 {
			idle = append(idle, s)
		}
	}
	slices.SortFunc(idle, func(a, b *stream) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.topic, b.topic)) })
	for _, s := range idle[:(len(idle)+1)/2] {
		delete(o.streams, s.topic)
	}
}

func (o *outbox) readyLocked(s *stream) {
	if !s.ready {
		s.ready = true
		o.ready = append(o.ready, s)
	}
	o.ring()
}

func (o *outbox) ring() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// up has a packet sent on each topic that was used lately, or of which something
// was dropped: by its number the receivers see what they have missed.
func (o *outbox) up() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settleLocked()
	now := time.Now()
	for _, topic := range sortedTopics(o.streams) {
		if s := o.streams[topic]; s.last > 0 && now.Sub(s.used) < beatFor {
			s.beat = true
			o.readyLocked(s)
		}
	}
	o.ring()
}

func sortedTopics(streams map[string]*stream) []string {
	topics := make([]string, 0, len(streams))
	for topic := range streams {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	return topics
}

// close lets run end when everything is sent.
func (o *outbox) close() {
	o.mu.Lock()
	o.closing = true
	o.mu.Unlock()
	o.ring()
}

// run sends until the outbox is closed and empty, or ctx ends.
func (o *outbox) run(ctx context.Context) {
	defer close(o.done)
	for {
		batch, over := o.next(time.Now())
		switch {
		case len(batch) > 0:
			o.send(ctx, batch)
		case over:
			return
		default:
			select {
			case <-o.wake:
			case <-ctx.Done():
				o.drop(o.rest(), "closed")
				return
			}
		}
	}
}

// next takes the next packets to send, and reports whether there will be none
// any more.
func (o *outbox) next(now time.Time) (batch []parcelled, over bool) {
	limit := min(o.b.line.Limit(), sentPacket)
	o.mu.Lock()
	defer o.mu.Unlock()
	for size := 0; len(o.ready) > 0 && len(batch) < sendPackets && size < sendBytes; {
		s := o.ready[0]
		o.ready = o.ready[1:]
		if p := o.packLocked(s, limit, now); p.stream != nil {
			batch = append(batch, p)
			size += len(p.Data)
		}
		if s.ready = len(s.queue) > 0; s.ready {
			o.ready = append(o.ready, s)
		}
	}
	return batch, o.closing
}

// packLocked takes as many records of a stream as fit into a packet.
func (o *outbox) packLocked(s *stream, limit int, now time.Time) parcelled {
	o.staleLocked(s, limit, now)
	if len(s.queue) == 0 && !s.beat {
		return parcelled{}
	}
	h := head{fleet: o.b.opts.Fleet, topic: s.topic, from: o.b.id, number: o.number + 1, before: s.last}
	size, n := h.overhead(), 0
	for n < len(s.queue) && size+s.queue[n].size() <= limit {
		size += s.queue[n].size()
		n++
	}
	p := parcelled{stream: s, records: n, oldest: now, bytes: size - h.overhead()}
	data := h.append(make([]byte, 0, size))
	for i := range s.queue[:n] {
		data = s.queue[i].append(data)
	}
	if n > 0 {
		p.oldest = s.queue[0].at
	}
	o.number++
	s.last, s.beat = o.number, false
	clear(s.queue[:n])
	if s.queue = s.queue[n:]; len(s.queue) == 0 {
		s.queue = nil
	}
	p.Packet = Packet{o.b.subject(s.topic), seal(data)}
	return p
}

// staleLocked drops what has waited too long, and what fits into no packet
// since the line carries smaller ones than before. The next packet tells of it.
func (o *outbox) staleLocked(s *stream, limit int, now time.Time) {
	room := limit - o.b.overhead(s.topic)
	n := len(s.queue)
	s.queue = slices.DeleteFunc(s.queue, func(q queued) bool {
		if now.Sub(q.at) <= o.b.opts.RetryFor && q.size() <= room {
			return false
		}
		o.bytes -= q.size()
		return true
	})
	if n -= len(s.queue); n > 0 {
		o.b.mx.dropped.WithLabelValues("late").Add(float64(n))
		o.b.grumbles.add("messages were not sent in time and are dropped", n)
		o.number++ // a number that nobody will ever see
		s.last, s.beat = o.number, true
	}
}

// send sends packets again and again until that succeeds, or they are too old.
func (o *outbox) send(ctx context.Context, batch []parcelled) {
	packets := make([]Packet, len(batch))
	oldest := batch[0].oldest
	for i := range batch {
		packets[i] = batch[i].Packet
		if batch[i].oldest.Before(oldest) {
			oldest = batch[i].oldest
		}
	}
	end, wait := oldest.Add(o.b.opts.RetryFor), firstBackoff
	for {
		err := o.attempt(ctx, packets)
		switch {
		case err == nil:
			o.sent(batch)
			return
		case ctx.Err() != nil:
			o.drop(batch, "closed")
			return
		case !time.Now().Before(end):
			o.drop(batch, "late")
			o.b.grumbles.add("packets could not be sent and are dropped", len(batch), "err", err)
			return
		}
		o.b.mx.retries.Inc()
		o.b.grumbles.add("sending failed and is tried again", 1, "err", err)
		o.backOff(ctx, min(wait/2+rand.N(wait/2+1), time.Until(end)))
		wait = min(2*wait, lastBackoff)
	}
}

func (o *outbox) attempt(ctx context.Context, packets []Packet) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return o.b.line.Send(ctx, packets)
}

// backOff waits for d, or until the line is back.
func (o *outbox) backOff(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-o.b.lineBack:
	case <-ctx.Done():
	}
}

// sent notes that packets were sent. Those who were owed a word about what was
// dropped get it now.
func (o *outbox) sent(batch []parcelled) {
	o.b.mx.sent.Add(float64(len(batch)))
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range batch {
		o.bytes -= batch[i].bytes
	}
	o.settleLocked()
}

// settleLocked has those told of whom something was dropped.
func (o *outbox) settleLocked() {
	for _, s := range o.owing {
		s.owing, s.beat = false, true
		o.readyLocked(s)
	}
	o.owing = nil
}

// drop gives packets up. Their numbers are never seen by anybody.
func (o *outbox) drop(batch []parcelled, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range batch {
		p := &batch[i]
		o.bytes -= p.bytes
		if s := p.stream; !s.owing {
			s.owing = true
			o.owing = append(o.owing, s)
		}
		o.b.mx.dropped.WithLabelValues(reason).Add(float64(p.records))
	}
}

// rest takes everything that waits, when it is not sent any more.
func (o *outbox) rest() (all []parcelled) {
	o.mu.Lock()
	o.closing = true
	o.mu.Unlock()
	for {
		batch, _ := o.next(time.Now())
		if len(batch) == 0 {
			return all
		}
		all = append(all, batch...)
	}
}
