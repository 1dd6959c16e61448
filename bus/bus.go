package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// closeTime bounds how long Close goes on sending.
const closeTime = time.Second

// Bus is one server's end of the bus. All its methods are safe for concurrent
// use.
//
// Its mutexes are taken in this order: the inbox's, the Bus's, another channel's,
// then those of a subscription, the fetcher or the outbox.
type Bus struct {
	id       ID
	opts     Options
	line     Transport
	mx       *metrics
	grumbles *complaints
	out      *outbox
	kept     *keeper
	fetching *fetcher
	inbox    *channel
	ctx      context.Context // ends when the bus is closed
	stop     context.CancelFunc
	halt     context.CancelFunc // of what is being sent
	jobs     jobs
	lineBack chan struct{} // level: there is no need to wait for the next try
	lastID   atomic.Uint64

	mu       sync.Mutex // guards what follows
	channels map[string]*channel
	calls    map[uint64]chan answer // requests that wait, by their id
	closed   bool
}

// Open returns a Bus on a transport, which it owns from then on: Close closes
// it, and so does Open if there is an error. Of a transport's packages, the
// functions Open are the short way to one. The error is ErrOptions, or one of
// registering the metrics, or the transport's.
func Open(t Transport, o *Options) (*Bus, error) {
	b, err := newBus(t, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open bus: %w", err), t.Close())
	}
	t.Watch(b.lineChanged)
	b.inbox = newChannel(b, inboxTopic(b.id))
	var sending context.Context
	sending, b.halt = context.WithCancel(context.Background())
	go b.out.run(sending)
	if err := b.inbox.listen(); err != nil {
		return nil, errors.Join(fmt.Errorf("open bus: %w", err), b.Close())
	}
	return b, nil
}

func newBus(t Transport, o *Options) (*Bus, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		id: newID(), opts: opts, line: t, grumbles: newComplaints(opts.Logger),
		lineBack: make(chan struct{}, 1), channels: make(map[string]*channel), calls: make(map[uint64]chan answer),
	}
	b.out, b.kept, b.fetching = newOutbox(b), newKeeper(), newFetcher(b)
	if b.mx, err = newMetrics(opts.Metrics, b.out); err != nil {
		return nil, err
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b, nil
}

// ID returns the id under which this Bus sends.
func (b *Bus) ID() ID { return b.id }

// Publish sends a message to all who are subscribed to a topic, this Bus's own
// subscribers included. It only puts it into a queue, and waits for nobody. The
// message is copied. It is ErrTopic, ErrTooLarge, ErrFull or ErrClosed, or the
// context's error if that has ended already; nothing was sent then.
func (b *Bus) Publish(ctx context.Context, topic string, msg []byte) error {
	if err := checkGameTopic(topic); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return b.publish(ctx, topic, msg)
}

// PublishSystem is Publish for Holdfast's own topics.
func (b *Bus) PublishSystem(ctx context.Context, topic string, msg []byte) error {
	if err := checkSystemTopic(topic); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return b.publish(ctx, topic, msg)
}

func (b *Bus) publish(ctx context.Context, topic string, msg []byte) error {
	err := ctx.Err()
	if err == nil {
		err = b.post(topic, record{kind: plain, data: msg})
	}
	if err != nil {
		return fmt.Errorf("publish to %q: %w", topic, err)
	}
	return nil
}

// Subscribe calls fn for each message of a topic, and for each notice that some
// may have been missed, one after another, on a goroutine of its own, until
// cancel is called. It blocks until the topic is listened to, a few seconds at
// most; if the line is down it returns all the same, and a notice comes as soon
// as it is up. Cancel drops what waits and does not wait for a call of fn that
// is under way, so fn may call it; calling it again does nothing. The error is
// ErrTopic or ErrClosed, or the transport's.
func (b *Bus) Subscribe(topic string, fn func(Message)) (cancel func(), err error) {
	if err := checkGameTopic(topic); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return b.subscribe(topic, fn)
}

