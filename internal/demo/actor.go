package demo

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// actor plays one player: it tells the servers what he does.
type actor struct {
	*player
	d   *director
	rng *rand.Rand

	// mu is held while a server is told to do something with the player, so
	// that his updates come one after another.
	mu      sync.Mutex
	op      int64 // number of the last update
	ordinal int64 // of the opening that he plays under

	where atomic.Pointer[process] // the server that he is on; nil: none
}

// run plays until ctx ends.
func (a *actor) run(ctx context.Context) {
	v := a.visits.next()
	v.back = later
	for rest(ctx, v.away, nil) && a.arrive(ctx, v.back) {
		a.play(ctx, v.stay)
		if v = a.visits.next(); v.back == later {
			a.leave(ctx)
		}
	}
}

// rest waits, until ctx ends, or what he waits at ends. It reports whether ctx
// goes on.
func rest(ctx context.Context, d time.Duration, until <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-until:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// arrive joins a server, another one than before if there is one. It tries until
// it succeeds or ctx ends.
func (a *actor) arrive(ctx context.Context, how comeback) bool {
	for ctx.Err() == nil {
		to := a.d.choose(a.rng, a.where.Load())
		if to != nil && a.join(ctx, to, how) {
			return true
		}
		how = later
		rest(ctx, time.Duration(20+a.rng.IntN(80))*time.Millisecond, nil)
	}
	return false
}

// join tells a server to take the player in. If another one has him, that one
// may just be doing something with him.
func (a *actor) join(ctx context.Context, to *process, how comeback) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	from := a.where.Load()
	if from == to {
		return true // there is no other
	}
	if from != nil && from.reachable() {
		switch how {
		case hop:
			a.sendUpdate(from, a.rng.IntN(2) == 0, func(answer) {})
		case reconnect:
			from.tell(order{Do: doLeave, Player: a.id}, func(answer) {})
		}
	}
	var gaveUp atomic.Bool
	got, err := to.call(ctx, order{Do: doOpen, Player: a.id}, func(g answer) { a.d.opened(a.id, from, to, g, gaveUp.Load()) })
	if err != nil {
		gaveUp.Store(true)
		a.where.Store(nil)
		return false
	}
	a.ordinal = got.Ordinal
	a.where.Store(to)
	return true
}

// leave tells the server to save and release the player.
func (a *actor) leave(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.where.Swap(nil); at != nil {
		// If it fails, the server is gone, and whoever opens him next takes over.
		_, _ = at.call(ctx, order{Do: doLeave, Player: a.id}, func(answer) {})
	}
}

// play does one thing after another for a while. If the server is gone, he
// goes to another one; if it is suspended, he stays.
func (a *actor) play(ctx context.Context, stay time.Duration) {
	for end := time.Now().Add(stay); time.Now().Before(end); {
		at := a.where.Load()
		if at == nil {
			if !a.arrive(ctx, later) {
				return
			}
			continue
		}
		think := time.Duration(a.rng.ExpFloat64() * float64(a.think))
		if !rest(ctx, min(think, time.Until(end)), at.noticed()) {
			return
		}
		switch err := a.act(ctx, at); {
		case err == nil:
		case errors.Is(err, errPaused): // the game asks him to wait
			rest(ctx, time.Duration(100+a.rng.IntN(100))*time.Millisecond, at.noticed())
		default:
			a.where.CompareAndSwap(at, nil)
			rest(ctx, 20*time.Millisecond, nil)
		}
	}
}

// act does one thing. It is an error if the server did not.
func (a *actor) act(ctx context.Context, at *process) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch chance := a.rng.Float64(); {
	case chance < 0.2:
		return a.give(ctx, at)
	case chance < 0.25:
		_, err := at.call(ctx, order{Do: doSave, Player: a.id}, a.d.history.saved)
		return err
	default:
		return a.update(ctx, at, chance < 0.5)
	}
}

// update tells a server to make one update, and waits for the answer. Mu is
// held.
func (a *actor) update(ctx context.Context, at *process, durable bool) error {
	o, note := a.nextUpdate(at, durable)
	_, err := at.call(ctx, o, note)
	return err
}

// sendUpdate tells a server to make one update and does not wait. Mu is held.
func (a *actor) sendUpdate(at *process, durable bool, fn func(answer)) {
	o, note := a.nextUpdate(at, durable)
	at.tell(o, func(g answer) {
		note(g)
		fn(g)
	})
}

// nextUpdate returns the order for the player's next update, and what is to be
// done with the answer. Mu is held.
func (a *actor) nextUpdate(at *process, durable bool) (order, func(answer)) {
	a.op++
	o := order{Do: doUpdate, Player: a.id, Op: a.op, Durable: durable}
	a.d.history.asked(at.name, o, a.ordinal, 0)
	return o, func(g answer) { a.d.history.answered(o, g) }
}

// give hands an item to another player on the same server, if there is one.
// Mu is held.
func (a *actor) give(ctx context.Context, at *process) error {
	to := a.d.company(a, at)
	if to == nil {
		return a.update(ctx, at, true)
	}
	defer to.mu.Unlock()
	a.op++
	to.op++
	o := order{Do: doGive, Player: a.id, Op: a.op, To: to.id, ToOp: to.op, Durable: a.rng.IntN(2) == 0}
	a.d.history.asked(at.name, o, a.ordinal, to.ordinal)
	_, err := at.call(ctx, o, func(g answer) { a.d.history.answered(o, g) })
	return err
}
