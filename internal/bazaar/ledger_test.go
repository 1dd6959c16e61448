package bazaar_test

import (
	"fmt"
	"slices"
	"sync"
)

// ledger is what was told of all deals. Its methods may be called by several
// goroutines.
type ledger struct {
	mu      sync.Mutex // guards what follows
	entries map[string]*entry
	told    map[fate]int // trades
	wrong   []error
	more    chan struct{} // level: a trade was done, or something is wrong
}

// entry is what was told of one deal.
type entry struct {
	who    []int
	stall  string
	runs   bool
	fate   fate   // empty: it has not ended, or its stall was killed before it said so
	text   string // the error with which it ended
	killed bool   // it was under way when its stall was killed
}

func newLedger() *ledger {
	return &ledger{entries: make(map[string]*entry), told: make(map[fate]int), more: make(chan struct{}, 1)}
}

// hear notes a report of a stall.
func (l *ledger) hear(stall string, r report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[r.Deal]
	switch r.News {
	case newsBegins:
		if e != nil {
			l.faultLocked(fmt.Errorf("%s: deal %s begins twice", stall, r.Deal))
		}
		l.entries[r.Deal] = &entry{who: r.Who, stall: stall}
	case newsRuns:
		e.runs = true
	case newsEnds:
		e.fate, e.text = r.Fate, r.Text
		if len(e.who) > 1 {
			l.told[r.Fate]++
			l.wake()
		}
	case newsWrong:
		l.faultLocked(fmt.Errorf("%s: %s", stall, r.Text))
	}
}

func (l *ledger) faultLocked(err error) {
	l.wrong = append(l.wrong, err)
	l.wake()
}

func (l *ledger) wake() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// done returns how many trades were reported as done.
func (l *ledger) done() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told[done]
}

// faults returns what was reported that must not happen.
func (l *ledger) faults() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.wrong)
}

// underway counts trades that were under way when a stall was killed.
type underway struct {
	before int // its own: nothing was decided, traders were being held still
	after  int // its own: all was decided, and the commit was to be made or told of
	others int // of other stalls, with traders who are at home in this one
}

// visitors counts the trades of other stalls that are under way with traders who
// are at home in this one.
func (l *ledger) visitors(stall string, slot int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		here := slices.ContainsFunc(e.who, func(n int) bool { return n%slots == slot })
		if e.fate == "" && !e.killed && len(e.who) > 1 && e.stall != stall && here {
			n++
		}
	}
	return n
}

// kill notes that a stall was killed and has no more to say, and counts its own
// trades that were under way.
func (l *ledger) kill(stall string) (u underway) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.stall != stall || e.fate != "" {
			continue
		}
		e.killed = true
		switch {
		case len(e.who) == 1:
		case e.runs:
			u.after++
		default:
			u.before++
		}
	}
	return u
}
