package store

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// pause is an attempt between two tries.
type pause struct {
	until time.Time
	a     *attempt
}

func (p pause) compare(q pause) int {
	return cmp.Or(p.until.Compare(q.until), cmp.Compare(p.a.order, q.a.order))
}

// pauseLocked makes an attempt wait before its next try. One timer serves all
// that are paused, so that those which are due together go on in one step, in
// a certain order, and can share a group.
func (db *DB) pauseLocked(a *attempt) {
	longest := db.opts.pause(a.lost)
	if a.Lane == Urgent {
		longest = min(longest, urgentPause)
	}
	p := pause{time.Now().Add(jitter(db.dice, longest)), a}
	i, _ := slices.BinarySearchFunc(db.paused, p, pause.compare)
	db.paused = slices.Insert(db.paused, i, p)
	if i == 0 {
		db.alarmLocked()
	}
}

// alarmLocked sets the timer to the end of the first pause.
func (db *DB) alarmLocked() {
	if len(db.paused) == 0 {
		return
	}
	d := time.Until(db.paused[0].until)
	if db.alarm == nil {
		db.alarm = time.AfterFunc(d, db.resume)
		return
	}
	db.alarm.Reset(d)
}

// jitter returns a pause between half and the whole of the longest.
func jitter(dice *rand.Rand, longest time.Duration) time.Duration {
	return longest/2 + time.Duration(dice.Int64N(int64(longest/2)+1))
}

// resume puts what has paused long enough back at the head of its lane.
func (db *DB) resume() {
	db.mu.Lock()
	defer db.mu.Unlock()
	now, n := time.Now(), 0
	for n < len(db.paused) && !db.paused[n].until.After(now) {
		n++
	}
	db.againLocked(n)
	db.alarmLocked()
	db.pumpLocked()
}

// againLocked ends the first n pauses.
func (db *DB) againLocked(n int) {
	for _, p := range db.paused[:n] {
		db.ready[p.a.Lane].pushAgain(p.a)
	}
	db.paused = slices.Delete(db.paused, 0, n)
}

// endPauses ends all pauses. With the DB's context ended nothing is sent any
// more: what waited ends as an attempt whose outcome is unknown.
func (db *DB) endPauses() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.alarm != nil {
		db.alarm.Stop()
	}
	db.againLocked(len(db.paused))
	db.pumpLocked()
}
