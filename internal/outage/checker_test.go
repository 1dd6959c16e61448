package outage_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// checker knows every update that was made and what was told of each, and says
// when the two do not fit. All its methods are safe for concurrent use.
type checker struct {
	players []*player
	failed  chan struct{} // closed at the first error

	mu      sync.Mutex
	updates map[int]*update
	groups  []*group
	acks    int // acknowledgements so far
	losses  int // sessions that were lost
	err     error
}

func newChecker(players int) *checker {
	c := &checker{failed: make(chan struct{}), updates: make(map[int]*update)}
	for n := range players {
		c.players = append(c.players, newPlayer(fmt.Sprintf("p%02d", n)))
	}
	return c
}

// fail notes an error; the first one is kept.
func (c *checker) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(err)
}

func (c *checker) failLocked(err error) {
	if err != nil && c.err == nil {
		c.err = err
		close(c.failed)
	}
}

// result returns the first error.
func (c *checker) result() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// lost counts a session that ended with an error.
func (c *checker) lost(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.losses++
	}
}

// acknowledged returns how many acknowledgements there were.
func (c *checker) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acks
}

// make registers the updates that stand on those of several players, as a group
// if there is more than one.
func (c *checker) make(on ...*update) []*update {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := make([]*update, len(on))
	for i, u := range on {
		made[i] = u.next(len(c.updates) + 1)
		c.updates[made[i].id] = made[i]
	}
	if len(made) > 1 {
		g := &group{made}
		for _, u := range made {
			u.group = g
		}
		c.groups = append(c.groups, g)
	}
	return made
}

// floor returns the last update of a player that is known to be kept. Whatever
// is read afterwards must hold it.
func (c *checker) floor(p *player) *update {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.kept
}

// ack notes that somebody was told that an update is kept.
func (c *checker) ack(u *update, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks++
	c.ackLocked(u, how)
}

func (c *checker) ackLocked(u *update, how string) {
	kept := u.player.kept
	switch {
	case kept.within(u):
		u.player.kept = u
	case !u.within(kept):
		c.failLocked(fmt.Errorf("two owners: %s tells of update %v, and %v was kept, which is on another line", how, u, kept))
	}
}

// identify returns the update that a document is.
func (c *checker) identify(p *player, text []byte) (*update, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identifyLocked(p, text)
}

func (c *checker) identifyLocked(p *player, text []byte) (*update, error) {
	content, err := parse(text)
	if err != nil {
		return nil, err
	}
	u := p.origin
	if id := content[headField]; id != 0 {
		if u = c.updates[id]; u == nil || u.player != p {
			return nil, fmt.Errorf("%v names update %d, which nobody made of it", p.key, id)
		}
	}
	if !maps.Equal(content, u.content) {
		return nil, fmt.Errorf("%v holds %v, update %v left %v", p.key, content, u, u.content)
	}
	return u, nil
}

// seen checks a document that somebody read: it is what an update left, it
// holds what was known to be kept before the reading, and it is kept from now
// on.
func (c *checker) seen(p *player, text []byte, floor *update, who string) *update {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := c.identifyLocked(p, text)
	if err == nil && !floor.within(u) {
		err = fmt.Errorf("lost: %s finds update %v, and %v had been kept", who, u, floor)
	}
	if err != nil {
		c.failLocked(fmt.Errorf("%s: %w", who, err))
		return nil
	}
	c.ackLocked(u, who)
	return u
}

// tolerates notes an error unless it is one that outages explain.
func (c *checker) tolerates(err error, doing string) {
	for _, never := range []error{session.ErrHistoryLost, session.ErrErased, driver.ErrCorrupt, driver.ErrFormat, driver.ErrForeign, driver.ErrInvalid, driver.ErrReadOnly} {
		if errors.Is(err, never) {
			c.fail(fmt.Errorf("%s: %w", doing, err))
		}
	}
}

// wholeGroups checks that of each group all or none is in the players' last
// documents.
func (c *checker) wholeGroups(last map[*player]*update) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range c.groups {
		n := 0
		for _, u := range g.parts {
			if u.within(last[u.player]) {
				n++
			}
		}
		if n != 0 && n != len(g.parts) {
			c.failLocked(fmt.Errorf("a group was torn: of %v, %d are there", g.parts, n))
		}
	}
}
