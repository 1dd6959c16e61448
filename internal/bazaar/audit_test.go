package bazaar_test

import (
	"errors"
	"fmt"
)

// audit compares what the database holds with what there was at first and with
// what was told of the deals, and returns all that is not as it must be.
func (l *ledger) audit(books []*book) error {
	return errors.Join(auditTotals(books), auditGoods(books), l.auditDeals(books), l.auditStrangers(books))
}

func auditTotals(books []*book) error {
	var coins, gems int64
	var errs []error
	for n, b := range books {
		coins, gems = coins+b.Coins, gems+b.Gems
		if b.Coins < 0 || b.Gems < 0 {
			errs = append(errs, fmt.Errorf("%s has %d coins and %d gems", id(n), b.Coins, b.Gems))
		}
	}
	if want := int64(len(books) * coinsEach); coins != want {
		errs = append(errs, fmt.Errorf("there are %d coins, want %d", coins, want))
	}
	if want := int64(len(books) * gemsEach); gems != want {
		errs = append(errs, fmt.Errorf("there are %d gems, want %d", gems, want))
	}
	return errors.Join(errs...)
}

func auditGoods(books []*book) error {
	var errs []error
	owner := make(map[string]int)
	for n, b := range books {
		for name := range b.Goods {
			if other, twice := owner[name]; twice {
				errs = append(errs, fmt.Errorf("good %s is at %s and at %s", name, id(other), id(n)))
			}
			owner[name] = n
		}
	}
	for i := range len(books) * goodsEach {
		if _, ok := owner[good(i)]; !ok {
			errs = append(errs, fmt.Errorf("good %s is gone", good(i)))
		}
		delete(owner, good(i))
	}
	for name, n := range owner {
		errs = append(errs, fmt.Errorf("good %s of %s never existed", name, id(n)))
	}
	return errors.Join(errs...)
}

// auditDeals looks for every deal at all its traders.
func (l *ledger) auditDeals(books []*book) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for name, e := range l.entries {
		has := 0
		for _, n := range e.who {
			if books[n].Deals[name] {
				has++
			}
		}
		whole := has == 0 || has == len(e.who)
		switch {
		case !whole, e.fate == done && has == 0, e.fate == refused && has > 0, !e.runs && len(e.who) > 1 && has > 0:
			errs = append(errs, fmt.Errorf("deal %s (%q, decided: %t, killed: %t, %s) is at %d of %d", name, e.fate, e.runs, e.killed, e.text, has, len(e.who)))
		}
	}
	return errors.Join(errs...)
}

// auditStrangers looks for deals at traders who were not part of them, and for
// those that were made more than once.
func (l *ledger) auditStrangers(books []*book) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	has := make(map[string]int)
	for n, b := range books {
		if int64(len(b.Deals)) != b.Count {
			errs = append(errs, fmt.Errorf("%s has %d deals and counts %d", id(n), len(b.Deals), b.Count))
		}
		for name := range b.Deals {
			has[name]++
		}
	}
	for name, n := range has {
		if e := l.entries[name]; e == nil || n > len(e.who) {
			errs = append(errs, fmt.Errorf("deal %s is at %d traders whose deal it is not", name, n))
		}
	}
	return errors.Join(errs...)
}

// happened returns how many trades are there whose stall could not tell after all
// was decided, of how many.
func (l *ledger) happened(books []*book) (there, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, e := range l.entries {
		if len(e.who) > 1 && e.runs && e.fate != done && e.fate != refused {
			all++
			if books[e.who[0]].Deals[name] {
				there++
			}
		}
	}
	return there, all
}
