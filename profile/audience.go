package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

const (
	// followLife is how long a server stays in a profile's audience after it has
	// asked for that: one that has died is forgotten.
	followLife = 10 * time.Second
	// followWithin bounds the question whether a profile may be followed.
	followWithin = 500 * time.Millisecond
	// maxAudience is how many servers may follow one profile.
	maxAudience = 1000
	// maxOrigins bounds the origins that are remembered until they are told.
	maxOrigins = 256
)

// audience is who follows a profile that is open here: the servers that are told
// what of it has become durable. While there is none, nothing is collected.
type audience struct {
	p *Profile

	mu      sync.Mutex // guards what follows; the last one to be taken but for the post's
	number  uint64     // of the last step
	until   map[driver.Version]time.Time
	origins map[uint64]driver.Version // by revision
	over    bool                      // the profile has ended
}

// audience returns who follows the profile, or nil if nobody ever did and it is
// not to begin.
func (p *Profile) audience(begin bool) *audience {
	if !begin && p.ext.Load() == nil {
		return nil
	}
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.audience == nil && begin {
		x.audience = &audience{p: p, until: make(map[driver.Version]time.Time), origins: make(map[uint64]driver.Version)}
	}
	return x.audience
}

const verbFollow = "follow"

// followQuestion asks to be told, for some time, what becomes durable of what a
// session holds, or not to be told any more. It is asked again and again.
type followQuestion struct {
	Key      string         `json:"key"` // of the root
	Session  driver.Version `json:"session"`
	Follower driver.Version `json:"follower"` // the id of the asker's follows
	End      bool           `json:"end,omitempty"`
}

// followAnswer says which step was the last one.
type followAnswer struct {
	Number  uint64 `json:"number"`
	Known   bool   `json:"known,omitempty"` // the asker was in the audience, and was told of all steps up to that one
	Refused string `json:"refused,omitempty"`
}

// followed deals with a followQuestion.
func (c *common) followed(ctx context.Context, body []byte) ([]byte, error) {
	var q followQuestion
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("question not understood: %w", err)
	}
	return json.Marshal(c.admitFollower(ctx, q))
}

func (c *common) admitFollower(ctx context.Context, q followQuestion) followAnswer {
	key, err := session.ParseKey(q.Key)
	if err != nil || q.Session.IsZero() || q.Follower.IsZero() {
		return followAnswer{Refused: "it names no key, no session or no follower"}
	}
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	p, err := c.loadedAs(ctx, key, q.Session)
	if err != nil {
		return followAnswer{Refused: err.Error()}
	}
	a := p.audience(true)
	if q.End {
		a.leave(q.Follower)
		return followAnswer{}
	}
	return a.admit(q.Follower)
}

// admit takes a server into the audience, or lets it stay.
func (a *audience) admit(id driver.Version) followAnswer {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, known := a.until[id]
	switch {
	case a.over || a.p.ended():
		return followAnswer{Refused: session.ErrClosed.Error()}
	case !known && len(a.until) >= maxAudience:
		return followAnswer{Refused: "too many follow it"}
	}
	if len(a.until) == 0 {
		a.p.s.OnDurable(a.tell)
		a.p.srv.mx.byID.followed.Inc()
	}
	a.until[id] = time.Now().Add(followLife)
	return followAnswer{Number: a.number, Known: known}
}

// leave takes a server out of the audience.
func (a *audience) leave(id driver.Version) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.until[id]; ok {
		delete(a.until, id)
		a.endLocked()
	}
}

// endLocked ends the collecting when nobody is left.
func (a *audience) endLocked() {
	if len(a.until) > 0 {
		return
	}
	a.p.s.OnDurable(nil)
	a.p.srv.mx.byID.followed.Dec()
	clear(a.origins)
}

// tell is told by the session what has become durable.
func (a *audience) tell(d session.Durable) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.until) == 0 {
		return
	}
	now := time.Now()
	for id, until := range a.until {
		if now.After(until) {
			delete(a.until, id)
		}
	}
	a.postLocked(newStep(d, a.originLocked(d)))
	a.endLocked()
}

// postLocked posts the next step to everybody.
func (a *audience) postLocked(st step) {
	a.number++
	st.Key, st.Session, st.Number = a.p.key.String(), a.p.s.ID(), a.number
	for id := range a.until {
		a.p.srv.post(id, st)
	}
}

// end tells that the profile has ended.
func (a *audience) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if len(a.until) > 0 {
		a.postLocked(step{Ended: true})
		clear(a.until)
		a.endLocked()
	}
}

// note notes who asked for the update that makes a revision; zero: nobody.
func (a *audience) note(revision uint64, by driver.Version) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case by.IsZero():
		delete(a.origins, revision)
	case len(a.until) > 0 && len(a.origins) < maxOrigins:
		a.origins[revision] = by
	}
}

// originLocked returns who asked for all updates of a step; zero if that was not
// one and the same follower.
func (a *audience) originLocked(d session.Durable) (by driver.Version) {
	same := true
	for r := d.Before + 1; r <= d.After; r++ {
		o := a.origins[r]
		delete(a.origins, r)
		if r == d.Before+1 {
			by = o
		}
		same = same && o == by
	}
	if !same {
		return driver.Version{}
	}
	return by
}
