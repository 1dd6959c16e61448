package bus

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// keptSenders is how many senders are remembered per topic.
const keptSenders = 4096

// channel is a topic that this Bus listens to.
type channel struct {
	b     *Bus
	topic string
	heard chan struct{} // closed when the transport listens, or has refused
	stop  func()        // after heard; nil: refused
	err   error         // after heard

	mu      sync.Mutex // guards what follows, and keeps the order of what is pushed
	subs    []*subscription
	senders map[ID]*sender
}

// sender is what is known of a sender on a topic.
type sender struct {
	last uint64 // the number of its last packet
	at   time.Time
}

func newChannel(b *Bus, topic string) *channel {
	return &channel{b: b, topic: topic, heard: make(chan struct{}), senders: make(map[ID]*sender)}
}

// listen has the transport listen. It is called once.
func (ch *channel) listen() error {
	ch.stop, ch.err = ch.b.line.Listen(ch.b.subject(ch.topic), ch.receive)
	close(ch.heard)
	return ch.err
}

// attach adds a subscription to its topic, and listens to that if it is the
// first.
func (b *Bus) attach(topic string, s *subscription) (cancel func(), err error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	ch := b.channels[topic]
	first := ch == nil
	if first {
		ch = newChannel(b, topic)
	}
	if !ch.add(s) {
		b.mu.Unlock()
		return nil, ErrServed
	}
	b.channels[topic] = ch
	b.work(s.run)
	b.mu.Unlock()
	if first {
		err = ch.listen()
	} else {
		<-ch.heard
		err = ch.err
	}
	if err != nil {
		b.detach(ch, s)
		return nil, err
	}
	return func() { b.detach(ch, s) }, nil
}

// add adds a subscription, unless it is a second one for requests.
func (ch *channel) add(s *subscription) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if s.wants == request && slices.ContainsFunc(ch.subs, func(o *subscription) bool { return o.wants == request }) {
		return false
	}
	ch.subs = append(ch.subs, s)
	return true
}

// detach ends a subscription, and listens to its topic no more if it was the
// last.
func (b *Bus) detach(ch *channel, s *subscription) {
	b.mu.Lock()
	ch.mu.Lock()
	n := len(ch.subs)
	ch.subs = slices.DeleteFunc(ch.subs, func(o *subscription) bool { return o == s })
	last := n > 0 && len(ch.subs) == 0
	if last && b.channels[ch.topic] == ch {
		delete(b.channels, ch.topic)
	}
	ch.mu.Unlock()
	b.mu.Unlock()
	s.end()
	if <-ch.heard; last && ch.stop != nil {
		ch.stop()
	}
}

// end ends all subscriptions.
func (ch *channel) end() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, s := range ch.subs {
		s.end()
	}
}

// receive takes a packet from the transport.
func (ch *channel) receive(packet []byte) {
	ch.b.mx.heard.Inc()
	p, err := read(packet, ch.b.opts.Fleet, ch.topic)
	if err != nil {
		ch.refuse(err, len(packet))
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.inTurnLocked(&p.head) {
		ch.b.mx.repeated.Inc()
		return
	}
	for r := range p.records() {
		ch.dispatchLocked(&item{record: r, from: p.from, own: p.from == ch.b.id})
	}
}

// refuse counts a packet that is not read. One of another format may be from a
// newer server of this fleet, so the subscribers are told that they miss it.
func (ch *channel) refuse(err error, bytes int) {
	reason := "malformed"
	switch {
	case errors.Is(err, errNewer):
		reason = "format"
		ch.missed(ID{}, "format")
	case errors.Is(err, errForeign):
		reason = "foreign"
	case errors.Is(err, errOversized):
		reason = "oversized"
	}
	ch.b.mx.refused.WithLabelValues(reason).Inc()
	ch.b.grumbles.add("packet refused: "+err.Error(), 1, "topic", ch.topic, "bytes", bytes)
}

// inTurnLocked reports whether a packet comes after all that its sender's
// others have brought. If there is a gap before it, the subscribers are told.
func (ch *channel) inTurnLocked(h *head) bool {
	s := ch.senders[h.from]
	switch {
	case s == nil:
		s = ch.rememberLocked(h.from)
	case h.number <= s.last:
		return false
	}
	if h.before != s.last {
		ch.missedLocked(h.from, "gap")
	}
	s.last, s.at = h.number, time.Now()
	return true
}

// rememberLocked adds a sender. When there are too many, the half that was
// silent longest is forgotten; of whom a notice comes before their next message.
func (ch *channel) rememberLocked(id ID) *sender {
	if len(ch.senders) >= keptSenders {
		ids := make([]ID, 0, len(ch.senders))
		for id := range ch.senders {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b ID) int { return ch.senders[a].at.Compare(ch.senders[b].at) })
		for _, id := range ids[:len(ids)/2] {
			delete(ch.senders, id)
		}
	}
	s := &sender{}
	ch.senders[id] = s
	return s
}

