package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// The questions by which a server asks another whether it hears, and to hold
// profiles still for an exchange, and tells it what became of that.
const (
	verbHello  = "hello"
	verbFreeze = "freeze"
	verbThaw   = "thaw"
)

// freezeQuestion asks to hold a profile still for the exchange whose version will
// be the announced one.
type freezeQuestion struct {
	Key       string         `json:"key"` // of the root
	Session   driver.Version `json:"session"`
	Announced driver.Version `json:"announced"`
	Patience  time.Duration  `json:"patience"` // at most; in nanoseconds
}

// freezeAnswer says at which version the root stands still, or why it does not.
type freezeAnswer struct {
	Version driver.Version `json:"version"`
	Queued  bool           `json:"queued,omitempty"` // not yet: ask again
	Refused string         `json:"refused,omitempty"`
}

// thawMessage says what became of an exchange.
type thawMessage struct {
	Announced driver.Version `json:"announced"`
	Committed bool           `json:"committed,omitempty"`
}

// queuedAfter is how long the answer to a freeze question waits for the freeze. It
// is less than the asker waits for any sign of life.
const queuedAfter = 100 * time.Millisecond

// holds are the profiles of this server that are held still for exchanges which
// other servers make.
type holds struct {
	mu     sync.Mutex
	held   map[holdKey]*holding
	last   map[session.Key]*holding // of each profile, the one that was asked for last
	over   [1024]driver.Version     // exchanges that were heard the end of, in a ring
	next   int
	silent map[string]time.Time // leases of servers that did not answer, and since when
}

// holdKey names one profile in one exchange.
type holdKey struct {
	announced driver.Version
	key       session.Key
}

// holding is one profile that is held still, or will be, for another server.
//
//	queued ──▶ still ──▶ over
//	   │         ├ told that it was refused: let go at once
//	   │         └ told that it was committed, or nothing in time: settled, then let go
//	   └ refused: no such session, told that it is over, or not in time
type holding struct {
	holdKey
	session driver.Version
	before  *holding        // of the same profile, whose turn comes first; nil: none
	ctx     context.Context // ends with the news, or with the patience
	told    context.CancelCauseFunc
	ready   chan struct{} // closed when answer is set
	answer  freezeAnswer
}

// The news of an exchange, as causes of a hold's context.
var (
	errCommitted = errors.New("it was committed")
	errRefused   = errors.New("it was refused")
)

// hello deals with the question whether this server hears.
func (c *common) hello(context.Context, []byte) ([]byte, error) { return nil, nil }

// freeze deals with a freeze question. One that comes again, as it may, joins the
// first: it never makes a second freeze after the first has ended.
func (c *common) freeze(ctx context.Context, body []byte) ([]byte, error) {
	var q freezeQuestion
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("question not understood: %w", err)
	}
	key, err := session.ParseKey(q.Key)
	switch {
	case err != nil:
		return nil, fmt.Errorf("freeze: %w", err)
	case q.Announced.IsZero() || q.Session.IsZero() || q.Patience <= 0:
		return nil, fmt.Errorf("freeze %v: %w: it names no exchange, no session or no time", key, driver.ErrInvalid)
	}
	h := c.holdFor(holdKey{q.Announced, key}, q)
	if h == nil {
		return json.Marshal(freezeAnswer{Refused: "that exchange is over"})
	}
	timer := time.NewTimer(queuedAfter)
	defer timer.Stop()
	select {
	case <-h.ready:
		return json.Marshal(h.answer)
	case <-timer.C:
	case <-ctx.Done():
	}
	return json.Marshal(freezeAnswer{Queued: true})
}

