package sim

import (
	"fmt"
	"time"
)

// gift is a sum that is sent to a player with a message: by another player, who
// then has it no more, or by a server.
type gift struct {
	id     string // of the message
	to     *player
	amount int
	from   *update   // that took it from its giver; nil: a server sends it
	stored bool      // its message has been in the database
	asked  time.Time // until when its message is to live; zero: as long as messages do
	until  time.Time // until when it does, once that is known
	gone   bool      // the one who was to have it was erased, or never gave it
}

// giver returns the player who gives it, or nil.
func (g *gift) giver() *player {
	if g.from == nil {
		return nil
	}
	return g.from.p
}

// newGift registers a gift.
func (c *checker) newGift(to *player, amount int) *gift {
	g := &gift{id: fmt.Sprintf("g%d", len(c.gifts)+1), to: to, amount: amount}
	c.gifts = append(c.gifts, g)
	to.gifts = append(to.gifts, g)
	return g
}

// sentWith says that a gift leaves its giver with an update.
func (g *gift) sentWith(u *update) {
	g.from = u
	if u.p != g.to {
		u.p.gifts = append(u.p.gifts, g)
	}
}

// over reports whether the gift's time is over, so that it may have come to
// nothing.
func (c *checker) over(g *gift) bool { return !g.until.IsZero() && c.clock.top().After(g.until) }

// state is where a gift is after a crash and a replay.
type state struct {
	sent     bool // it has left its giver
	waits    bool // it is a message
	handled  bool // it is noted that it was handled
	failed   bool // it is noted that it could not be handled
	dead     bool // it is a dead letter
	received bool
}

func (c *checker) stateOf(g *gift) (st state, err error) {
	to := c.waiting(g.to)
	from, until := to, time.Time{}
	if p := g.giver(); p != nil && p != g.to {
		from = c.waiting(p)
	}
	if mail := c.beside.after(g.to.entry(mailFolder, g.id), from, to); mail != nil {
		l, err := parseLetter(mail)
		if err != nil {
			return st, err
		}
		st.waits, until = true, l.Until
	}
	if c.beside[g.to.entry(mailFolder, g.id)] != nil {
		g.stored = true
	}
	if done := c.beside.after(g.to.entry(doneFolder, g.id), to); done != nil {
		l, err := parseLetter(done)
		if err != nil {
			return st, err
		}
		st.handled, st.failed = l.Error == "", l.Error != ""
	}
	if st.waits = st.waits && !st.handled && !st.failed; st.waits {
		g.until = until
	}
	st.dead = c.beside.after(g.to.entry(deadFolder, g.id), to) != nil
	st.received = g.to.durable.got(g.id)
	st.sent = g.stored
	if g.from != nil {
		st.sent = g.from.within(g.from.p.durable)
	}
	return st, nil
}

// checkGift checks that a crash now would neither lose nor double a gift.
func (c *checker) checkGift(g *gift) error {
	st, err := c.stateOf(g)
	if err != nil {
		return err
	}
	wrong := ""
	switch over := c.over(g); {
	case !st.sent && (st.waits || st.handled || st.failed || st.dead || st.received):
		wrong = "has come, and its giver still has it"
	case st.handled && !st.received:
		wrong = "is noted as handled, but was not received"
	case st.received && (st.failed || st.dead):
		wrong = "was received, and is a dead letter"
	case st.received && !st.handled && !over:
		wrong = "was received, and could be once more"
	case st.failed && !st.dead:
		wrong = "is noted as a dead letter, which is not there"
	case st.sent && !st.waits && !st.handled && !st.dead && !over:
		wrong = "is lost"
	}
	if wrong == "" {
		return nil
	}
	return fmt.Errorf("gift %s of %d from %v to %v %s: %+v", g.id, g.amount, g.from, g.to.key, wrong, st)
}

// giftOf returns the gift of a message's id, or nil.
func (c *checker) giftOf(id string) *gift {
	for _, g := range c.gifts {
		if g.id == id {
			return g
		}
	}
	return nil
}
