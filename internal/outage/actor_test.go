package outage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// actor is a game that uses one server.
type actor struct {
	s    *server
	c    *checker
	dice *rand.Rand
	ctx  context.Context
}

// act runs actors on a server until it stops.
func (f *fleet) act(s *server, actors int) {
	ctx, cancel := context.WithCancel(f.ctx)
	s.stop = cancel
	for range actors {
		a := &actor{s: s, c: f.check, dice: rand.New(rand.NewPCG(f.dice.Uint64(), 2)), ctx: ctx}
		s.actors.Go(a.run)
	}
}

func (a *actor) run() {
	for a.rest() {
		switch n := a.dice.IntN(100); {
		case n < 15:
			a.open()
		case n < 65:
			a.update(1)
		case n < 80:
			a.update(2 + a.dice.IntN(2))
		case n < 87:
			a.save()
		case n < 92:
			a.close()
		default:
			a.peek()
		}
	}
}

// rest lets the other actors have the machine. It returns false when the actor
// is to stop.
func (a *actor) rest() bool { return wait(a.ctx, time.Duration(1+a.dice.IntN(8))*time.Millisecond) }

// wait lets real time pass. It returns false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// patience bounds what an actor waits for: often for less than the answer takes.
func (a *actor) patience() (context.Context, context.CancelFunc) {
	if a.dice.IntN(4) == 0 {
		return context.WithTimeout(a.ctx, time.Duration(a.dice.IntN(50))*time.Millisecond)
	}
	return context.WithTimeout(a.ctx, 3*leaseLength)
}

// open opens a player, who is mostly somebody else's.
func (a *actor) open() {
	p := a.c.players[a.dice.IntN(len(a.c.players))]
	o := &session.OpenOptions{Ended: a.s.lose, NoAsk: a.dice.IntN(8) == 0}
	if a.dice.IntN(6) == 0 {
		o.Steal = "an operator's whim"
	}
	floor := a.s.awaits(p)
	ctx, cancel := a.patience()
	defer cancel()
	ss, err := a.s.srv.Open(ctx, p.key, o)
	if err != nil {
		a.c.tolerates(err, a.s.name+" opens "+p.key.ID)
		return
	}
	if fresh := a.s.take(p, ss); !fresh {
		return // it may be over by now, and its server not know
	}
	if u := a.head(ss); u != nil && !floor.within(u) {
		a.c.fail(fmt.Errorf("lost: %s opens %v, and %v had been kept", a.s.name, u, floor))
	}
}

// update changes n players as one group, and waits for that or not.
func (a *actor) update(n int) {
	ss := a.s.some(a.dice, n)
	if len(ss) == 0 {
		return
	}
	durable := a.dice.IntN(2) == 0
	made, err := a.change(ss, durable)
	if err != nil {
		a.c.tolerates(err, a.s.name+" updates")
		return
	}
	if durable {
		a.sync(ss[0], made)
	}
}

// sync waits until an update is kept. A group is kept whole with each of its
// parts.
func (a *actor) sync(ss *session.Session, made []*update) {
	ctx, cancel := a.patience()
	defer cancel()
	if err := ss.Sync(ctx); err != nil {
		a.c.tolerates(err, a.s.name+" syncs")
		return
	}
	for _, u := range made {
		a.c.ack(u, a.s.name+"'s sync")
	}
}

// change makes one update of each session's player.
func (a *actor) change(ss []*session.Session, durable bool) ([]*update, error) {
	txs, err := session.BeginAll(ss...)
	if err != nil {
		return nil, err
	}
	on := make([]*update, len(ss))
	for i, tx := range txs {
		on[i], err = a.c.identify(a.s.playerOf(ss[i]), tx.Document().AppendJSON(nil))
		if err != nil {
			session.Rollback(txs...)
			a.c.fail(fmt.Errorf("in the memory of %s: %w", a.s.name, err))
			return nil, err
		}
	}
	made := a.c.make(on...)
	for i, tx := range txs {
		if err := apply(tx, made[i]); err != nil {
			session.Rollback(txs...)
			a.c.fail(fmt.Errorf("%s writes %v: %w", a.s.name, made[i], err))
			return nil, err
		}
	}
	return made, session.Commit(durable, txs...)
}

func apply(tx *session.Tx, u *update) error {
	for field, value := range u.changes() {
		if err := tx.Set(document.Field(field), []byte(strconv.Itoa(value)), false); err != nil {
			return err
		}
	}
	return nil
}

// head returns what a session holds, or nil if it has ended.
func (a *actor) head(ss *session.Session) *update {
	ss.Lock()
	text := ss.Document().AppendJSON(nil)
	ss.Unlock()
	if ss.Err() != nil {
		return nil
	}
	u, err := a.c.identify(a.s.playerOf(ss), text)
	if err != nil {
		a.c.fail(fmt.Errorf("in the memory of %s: %w", a.s.name, err))
		return nil
	}
	return u
}

// save waits until what a session holds is saved.
func (a *actor) save() { a.end("save", (*session.Session).Save) }

// close gives a player up.
func (a *actor) close() { a.end("close", (*session.Session).Close) }

func (a *actor) end(what string, how func(*session.Session, context.Context) error) {
	ss := a.s.some(a.dice, 1)
	if len(ss) == 0 {
		return
	}
	u := a.head(ss[0])
	if u == nil {
		return
	}
	ctx, cancel := a.patience()
	defer cancel()
	err := how(ss[0], ctx)
	switch {
	case err == nil:
		a.c.ack(u, a.s.name+"'s "+what)
	case !errors.Is(err, session.ErrClosed):
		a.c.tolerates(err, a.s.name+"'s "+what)
	}
}

// peek reads a player without his lock.
func (a *actor) peek() {
	p := a.c.players[a.dice.IntN(len(a.c.players))]
	floor := a.c.floor(p)
	ctx, cancel := a.patience()
	defer cancel()
	v, err := a.s.srv.Peek(ctx, p.key)
	switch {
	case err == nil:
		a.c.seen(p, v.Document.AppendJSON(nil), floor, a.s.name+" peeks")
	case errors.Is(err, session.ErrNotFound) && floor != p.origin:
		a.c.fail(fmt.Errorf("lost: %s peeks: %w, and %v had been kept", a.s.name, err, floor))
	default:
		a.c.tolerates(err, a.s.name+" peeks")
	}
}
