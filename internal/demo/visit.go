package demo

import (
	"math/rand/v2"
	"time"
)

// visit is one session of a player: how long he is away before it, and how
// long he stays, in the run's time.
type visit struct {
	away, stay time.Duration
	// How he comes back, by the real time that he was away.
	back comeback
}

// comeback is how a player comes to his next server.
type comeback uint8

const (
	// later: he has left the one before and comes some time after.
	later comeback = iota
	// hop: the game sent him over, within 30 s: the server before still has him
	// and is asked for him.
	hop
	// reconnect: he was cut off and is back within 5 s: the server before is
	// just about to release him.
	reconnect
)

func comebackAfter(seconds float64) comeback {
	switch {
	case seconds <= 5:
		return reconnect
	case seconds <= 30:
		return hop
	}
	return later
}

// visits are the sessions of a player, one after another, without end.
type visits interface{ next() visit }

// madeVisits are made by chance, in the shape of measured ones.
type madeVisits struct {
	rng   *rand.Rand
	begun bool
}

// longestAway keeps a player from missing the whole run.
const longestAway = 2 * time.Second

func (m *madeVisits) next() visit {
	away := rejoinSeconds.sample(m.rng)
	v := visit{
		away: min(compressed(away), longestAway), back: comebackAfter(away),
		stay: compressed(sessionSeconds.sample(m.rng)),
	}
	if !m.begun { // most are there from the beginning, so that there is something to see
		m.begun = true
		v.away, v.back = time.Duration(m.rng.Float64()*float64(time.Second)), later
	}
	return v
}

// tracedVisits are those of a trace, over and over.
type tracedVisits struct {
	list []visit
	i    int
}

func (t *tracedVisits) next() visit {
	v := t.list[t.i%len(t.list)]
	t.i++
	return v
}
