package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// What the shop of these tests sells to players.
var (
	gems     = profile.Int("gems", 0, profile.Min(0), profile.Max(100))
	customer = profile.NewSchema("player", gems)
)

// shop is a game server with a book of purchases.
type shop struct {
	*profile.Server
	*receipt.Book
	db *store.DB
	w  *world
}

func (w *world) shop() *shop {
	w.Helper()
	db, err := store.New(kept{w.mem}, nil)
	if err != nil {
		w.Fatal(err)
	}
	srv, err := profile.Open(w.Context(), db, customer, &profile.Options{Session: session.Options{Name: "game"}})
	if err != nil {
		w.Fatal(err)
	}
	book, err := receipt.New(srv, []receipt.Product{{
		Name:   "gems",
		Grant:  func(tx *profile.Tx, a *receipt.Award) error { return gems.Add(tx, 10*a.Quantity) },
		Refund: func(tx *profile.Tx, a *receipt.Award) error { return gems.Add(tx, -10*a.Quantity) },
	}}, nil)
	if err != nil {
		w.Fatal(err)
	}
	s := &shop{srv, book, db, w}
	w.Cleanup(s.close)
	return s
}

func (s *shop) close() {
	_, _ = s.Server.Close(context.Background())
	_ = s.db.Close(context.Background())
}

// sell grants a purchase, or leaves it waiting if it is too much.
func (s *shop) sell(id, who string, n int64) {
	s.w.Helper()
	if _, err := s.Open(s.w.Context(), who, nil); err != nil {
		s.w.Fatal(err)
	}
	_, err := s.Grant(s.w.Context(), receipt.Purchase{ID: id, Product: "gems", Player: who, Quantity: n})
	if err != nil && !errors.Is(err, receipt.ErrDeclined) {
		s.w.Fatal(err)
	}
}

func (s *shop) has(who string, want int64) {
	s.w.Helper()
	p, err := s.Open(s.w.Context(), who, nil)
	if err != nil || gems.Get(p) != want {
		s.w.Errorf("%s has %d gems, %v, want %d", who, gems.Get(p), err, want)
	}
}

func TestReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.shop()
		s.sell("web:1", "ann", 1)
		s.sell("web:2", "ann", 99) // too much
		s.sell("web/3", "bob", 1)
		if _, err := s.Refund(t.Context(), receipt.Purchase{ID: "web:4", Product: "gems"}, "charged back"); err != nil {
			t.Fatal(err)
		}
		s.close()
		w.run("receipts", "player/ann").is(exitOK, "ID     PRODUCT  QUANTITY  PLAYER      STATE", "web:1  gems     1         player/ann  granted", "web:2  gems     99        player/ann  claimed")
		w.run("receipts", "web:1").is(exitOK, "granted")
		w.run("receipts", "list", "web/3", "--id").is(exitOK, "player/bob")
		w.run("receipts", "web:4").is(exitOK, "refunded", "charged back")
		w.run("receipts", "web:5").is(exitNotFound, "web:5")
		w.run("receipts", "player/nobody").is(exitOK, "ID  PRODUCT")
		w.run("receipts").is(exitUsage)
		list := lines[receiptJSON](t, w.ok("receipts", "player/ann", "--json"))
		if len(list) != 2 || list[0].Granted == nil || list[0].Granted.Revision != 1 || list[1].State != receipt.Claimed || list[1].Quantity != 99 {
			t.Errorf("receipts --json = %+v, want one granted and one claimed", list)
		}
	})
	t.Run("ThatCannotBeReadAreShownAsSuch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.shop()
			s.sell("web:1", "ann", 1)
			s.sell("web:2", "ann", 1)
			s.close()
			damaged := driver.Write{Key: "~receipt/web:1", Mode: driver.Always, Value: []byte("{}")}
			if _, err := w.mem.Commit(t.Context(), driver.Group{Batches: []driver.Batch{{ID: driver.Version{1}, Writes: []driver.Write{damaged}}}}); err != nil {
				t.Fatal(err)
			}
			w.run("receipts", "player/ann").is(exitError, "newer format", "web:2  gems", "not everything could be read")
			w.run("receipts", "web:1").is(exitError, "newer format")
		})
	})
}

func TestReceiptsRelease(t *testing.T) {
	t.Run("FreesAClaim", func(t *testing.T) {
		for _, playing := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := w.shop()
				s.sell("web:1", "ann", 99)
				if !playing {
					s.close()
				}
				w.run("receipts", "release", "web:1", "--reason", "wrong player").is(exitOK, "web:1 is released")
				w.run("receipts", "web:1").is(exitOK, "released", "wrong player")
				w.run("receipts", "release", "web:1", "--reason", "again").is(exitError, "claimed by nobody")
				if !playing {
					s = w.shop()
				}
				s.sell("web:1", "bob", 1)
				s.has("bob", 10)
				s.has("ann", 0)
			})
		}
	})
	t.Run("RefusesWhatWasGranted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.shop()
			s.sell("web:1", "ann", 1)
			w.run("receipts", "release", "web:1", "--reason", "test").is(exitError, "was granted")
			w.run("receipts", "release", "web:2", "--reason", "test").is(exitNotFound)
			w.run("receipts", "release", "web:1").is(exitUsage, "reason")
			w.run("receipts", "release", "web:1", "--reason", "").is(exitUsage, "reason")
			w.run("receipts", "release", "web:1", "--reason", strings.Repeat("x", 201)).is(exitUsage, "reason")
			w.run("receipts", "release", "web:1", "--reason", "x", "--wait", "0s").is(exitUsage, "--wait")
			s.has("ann", 10)
		})
	})
}

func TestReceiptsRefund(t *testing.T) {
	t.Run("IsDoneByTheServerThatHoldsThePlayer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.shop()
			s.sell("web:1", "ann", 2)
			w.run("receipts", "refund", "web:1", "--reason", "charged back").is(exitOK, "web:1 is refunded")
			s.has("ann", 0)
			done := lines[receiptActJSON](t, w.ok("receipts", "refund", "web:1", "--reason", "again", "--json"))
			if len(done) != 1 || !done[0].Done || done[0].Receipt.Refunded.Reason != "charged back" {
				t.Errorf("refund of what was refunded = %+v, want it done, for the first reason", done)
			}
		})
	})
	t.Run("WaitsForAGameServerIfThePlayerIsOffline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.shop()
			s.sell("web:1", "ann", 2)
			s.close()
			data := w.ok("get", "player/ann")
			w.run("receipts", "refund", "web:1", "--reason", "charged back").is(exitOK, "not done yet", "unknown product")
			w.run("receipts", "web:1").is(exitOK, "granted")
			w.equal("get after the refund", []byte(w.ok("get", "player/ann")), []byte(data))
			s = w.shop()
			s.has("ann", 0)
			time.Sleep(time.Second)
			w.run("receipts", "web:1").is(exitOK, "refunded", "charged back")
		})
	})
	t.Run("NeedsAPurchaseThatIsKnown", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.run("receipts", "refund", "web:1", "--reason", "x").is(exitNotFound)
		})
	})
}