// holdFor returns the hold that is asked for, which begins with the first question,
// or nil if its exchange is over.
func (c *common) holdFor(k holdKey, q freezeQuestion) *holding {
	hs := &c.holds
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h := hs.held[k]; h != nil {
		return h
	}
	if slices.Contains(hs.over[:], k.announced) {
		return nil
	}
	h := &holding{holdKey: k, session: q.Session, ready: make(chan struct{})}
	h.ctx, h.told = context.WithCancelCause(c.ctx)
	if hs.held == nil {
		hs.held, hs.last = make(map[holdKey]*holding), make(map[session.Key]*holding)
	}
	h.before = hs.last[k.key]
	hs.held[k], hs.last[k.key] = h, h
	timer := time.AfterFunc(min(q.Patience, c.opts.FreezePatience), func() { h.told(context.DeadlineExceeded) })
	c.background(func() {
		defer timer.Stop()
		c.holdStill(h)
		hs.end(h)
	})
	return h
}

// end forgets a hold, and notes that its exchange is over.
func (hs *holds) end(h *holding) {
	h.told(nil)
	hs.mu.Lock()
	defer hs.mu.Unlock()
	delete(hs.held, h.holdKey)
	if hs.last[h.key] == h {
		delete(hs.last, h.key)
	}
	hs.endedLocked(h.announced)
}

// endedLocked notes that an exchange is over: a freeze question for it that comes
// late is refused.
func (hs *holds) endedLocked(announced driver.Version) {
	if slices.Contains(hs.over[:], announced) {
		return
	}
	hs.over[hs.next] = announced
	hs.next = (hs.next + 1) % len(hs.over)
}

// thawed deals with the news of an exchange. It names the exchange, so that news
// of an older one does nothing to a newer freeze.
func (c *common) thawed(_ context.Context, body []byte) ([]byte, error) {
	var m thawMessage
	if err := json.Unmarshal(body, &m); err != nil || m.Announced.IsZero() {
		return nil, fmt.Errorf("news not understood: %w", errors.Join(driver.ErrInvalid, err))
	}
	hs := &c.holds
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.endedLocked(m.Announced)
	news := errRefused
	if m.Committed {
		news = errCommitted
	}
	for k, h := range hs.held {
		if k.announced == m.Announced {
			h.told(news)
		}
	}
	return nil, nil
}

// holdStill holds a profile still until its exchange is over.
func (c *common) holdStill(h *holding) {
	h.awaitTurn()
	p, err := c.loadedAs(h.ctx, h.key, h.session)
	var f *session.Frozen
	if err == nil {
		f, err = p.freeze(h.ctx, h.announced)
	}
	if err != nil {
		h.answer.Refused = err.Error()
		close(h.ready)
		return
	}
	began := time.Now()
	h.answer.Version = f.Version()
	close(h.ready)
	select {
	case <-h.ctx.Done():
	case <-p.s.Done():
	}
	happened := false
	switch news := context.Cause(h.ctx); {
	case errors.Is(news, errRefused):
		f.Release()
	default:
		if !errors.Is(news, errCommitted) {
			c.log.Warn("nothing was heard of an exchange in time", "key", h.key.String(), "exchange", h.announced.String())
		}
		happened = p.settle(f)
	}
	c.mx.thawed(time.Since(began), happened)
}

// awaitTurn waits until the hold before this one is still, or refused: they come in
// the order in which they were asked for.
func (h *holding) awaitTurn() {
	if h.before == nil {
		return
	}
	select {
	case <-h.before.ready:
	case <-h.ctx.Done():
	}
	h.before = nil // which must not be kept for as long as trades follow one another
}

// loadedAs returns the profile of a session, and waits for it if it is being loaded.
func (c *common) loadedAs(ctx context.Context, key session.Key, id driver.Version) (*Profile, error) {
	for {
		c.mu.Lock()
		p, l := c.profiles[key], c.loads[key]
		c.mu.Unlock()
		switch {
		case p != nil && p.s != nil && p.s.ID() == id.String() && p.closingDone() == nil:
			return p, nil
		case p != nil || l == nil:
			return nil, fmt.Errorf("freeze %v: %w", key, ErrNotOpen)
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("freeze %v: wait for its load: %w", key, context.Cause(ctx))
		}
	}
}
