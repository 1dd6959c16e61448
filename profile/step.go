package profile

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

const (
	maxStep  = 32 << 10 // bytes of changes in one step; of larger ones the follower reads the profile
	maxPost  = 64 << 10 // bytes of changes in one message
	maxSteps = 4096     // steps that wait for one follower
)

// step is what the owner's server tells those who follow a profile: what has
// become durable, or that the profile has ended there.
type step struct {
	Key     string `json:"key"`     // of the root
	Session string `json:"session"` // that made it
	Number  uint64 `json:"number"`  // counted from 1 in the session, by its server
	Before  uint64 `json:"before"`  // the revisions without and with it
	After   uint64 `json:"after"`
	Delta   []byte `json:"delta,omitempty"` // as document.Delta.AppendBinary writes it
	Fetch   bool   `json:"fetch,omitempty"` // it is too large: read the profile
	Ended   bool   `json:"ended,omitempty"`
	// By is the id of the follows of who asked for it by Change, if that was one
	// who follows the profile, and nobody else changed anything.
	By driver.Version `json:"by,omitzero"`
}

func newStep(d session.Durable, by driver.Version) step {
	st := step{Before: d.Before, After: d.After, By: by}
	size := 0
	for _, c := range d.Delta {
		size += len(c.Path.Field) + len(c.Path.Element) + len(c.Value)
	}
	if st.Fetch = size > maxStep; !st.Fetch {
		st.Delta = d.Delta.AppendBinary(nil)
	}
	return st
}

// post is what waits to be sent to the followers on other servers.
type post struct {
	mu      sync.Mutex // the last one to be taken
	waiting map[driver.Version][]step
	running bool // a goroutine of background sends
}

// post sends a step to a follower, soon and in order, or not at all: he finds out.
// It does not block.
func (c *common) post(to driver.Version, st step) {
	if c.follows.take(to, st) {
		return
	}
	b := &c.posted
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting[to]) >= maxSteps {
		return
	}
	if b.waiting == nil {
		b.waiting = make(map[driver.Version][]step)
	}
	b.waiting[to] = append(b.waiting[to], st)
	if !b.running {
		b.running = true
		c.background(c.sendPosted)
	}
}

// sendPosted sends all that waits. What came together goes together.
func (c *common) sendPosted() {
	b := &c.posted
	for {
		b.mu.Lock()
		all := b.waiting
		b.waiting, b.running = nil, len(all) > 0
		b.mu.Unlock()
		if len(all) == 0 {
			return
		}
		for to, steps := range all {
			for len(steps) > 0 {
				n := fitting(steps)
				c.publish(to, steps[:n])
				steps = steps[n:]
			}
		}
	}
}

// fitting returns how many steps go into one message, at least one.
func fitting(steps []step) int {
	size := 0
	for i := range steps {
		if size += len(steps[i].Delta); size > maxPost && i > 0 {
			return i
		}
	}
	return len(steps)
}

func (c *common) publish(to driver.Version, steps []step) {
	b := c.opts.Session.Bus
	if b == nil {
		return // he has it no more, or he could not have asked
	}
	msg, err := json.Marshal(steps)
	if err == nil {
		err = b.PublishSystem(context.Background(), stepTopic(to), msg)
	}
	if err != nil {
		c.log.Debug("steps not sent to a follower", "follower", to.String(), "steps", len(steps), "err", err)
	}
}

// stepTopic is the topic of what is told to a server's follows.
func stepTopic(id driver.Version) string { return bus.SystemPrefix + "steps." + id.String() }
