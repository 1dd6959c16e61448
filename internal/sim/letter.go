package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
)

// giftTopic is the topic of the messages that carry gifts.
const giftTopic = "gift"

// letter is a message that is about to be handled. Its preparation waits for the
// world, which says what its handler does.
type letter struct {
	in      *instance
	profile *profile.Profile
	id      string // of the message
	done    chan struct{}

	// Set before done is closed.
	verdict verdict
	update  int // number of the update that it may make
}

// verdict is what a handler does.
type verdict string

const (
	accept   verdict = "accepts"
	postpone verdict = "leaves for later"
	refuse   verdict = "refuses"
	collapse verdict = "panics at"
)

// receive has a process handle the messages to its players.
func (in *instance) receive() error {
	return in.profiles.HandlePrepared(giftTopic, in.prepareGift, in.takeGift)
}

// prepareGift waits for the world's verdict.
func (in *instance) prepareGift(ctx context.Context, p *profile.Profile, m *profile.Message) (any, error) {
	l := &letter{in: in, profile: p, id: m.ID, done: make(chan struct{})}
	in.w.mu.Lock()
	in.w.inbox.letters = append(in.w.inbox.letters, l)
	in.w.mu.Unlock()
	in.w.signal()
	select {
	case <-l.done:
		if l.verdict == "" {
			return nil, errEnd
		}
		return l, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// giftBody is what a gift's message says.
type giftBody struct {
	Amount int64 `json:"amount"`
}

func (g *gift) message() profile.Message {
	body := mustJSON(giftBody{int64(g.amount)})
	return profile.Message{ID: g.id, Topic: giftTopic, Body: body, Until: g.asked, Reason: "a gift"}
}

// takeGift is the handler of gifts.
func (in *instance) takeGift(tx *profile.Tx, m *profile.Message) (json.RawMessage, error) {
	l := m.Prepared().(*letter)
	var body giftBody
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return nil, err
	}
	to := in.w.check.byRoot[tx.Profile().Key().String()]
	if birth := tx.Profile().Session().Birth(); !m.For.IsZero() && m.For != birth {
		in.w.report(fmt.Errorf("%s handles gift %s to the profile of birth %v on %v of birth %v", in.name, m.ID, m.For, to.key, birth))
	}
	d := deed{what: m.ID, players: []*player{to}, numbers: []int{l.update}, on: []int{int(headOf.Get(tx))}, take: func(w *world, on []*update) {
		w.accepted(in, w.check.giftOf(m.ID), l.update, on[0])
	}}
	if _, twice := gotOf.Get(tx, m.ID); twice {
		in.w.report(fmt.Errorf("%s handles gift %s to %v, who has received it", in.name, m.ID, to.key))
	}
	if err := coinsOf.Add(tx, body.Amount); err != nil {
		return nil, err
	}
	if err := errors.Join(gotOf.Put(tx, m.ID, l.update), headOf.Set(tx, int64(l.update))); err != nil {
		return nil, err
	}
	switch l.verdict {
	case postpone:
		return nil, fmt.Errorf("a gift: %w", profile.ErrLater)
	case refuse:
		return nil, errors.New("this gift is not wanted")
	case collapse:
		panic("a gift too heavy")
	}
	in.w.did(d)
	return json.RawMessage(strconv.Quote(m.ID)), nil
}

// report notes a broken promise from a server's goroutine.
func (w *world) report(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inbox.broken = append(w.inbox.broken, err)
}

// lettered decides what becomes of a message that is about to be handled.
func (w *world) lettered(l *letter) {
	l.in.letters = append(l.in.letters, l)
	w.after(w.latency(), l.in, func() {
		l.verdict, l.update = w.verdict(), w.check.number()
		w.trace.add("%s %s %s for %s", l.in.name, l.verdict, l.id, l.profile.Key().ID)
		l.in.letters = slices.DeleteFunc(l.in.letters, func(o *letter) bool { return o == l })
		close(l.done)
	})
}

func (w *world) verdict() verdict {
	n := w.rng.IntN(100)
	switch {
	case w.calm || n < 85:
		return accept
	case n < 94:
		return postpone
	case n < 98:
		return refuse
	}
	return collapse
}

// accepted registers what a handler of a gift does.
func (w *world) accepted(in *instance, g *gift, number int, on *update) {
	if g == nil || g.to != on.p {
		w.fail(fmt.Errorf("%s handled gift %v on %v, whose it is not", in.name, g, on))
		return
	}
	u := w.check.make(number, on, []change{
		{document.Field(coinsField), strconv.Itoa(on.content.coins() + g.amount)},
		{document.Element(gotField, g.id), strconv.Itoa(number)},
	})
	w.trace.add("%s makes %v of %s", in.name, u, g.id)
	u.p.coming = append(u.p.coming, u)
}

// lifeOf returns until when a message lives that a server sends now: mostly for
// as long as messages do.
func (w *world) lifeOf(in *instance) time.Time {
	if !w.chance(0.3) {
		return time.Time{}
	}
	return in.srv.Now().Add(time.Second + w.upTo(6*time.Second)).UTC().Round(time.Millisecond)
}