// SubscribeSystem is Subscribe for Holdfast's own topics.
func (b *Bus) SubscribeSystem(topic string, fn func(Message)) (cancel func(), err error) {
	if err := checkSystemTopic(topic); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return b.subscribe(topic, fn)
}

func (b *Bus) subscribe(topic string, fn func(Message)) (cancel func(), err error) {
	s := newSubscription(b, topic, plain)
	s.take = func(it *item) { s.tell(it, fn) }
	cancel, err = b.attach(topic, s)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", topic, err)
	}
	return cancel, nil
}

// Close refuses new messages, ends all subscriptions and requests, goes on
// sending what was published for a second at most, and closes the transport. It
// drops what subscribers had not got yet and returns when their calls that are
// under way have; so it must not be called by one. Large messages that others
// have not fetched yet are gone. Closing twice is ErrClosed.
func (b *Bus) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	b.closed = true
	channels := make([]*channel, 0, len(b.channels))
	for _, ch := range b.channels {
		channels = append(channels, ch)
	}
	b.mu.Unlock()
	b.stop()
	for _, ch := range channels {
		ch.end()
	}
	b.out.close()
	late := time.AfterFunc(closeTime, b.halt)
	<-b.out.done
	late.Stop()
	b.halt()
	b.kept.close()
	err := b.line.Close()
	b.jobs.rest()
	b.mx.set.Unregister()
	if err != nil {
		return fmt.Errorf("close bus: %w", err)
	}
	return nil
}

// lineChanged is told by the transport that the line was lost or is back.
func (b *Bus) lineChanged(up bool) {
	if !up {
		b.mx.up.Set(0)
		b.mx.losses.Inc()
		b.opts.Logger.Warn("the line of the bus is lost: messages wait, and may be missed")
		return
	}
	b.mx.up.Set(1)
	b.opts.Logger.Info("the line of the bus is back")
	for _, ch := range b.listChannels() {
		ch.missed(ID{}, "line")
	}
	select {
	case b.lineBack <- struct{}{}:
	default:
	}
	b.out.up()
}

func (b *Bus) listChannels() []*channel {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*channel, 0, len(b.channels))
	for _, ch := range b.channels {
		list = append(list, ch)
	}
	return list
}

// jobs are the goroutines that Close waits for.
type jobs struct {
	mu   sync.Mutex // guards over
	over bool       // Close waits, or has waited
	wg   sync.WaitGroup
}

// work runs fn on a goroutine that Close waits for, unless that waits already.
func (b *Bus) work(fn func()) bool {
	b.jobs.mu.Lock()
	defer b.jobs.mu.Unlock()
	if !b.jobs.over {
		b.jobs.wg.Go(fn)
	}
	return !b.jobs.over
}

// rest waits for all goroutines.
func (j *jobs) rest() {
	j.mu.Lock()
	j.over = true
	j.mu.Unlock()
	j.wg.Wait()
}

func (b *Bus) nextID() uint64 { return b.lastID.Add(1) }

// overhead bounds what a packet of a topic holds beside its records.
func (b *Bus) overhead(topic string) int {
	h := head{fleet: b.opts.Fleet, topic: topic}
	return h.overhead()
}

// room is how large a record may be on a topic now.
func (b *Bus) room(topic string) int {
	return min(b.line.Limit(), sentPacket) - b.overhead(topic)
}

// post queues a message of any kind with a copy of its data. One that fits into
// no packet is kept here instead, and announced.
func (b *Bus) post(topic string, r record) error {
	if len(r.data) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(r.data), MaxMessage)
	}
	if b.ctx.Err() != nil {
		return ErrClosed
	}
	r.data = append([]byte(nil), r.data...)
	var keptID uint64
	if r.size() > b.room(topic) {
		keptID = b.nextID()
		r = b.kept.keep(keptID, r)
	}
	err := b.out.add(topic, r)
	if err != nil {
		b.kept.drop(keptID)
		if errors.Is(err, ErrFull) {
			b.mx.dropped.WithLabelValues("full").Inc()
		}
		return err
	}
	b.mx.published.Inc()
	return nil
}
