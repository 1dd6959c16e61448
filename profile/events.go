package profile

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// MaxQueuedEvents is how many events of one profile may wait for delivery
// before further updates are refused.
const MaxQueuedEvents = 16384

// Change is what an update did to one field, or to one element of a field. An
// update that wrote a path several times made one change of it, from before the
// update to after it.
type Change struct {
	Profile *Profile
	Field   Field
	Path    document.Path
	Old     []byte // the stored value before, JSON, or nil: none. It must not be changed.
	New     []byte // the stored value after, likewise
}

// Reason says how a profile ended.
type Reason string

// How a profile ends.
const (
	Closed     Reason = "closed"      // by Close, Leave or the server's Close; it was saved
	HandedOver Reason = "handed over" // to another server that asked for it; it was saved
	Lost       Reason = "lost"        // another server took it over; see session.LostError
	Erased     Reason = "erased"      // somebody erased it; nothing of it was saved
)

// End says how a profile ended.
type End struct {
	Reason Reason
	Err    error // a *session.LostError if Reason is Lost or Erased, else nil
}

// events are the listeners of one profile and what they have not been told
// yet.
type events struct {
	listens atomic.Bool  // somebody listens to changes
	queued  atomic.Int64 // events that were not delivered, those in delivery included

	mu        sync.Mutex // guards what follows
	listeners []*listener
	queue     []event
	spare     []event // empty, to be the queue again
	draining  bool    // somebody delivers
}

// listener is one function that was registered. Only one of the functions is set.
type listener struct {
	field  *field // of changed; nil: all fields
	change func(*Change)
	saved  func(session.Saved)
	ended  func(End)
	slot   func(SlotSwitch)
	growth func(Growth)
	off    atomic.Bool
}

// event is a change, a save, a growth, the end or a switch of the save slot, and who
// listened when it happened.
type event struct {
	change    Change
	saved     *session.Saved
	end       *End
	slot      *SlotSwitch
	growth    *Growth
	listeners []*listener
}

// OnChange calls fn after every update for each path that it changed, in
// order. It returns a function that ends this.
func (p *Profile) OnChange(fn func(Change)) (cancel func()) {
	return p.listen(&listener{change: func(c *Change) { fn(*c) }})
}

// OnSaved calls fn after each save that the database has answered, well or
// with an error. It returns a function that ends this.
func (p *Profile) OnSaved(fn func(session.Saved)) (cancel func()) {
	return p.listen(&listener{saved: fn})
}

// OnEnded calls fn once when the profile has ended. If it has ended before,
// fn is not called: see Done and Ended. It returns a function that ends this.
func (p *Profile) OnEnded(fn func(End)) (cancel func()) {
	return p.listen(&listener{ended: fn})
}

// Ended returns how the profile ended, and false while it has not.
func (p *Profile) Ended() (End, bool) {
	if x := p.ext.Load(); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.end != nil {
			return *x.end, true
		}
	}
	return End{}, false
}

// onChange listens to the changes of one field.
func (f *field) onChange(p *Profile, fn func(*Change)) (cancel func()) {
	if p.schema.position(f) < 0 {
		p.srv.stranger(p, f)
	}
	return p.listen(&listener{field: f, change: fn})
}

// listen adds a listener. Lists of listeners are never changed in place, as
// events refer to them.
func (p *Profile) listen(l *listener) (cancel func()) {
	e := &p.extras().events
	p.watched.Store(true)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.setLocked(append(slices.Clip(e.listeners), l))
	return func() {
		l.off.Store(true)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.setLocked(slices.DeleteFunc(slices.Clone(e.listeners), func(o *listener) bool { return o == l }))
	}
}

func (e *events) setLocked(ls []*listener) {
	e.listeners = ls
	e.listens.Store(slices.ContainsFunc(ls, func(l *listener) bool { return l.change != nil }))
}

// accept takes the changes of one update, which has been committed and still
// holds the profile's lock. It reports whether the caller is to deliver them, as
// nobody else is delivering and nothing waits; else they are queued.
func (e *events) accept(cs []Change, manual bool) (to []*listener, direct bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queued.Add(int64(len(cs)))
	if !manual && !e.draining && len(e.queue) == 0 {
		e.draining = true
		return e.listeners, true
	}
	for i := range cs {
		e.queue = append(e.queue, event{change: cs[i], listeners: e.listeners})
	}
	return nil, false
}

