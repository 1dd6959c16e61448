package bazaar_test

import (
	"strings"
	"testing"
)

// scene is three traders, with a deal of each sort.
func scene() (*ledger, []*book) {
	l := newLedger()
	books := make([]*book, 3)
	for n := range books {
		b := &book{Coins: coinsEach, Gems: gemsEach, Goods: make(map[string]bool), Deals: make(map[string]bool)}
		for i := range goodsEach {
			b.Goods[good(n*goodsEach+i)] = true
		}
		books[n] = b
	}
	for name, f := range map[string]fate{"a": done, "b": refused, "c": unknown, "d": unknown, "e": ""} {
		l.entries[name] = &entry{who: []int{0, 1}, runs: true, fate: f}
	}
	for _, name := range []string{"a", "c"} {
		for _, b := range books[:2] {
			b.Deals[name] = true
			b.Count++
		}
	}
	return l, books
}

func TestAuditAcceptsWhatIsRight(t *testing.T) {
	l, books := scene()
	if err := l.audit(books); err != nil {
		t.Errorf("audit = %v", err)
	}
	if there, all := l.happened(books); there != 1 || all != 3 {
		t.Errorf("happened = %d, %d, want 1, 3", there, all)
	}
}

func TestAuditFinds(t *testing.T) {
	for name, c := range map[string]struct {
		want  string
		plant func(l *ledger, books []*book)
	}{
		"CoinsThatCameFromNowhere": {"3001 coins", func(_ *ledger, b []*book) { b[2].Coins++ }},
		"GemsThatWent":             {"599 gems", func(_ *ledger, b []*book) { b[1].Gems-- }},
		"Debts": {"t0 has -1 coins", func(_ *ledger, b []*book) {
			b[1].Coins += b[0].Coins + 1
			b[0].Coins = -1
		}},
		"AGoodThatIsTwice": {"good g0 is at", func(_ *ledger, b []*book) { b[2].Goods["g0"] = true }},
		"AGoodThatIsGone":  {"good g5 is gone", func(_ *ledger, b []*book) { delete(b[2].Goods, "g5") }},
		"AnInventedGood":   {"never existed", func(_ *ledger, b []*book) { b[2].Goods["g6"] = true }},
		"ADoneDealThatIsNotThere": {`deal a ("done"`, func(_ *ledger, b []*book) {
			for _, one := range b[:2] {
				delete(one.Deals, "a")
				one.Count--
			}
		}},
		"ARefusedDealThatIsThere": {`deal b ("refused"`, func(_ *ledger, b []*book) {
			for _, one := range b[:2] {
				one.Deals["b"] = true
				one.Count++
			}
		}},
		"HalfADeal": {"is at 1 of 2", func(_ *ledger, b []*book) {
			b[0].Deals["e"] = true
			b[0].Count++
		}},
		"ADealThatNobodyDecided": {"decided: false", func(l *ledger, _ []*book) { l.entries["c"].runs = false }},
		"ADealThatWasMadeTwice":  {"counts 3", func(_ *ledger, b []*book) { b[0].Count++ }},
		"ADealOfNobody": {"deal z is at 1", func(_ *ledger, b []*book) {
			b[2].Deals["z"] = true
			b[2].Count++
		}},
		"ADealOfStrangers": {"deal a is at 3", func(_ *ledger, b []*book) {
			b[2].Deals["a"] = true
			b[2].Count++
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l, books := scene()
			c.plant(l, books)
			if err := l.audit(books); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("audit = %v, want %q", err, c.want)
			}
		})
	}
}
