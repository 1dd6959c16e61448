package bazaar_test

import (
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// round is a day of the bazaar.
func (f *fleet) round(s size) {
	f.Helper()
	began := time.Now()
	f.open()
	var hit underway
	for i := range s.kills {
		f.until((i + 1) * s.trades / (s.kills + 1))
		slot := f.dice.IntN(slots)
		hit.add(f.kill(slot))
		f.start(slot)
	}
	f.until(s.trades)
	last := f.dice.IntN(slots)
	hit.add(f.kill(last))
	f.close(f.stalls[(last+1)%slots], f.stalls[(last+2)%slots])
	f.Logf("%d kills hit %d trades before they were decided, %d after that, and %d of others; %d commits went wrong on the wires",
		s.kills+1, hit.before, hit.after, hit.others, f.home.cuts())
	f.Logf("%d trades were done, %d refused, and %d unknown, within %v, %v of processors", f.book.done(), f.book.told[refused], f.book.told[unknown],
		time.Since(began).Round(time.Millisecond), f.worked.Round(time.Millisecond))
	if len(f.book.faults()) > 0 {
		f.fail()
	}
	f.audit()
}

func (u *underway) add(v underway) {
	u.before, u.after, u.others = u.before+v.before, u.after+v.after, u.others+v.others
}

// audit looks at what the database holds, and once more when everybody was opened
// and released by somebody else.
func (f *fleet) audit() {
	f.Helper()
	f.home.quiet(f.T)
	db, err := openStore(f.ctx, f.home.db)
	if err != nil {
		f.Fatal(err)
	}
	first := f.read(db, func(_ int, b *book) error {
		if b.holder != "" && !f.killed[b.holder] {
			return fmt.Errorf("is with %s, who has closed", b.holder)
		}
		return nil
	})
	there, all := f.book.happened(first)
	f.Logf("of %d trades that were decided and whose end nobody told %d have happened", all, there)
	f.visitAll(db, "auditor", func(*profile.Tx, int) error { return nil })
	f.read(db, func(n int, b *book) error {
		if was := first[n].text; b.text != was {
			return fmt.Errorf("is %s, was %s", b.text, was)
		}
		return nil
	})
	f.visitAll(db, "cleaner", func(tx *profile.Tx, _ int) error {
		_ = count.Set(tx, 0)
		return deals.Clear(tx)
	})
	if err := db.Close(f.ctx); err != nil {
		f.Error(err)
	}
}

// read reads all traders and audits them, and looks at each.
func (f *fleet) read(db *store.DB, look func(n int, b *book) error) []*book {
	f.Helper()
	books, err := readBooks(f.ctx, db, f.traders)
	if err != nil {
		f.Fatal(err)
	}
	if err := f.book.audit(books); err != nil {
		f.Error(err)
	}
	for n, b := range books {
		if err := look(n, b); err != nil {
			f.Errorf("%s %v", id(n), err)
		}
	}
	return books
}

// stock gives everybody what he has at first.
func (f *fleet) stock() {
	f.Helper()
	db, err := openStore(f.ctx, f.home.db)
	if err != nil {
		f.Fatal(err)
	}
	f.visitAll(db, "stocker", stock)
	if err := db.Close(f.ctx); err != nil {
		f.Fatal(err)
	}
}