// deliverDirect delivers changes that were accepted for that, and then what
// was queued meanwhile. If a listener panics, the changes after that one are
// queued before all others.
func (e *events) deliverDirect(cs []Change, to []*listener) {
	n := 0
	defer func() {
		e.queued.Add(int64(-n))
		if n < len(cs) {
			e.putBack(cs[n:], to)
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.drainLocked()
	}()
	for i := range cs {
		n++
		if cs[i].real() {
			deliverChange(&cs[i], to)
		}
	}
}

// putBack queues changes that were to be delivered directly and were not,
// before all others.
func (e *events) putBack(cs []Change, to []*listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := make([]event, 0, len(cs)+len(e.queue))
	for _, c := range cs {
		left = append(left, event{change: c, listeners: to})
	}
	e.queue = append(left, e.queue...)
	e.draining = false
}

// real reports whether the change is one: an update may have come back to what
// was there before.
func (c *Change) real() bool {
	return (c.Old == nil) != (c.New == nil) || !bytes.Equal(c.Old, c.New)
}

// post queues a save, a growth or the end, and delivers it from a goroutine of the
// server's unless the game delivers.
func (p *Profile) post(ev event) {
	x := p.ext.Load()
	if x == nil {
		return
	}
	e := &x.events
	e.mu.Lock()
	ev.listeners = e.listeners
	if len(ev.listeners) > 0 {
		e.queue = append(e.queue, ev)
		e.queued.Add(1)
	}
	e.mu.Unlock()
	if len(ev.listeners) > 0 && !p.srv.opts.ManualEvents {
		p.srv.background(func() { e.drain() })
	}
}

// DrainEvents delivers all events that wait, those that come meanwhile
// included, and returns how many they were. It is for a server with
// Options.ManualEvents. If another goroutine is delivering, it returns 0 at
// once.
func (p *Profile) DrainEvents() int {
	if x := p.ext.Load(); x != nil {
		return x.events.drain()
	}
	return 0
}

func (e *events) drain() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.draining {
		return 0
	}
	e.draining = true
	return e.drainLocked()
}

// drainLocked delivers all that waits. The caller has said that it is
// draining.
func (e *events) drainLocked() (n int) {
	defer func() { e.draining = false }()
	for len(e.queue) > 0 {
		batch := e.queue
		e.queue, e.spare = e.spare, nil
		n += e.deliverBatch(batch)
	}
	return n
}

// deliverBatch delivers events without the lock, which the caller holds. If a
// listener panics, the events after that one stay queued.
func (e *events) deliverBatch(batch []event) (n int) {
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.queued.Add(int64(-n))
		if n < len(batch) {
			e.queue = append(batch[n:], e.queue...)
		} else if cap(batch) <= keptWrites {
			clear(batch)
			e.spare = batch[:0]
		}
	}()
	for i := range batch {
		n++
		batch[i].deliver()
	}
	return n
}

func (ev *event) deliver() {
	if ev.saved == nil && ev.end == nil && ev.slot == nil && ev.growth == nil {
		if ev.change.real() {
			deliverChange(&ev.change, ev.listeners)
		}
		return
	}
	for _, l := range ev.listeners {
		switch {
		case l.off.Load():
		case ev.saved != nil:
			if l.saved != nil {
				l.saved(*ev.saved)
			}
		case ev.growth != nil:
			if l.growth != nil {
				l.growth(*ev.growth)
			}
		case ev.end != nil:
			if l.ended != nil {
				l.ended(*ev.end)
			}
		case ev.slot != nil:
			if l.slot != nil {
				l.slot(*ev.slot)
			}
		}
	}
}

func deliverChange(c *Change, to []*listener) {
	for _, l := range to {
		if l.change != nil && !l.off.Load() && (l.field == nil || l.field == c.Field.common()) {
			l.change(c)
		}
	}
}

// changes are what one update has changed, by path, in the order of the first
// write to each.
type changes struct {
	list  []Change
	index map[document.Path]int // nil while the list is short
}

// indexedFrom is the length from which the list is searched by an index.
const indexedFrom = 16

// add notes that the value under a path, which was old, is now value. A path's
// change is continued unless the field was changed at the other depth since, as
// the two must then be told one after the other.
func (c *changes) add(p *Profile, f Field, path document.Path, old, value []byte) {
	if i := c.find(path); i >= 0 {
		c.list[i].New = value
		return
	}
	c.list = append(c.list, Change{Profile: p, Field: f, Path: path, Old: old, New: value})
	if len(c.list) < indexedFrom {
		return
	}
	if c.index == nil {
		c.index = make(map[document.Path]int)
		for i := range c.list {
			c.enter(i)
		}
		return
	}
	c.enter(len(c.list) - 1)
}

func (c *changes) enter(i int) {
	path := c.list[i].Path
	if path.Deep {
		delete(c.index, document.Field(path.Field))
	} else {
		for p := range c.index {
			if p.Deep && p.Field == path.Field {
				delete(c.index, p)
			}
		}
	}
	c.index[path] = i
}

func (c *changes) find(path document.Path) int {
	if c.index != nil {
		if i, ok := c.index[path]; ok {
			return i
		}
		return -1
	}
	for i := len(c.list) - 1; i >= 0; i-- {
		switch p := c.list[i].Path; {
		case p == path:
			return i
		case p.Field == path.Field && p.Deep != path.Deep:
			return -1
		}
	}
	return -1
}