// missed tells the subscribers that messages may have been lost.
func (ch *channel) missed(from ID, reason string) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.missedLocked(from, reason)
}

func (ch *channel) missedLocked(from ID, reason string) {
	ch.b.mx.missed.WithLabelValues(reason).Inc()
	ch.pushLocked(plain, item{from: from, missed: true})
}

// pushLocked gives an item to those who want records of a kind.
func (ch *channel) pushLocked(wanted kind, it item) {
	for _, s := range ch.subs {
		if s.wants == wanted {
			s.push(it)
		}
	}
}

// dispatchLocked brings a record to whom it is for.
func (ch *channel) dispatchLocked(it *item) {
	b, mine := ch.b, ch == ch.b.inbox
	switch {
	case it.kind == large:
		ch.announcedLocked(it)
	case !mine && (it.kind == plain || it.kind == request):
		ch.pushLocked(it.kind, *it)
	case mine && it.kind == reply:
		b.replied(it)
	case mine && it.kind == fetch:
		b.fetched(it)
	case mine && (it.kind == piece || it.kind == gone):
		b.fetching.arrived(it)
	default:
		ch.unknownLocked(it)
	}
}

// unknownLocked refuses a record of a kind that a newer server may know.
func (ch *channel) unknownLocked(it *item) {
	ch.b.mx.refused.WithLabelValues("unknown").Inc()
	ch.b.grumbles.add("message of an unknown kind refused", 1, "topic", ch.topic, "kind", int(it.kind), "from", it.from.String())
	ch.missedLocked(it.from, "refused")
}

// announcedLocked deals with a message that is to be fetched. What it brings is
// wanted only by those who are there now.
func (ch *channel) announcedLocked(it *item) {
	p, ok := newParcel(it)
	switch {
	case !ok:
		ch.b.mx.refused.WithLabelValues("oversized").Inc()
		ch.b.grumbles.add("announced message refused", 1, "topic", ch.topic, "bytes", it.arg, "at most", MaxMessage, "from", it.from.String())
		ch.missedLocked(it.from, "refused")
	case ch == ch.b.inbox && p.inner.kind == reply:
		ch.b.repliedLater(it, p)
	case ch == ch.b.inbox || p.inner.kind != plain && p.inner.kind != request:
		ch.unknownLocked(it)
	case !ch.wantedLocked(p.inner.kind):
	case !ch.b.fetching.start(p):
		ch.b.mx.refused.WithLabelValues("busy").Inc()
		ch.b.grumbles.add("announced message not fetched: too many are being fetched", 1, "topic", ch.topic)
		ch.missedLocked(it.from, "refused")
	default:
		ch.pushLocked(p.inner.kind, item{record: p.inner, from: it.from, own: it.own, parcel: p})
	}
}

func (ch *channel) wantedLocked(k kind) bool {
	return slices.ContainsFunc(ch.subs, func(s *subscription) bool { return s.wants == k })
}
