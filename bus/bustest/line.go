package bustest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/bus"
)

// ErrCut is what a Line's Send returns while the line is cut or fails.
var ErrCut = errors.New("the line is cut")

// Faults says how often packets meet with a fault on their way to one listener.
// Each is a probability.
type Faults struct {
	Lose   float64
	Double float64
	Swap   float64       // with the next packet of the subject
	Delay  float64       // by up to Late, so that others overtake it
	Late   time.Duration // the longest delay
	Refuse float64       // Send fails, after it has sent or before
}

// Line is a transport with faults. Without any it passes everything on.
type Line struct {
	inner   bus.Transport
	sending chan struct{} // level: Send was called

	mu      sync.Mutex // guards what follows
	rng     *rand.Rand
	faults  Faults
	filter  func(packet []byte) [][]byte
	fail    int // so many calls of Send fail; negative: all
	after   bool
	cut     bool
	down    bool // the inner line
	gate    chan struct{}
	watcher func(up bool)
	sent    []bus.Packet
	sends   int
	late    sync.WaitGroup
}

// NewLine returns a transport that carries packets by another.
func NewLine(inner bus.Transport, seed uint64) *Line {
	return &Line{inner: inner, sending: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(seed, 1))}
}

// SetFaults has packets meet with faults from now on.
func (l *Line) SetFaults(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// SetFilter has fn say what is delivered instead of each packet that arrives.
// Nil ends that.
func (l *Line) SetFilter(fn func(packet []byte) [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filter = fn
}

// Fail has the next n calls of Send fail, all if n is negative; with after, once
// they have sent everything.
func (l *Line) Fail(n int, after bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail, l.after = n, after
}

// Hold has Send wait until release is called.
func (l *Line) Hold() (release func()) {
	gate := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = gate
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.gate = nil
		l.mu.Unlock()
		close(gate)
	})
}

// Cut loses everything until Join, and says so.
func (l *Line) Cut() { l.setCut(true) }

// Join ends Cut.
func (l *Line) Join() { l.setCut(false) }

func (l *Line) setCut(cut bool) {
	l.mu.Lock()
	changed, tell := l.cut != cut && !l.down, l.watcher
	l.cut = cut
	l.mu.Unlock()
	if changed && tell != nil {
		tell(!cut)
	}
}

// Sent returns the packets that were given to Send, repetitions included, and
// how many calls there were.
func (l *Line) Sent() ([]bus.Packet, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent), l.sends
}

// Send implements bus.Transport.
func (l *Line) Send(ctx context.Context, packets []bus.Packet) error {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	fails, after := l.noted(packets)
	if fails && !after {
		return ErrCut
	}
	if err := l.inner.Send(ctx, packets); err != nil {
		return err
	}
	if fails {
		return ErrCut
	}
	return nil
}

// noted notes a call, and decides what becomes of it.
func (l *Line) noted(packets []bus.Packet) (fails, after bool) {
	select {
	case l.sending <- struct{}{}:
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sends++
	for _, p := range packets {
		l.sent = append(l.sent, bus.Packet{Subject: p.Subject, Data: slices.Clone(p.Data)})
	}
	switch {
	case l.cut:
		return true, false
	case l.fail != 0:
		l.fail--
		return true, l.after
	case l.rng.Float64() < l.faults.Refuse:
		return true, l.rng.IntN(2) == 0
	}
	return false, false
}

// Listen implements bus.Transport.
func (l *Line) Listen(subject string, fn func([]byte)) (func(), error) {
	var held []byte // under l.mu
	return l.inner.Listen(subject, func(packet []byte) {
		l.mu.Lock()
		var now [][]byte
		now, held = l.arriving(packet, held, fn)
		l.mu.Unlock()
		for _, p := range now {
			fn(p)
		}
	})
}

// arriving decides what is delivered now, and what is held back until the next
// packet. The line's mutex is held.
func (l *Line) arriving(packet, held []byte, fn func([]byte)) (now [][]byte, hold []byte) {
	f := &l.faults
	chance := func(p float64) bool { return p > 0 && l.rng.Float64() < p }
	switch {
	case l.cut || chance(f.Lose):
	case l.filter != nil:
		now = l.filter(packet)
	case chance(f.Delay):
		l.late.Add(1)
		time.AfterFunc(time.Duration(l.rng.Int64N(int64(f.Late)+1)), func() {
			defer l.late.Done()
			fn(packet)
		})
	case held == nil && chance(f.Swap):
		return nil, packet
	case chance(f.Double):
		now = [][]byte{packet, packet}
	default:
		now = [][]byte{packet}
	}
	if held != nil {
		now = append(now, held)
	}
	return now, nil
}

// Watch implements bus.Transport.
func (l *Line) Watch(fn func(up bool)) {
	l.mu.Lock()
	l.watcher = fn
	l.mu.Unlock()
	l.inner.Watch(func(up bool) {
		l.mu.Lock()
		l.down = !up
		cut := l.cut
		l.mu.Unlock()
		if !cut {
			fn(up)
		}
	})
}

// Limit implements bus.Transport.
func (l *Line) Limit() int { return l.inner.Limit() }

// Close implements bus.Transport. It waits for packets that are late.
func (l *Line) Close() error {
	l.late.Wait()
	return l.inner.Close()
}
