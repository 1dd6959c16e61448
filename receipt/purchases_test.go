package receipt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/session"
)

// TestPurchases has a subtest for each way in which purchases have been lost or
// doubled elsewhere, on every engine.
func TestPurchases(t *testing.T) {
	for name, fn := range map[string]func(w *world){
		"aTheSameIDTwiceInSequence":                 sameIDInSequence,
		"aTheSameIDAtOnceOnTwoServers":              sameIDAtOnce,
		"bCrashAfterTheAwardBeforeTheAppend":        crashBeforeAppend,
		"bCrashAfterTheAppendBeforeTheSave":         crashBeforeSave,
		"cCrashAfterTheSaveBeforeTheAnswer":         crashBeforeAnswer,
		"dDeliveredAgainMonthsLater":                deliveredMonthsLater,
		"eNothingOfAHandlerThatFailsStays":          handlerFails,
		"fHandlerSaysItCannotUntilItCan":            handlerDeclines,
		"gPlayerIsAbsent":                           playerAbsent,
		"gPlayerWasNeverThere":                      playerUnknown,
		"gPlayerLeavesDuringTheLoad":                leavesDuringLoad,
		"gPlayerLeavesDuringTheSave":                leavesDuringSave,
		"hLoadErrored":                              loadErrored,
		"iSessionLostDuringTheSave":                 sessionLost,
		"jAnswersLost":                              answersLost,
		"kInMemoryAndNotSaved":                      inMemoryOnly,
		"lSeveralOpenReceiptsInAnyOrder":            severalOpen,
		"mGift":                                     gift,
		"nRefundAfterTheGrant":                      refundAfterGrant,
		"nRefundBeforeTheGrant":                     refundBeforeGrant,
		"nRefundOfAClaimThatWaits":                  refundOfClaim,
		"nRefundThatIsDeclinedWaits":                refundDeclined,
		"nRefundOfAnAwardThatIsOnlyInMemory":        refundOfMemory,
		"oRollbackAfterTheAward":                    rollback,
		"oErasureAfterTheAward":                     erasure,
		"pSaveSlots":                                saveSlots,
		"qOneReceiptForTwoPlayers":                  twoPlayers,
		"qOneReceiptForTwoPlayersAtOnceOnTwoServer": twoPlayersAtOnce,
	} {
		t.Run(name, func(t *testing.T) { onEach(t, fn) })
	}
}

func sameIDInSequence(w *world) {
	h := w.server("a")
	h.load("alice")
	first := h.grant(buy("shop:1", "alice"))
	for range 3 {
		if again := h.grant(buy("shop:1", "alice")); again.Granted != first.Granted {
			w.Errorf("granted again = %+v, want %+v", again.Granted, first.Granted)
		}
	}
	h.has("alice", 10)
	h.shut()
	b := w.server("b")
	if again := b.grant(buy("shop:1", "alice")); again.Granted != first.Granted {
		w.Errorf("granted again elsewhere = %+v, want %+v", again.Granted, first.Granted)
	}
	b.has("alice", 10)
}

func sameIDAtOnce(w *world) {
	w.hub = bus.NewLocal()
	a, b := w.server("a"), w.server("b")
	a.load("alice")
	var all sync.WaitGroup
	for i := range 24 {
		h := []*host{a, b}[i%2]
		all.Go(func() {
			if r, err := h.book.Grant(w.ctx, buy(fmt.Sprintf("shop:%d", i/8), "alice")); err != nil || r.State != receipt.Granted {
				w.Errorf("Grant = %+v, %v, want it granted", r, err)
			}
		})
	}
	all.Wait()
	a.has("alice", 30)
}

// crash has a server die at a step of a grant, and another deliver again.
func crash(w *world, fault faulty.Fault, at func(*faulty.Call) bool) {
	a := w.server("a")
	a.load("alice")
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	caught := a.trap(fault, at)
	answer := a.granting(ctx, buy("shop:1", "alice"))
	w.await("the step at which the server dies", caught)
	a.kill()
	cancel()
	if err := <-answer; err != nil && !errors.Is(err, receipt.ErrNotProcessed) {
		w.Errorf("Grant on the server that dies = %v, want none or ErrNotProcessed", err)
	}
	b := w.server("b")
	b.grant(buy("shop:1", "alice"))
	b.grant(buy("shop:1", "alice"))
	b.has("alice", 10)
}

func crashBeforeAppend(w *world) { crash(w, faulty.Fault{Hold: true}, appends) }

func crashBeforeSave(w *world) {
	crash(w, faulty.Fault{Hold: true}, func(c *faulty.Call) bool { return saves(c) && writes("~receipt/")(c) })
}

func crashBeforeAnswer(w *world) {
	crash(w, faulty.Fault{HoldAnswer: true}, func(c *faulty.Call) bool { return saves(c) && writes("~receipt/")(c) })
}

func deliveredMonthsLater(w *world) {
	a := w.server("a")
	a.load("alice")
	for i := range 40 { // more than any ring of last ids would hold
		a.grant(buy(fmt.Sprintf("shop:%d", i), "alice"))
	}
	a.shut()
	for _, folder := range []string{"done", "mail"} { // what is left of messages goes with the time
		for _, key := range w.keys("player/alice/" + folder + "/") {
			w.put(key, "")
		}
	}
	if !w.real {
		time.Sleep(500 * 24 * time.Hour)
	}
	b := w.server("b")
	b.grant(buy("shop:0", "alice"))
	b.has("alice", 400)
	b.grant(buy("shop:7", "alice"))
	b.has("alice", 400)
}

func handlerFails(w *world) {
	h := w.server("a")
	p := h.load("alice")
	for _, product := range []string{"half", "bomb"} {
		h.refuses(buyOf(product, product, "alice"), receipt.ErrNotProcessed, receipt.ErrDeclined)
	}
	many := buy("many", "alice")
	many.Quantity = 1001 // more coins than the field takes
	h.refuses(many, receipt.ErrNotProcessed, receipt.ErrDeclined)
	if coins.Get(p) != 0 || got.Len(p) != 0 {
		w.Errorf("%d coins and %d awards are left of handlers that failed, want nothing", coins.Get(p), got.Len(p))
	}
	if err := p.Update(func(tx *profile.Tx) error { return bag.Put(tx, "mended", "") }); err != nil {
		w.Fatal(err)
	}
	h.grant(buyOf("half", "half", "alice"))
	h.has("alice", 10)
}

func handlerDeclines(w *world) {
	h := w.server("a")
	p := h.load("alice")
	h.grant(buyOf("sword", "s1", "alice"))
	h.grant(buyOf("sword", "s2", "alice"))
	_, err := h.book.Grant(w.ctx, buyOf("sword", "s3", "alice"))
	var not *receipt.NotProcessedError
	if !errors.As(err, &not) || !not.Recorded || !errors.Is(err, receipt.ErrDeclined) {
		w.Fatalf("Grant with a full bag = %v, want it recorded and declined", err)
	}
	if r, err := h.book.Reader().Receipt(w.ctx, "s3"); err != nil || r.State != receipt.Claimed || r.Player != "alice" {
		w.Errorf("the record = %+v, %v, want alice's claim", r, err)
	}
	if err := p.Update(func(tx *profile.Tx) error { return bag.Delete(tx, "s1") }); err != nil {
		w.Fatal(err)
	}
	h.shut()
	b := w.server("b")
	if p := b.load("alice"); !bag.Has(p, "s3") { // without being delivered again
		w.Error("the sword did not come with the next load, when the bag had room")
	}
	b.grant(buyOf("sword", "s3", "alice"))
}

func playerAbsent(w *world) {
	w.known("alice")
	h := w.server("a")
	h.grant(buy("shop:1", "alice"))
	if !w.real {
		synctest.Wait()
	}
	if _, open := h.Profile("alice"); open && !w.real {
		w.Error("the profile stays open after it was opened for a purchase")
	}
	h.has("alice", 10)
}

func playerUnknown(w *world) {
	h := w.server("a")
	_, err := h.book.Grant(w.ctx, buy("shop:1", "alice"))
	var not *receipt.NotProcessedError
	if !errors.As(err, &not) || not.Recorded || !errors.Is(err, session.ErrNotFound) {
		w.Errorf("Grant for who was never there = %v, want ErrNotFound, and nothing recorded", err)
	}
	if keys := w.keys("~receipt/"); len(keys) > 0 {
		w.Errorf("there are records %q, want none", keys)
	}
	h.load("alice")
	h.grant(buy("shop:1", "alice"))
	h.has("alice", 10)
}

func leavesDuringLoad(w *world) {
	w.known("alice")
	h := w.server("a")
	caught := h.trap(faulty.Fault{Hold: true}, saves)
	loading := make(chan error, 1)
	go func() {
		_, err := h.Open(context.Background(), "alice", nil)
		loading <- err
	}()
	w.await("the lock is committed", caught)
	granted := h.granting(w.ctx, buy("shop:1", "alice"))
	left := make(chan error, 1)
	go func() { left <- h.Leave(context.Background(), "alice") }()
	if err := <-loading; !errors.Is(err, profile.ErrLeft) {
		w.Errorf("Open = %v, want ErrLeft", err)
	}
	h.wake()
	if err := errors.Join(<-left); err != nil {
		w.Errorf("Leave = %v, want none", err)
	}
	if err := <-granted; err != nil && !errors.Is(err, receipt.ErrNotProcessed) {
		w.Errorf("Grant = %v, want it granted or not processed yet", err)
	}
	h.grant(buy("shop:1", "alice"))
	h.has("alice", 10)
}

func leavesDuringSave(w *world) {
	h := w.server("a")
	p := h.load("alice")
	caught := h.trap(faulty.Fault{Hold: true}, saves)
	granted := h.granting(w.ctx, buy("shop:1", "alice"))
	w.await("the save that holds the award", caught)
	left := make(chan error, 1)
	go func() { left <- p.Close(context.Background()) }()
	h.wake()
	if err := <-left; err != nil {
		w.Errorf("Close = %v, want none", err)
	}
	if err := <-granted; err != nil {
		w.Errorf("Grant = %v, want it granted: the award was on disk", err)
	}
	h.has("alice", 10)
}

func loadErrored(w *world) {
	w.known("alice")
	bad := w.serverOf("bad", badPlayer)
	p, err := bad.Open(w.ctx, "alice", nil)
	if err != nil {
		w.Fatal(err)
	}
	if err := p.Update(func(tx *profile.Tx) error { return badCoins.Set(tx, "many") }); err != nil {
		w.Fatal(err)
	}
	if _, err := bad.Close(w.ctx); err != nil {
		w.Fatal(err)
	}
	h := w.server("a")
	if p, err = h.Open(w.ctx, "alice", nil); err != nil || p.Err() == nil {
		w.Fatalf("Open = %v, %v, want an errored profile", p, err)
	}
	h.refuses(buy("shop:1", "alice"), receipt.ErrNotProcessed, profile.ErrErrored)
	if got.Len(p) != 0 {
		w.Error("an errored profile was given something")
	}
	_ = p.Close(w.ctx)
	h.refuses(buy("shop:1", "alice"), receipt.ErrNotProcessed, profile.ErrWrongType)
	w.excused = map[string]bool{"alice": true}
}

func sessionLost(w *world) {
	a, b := w.server("a"), w.server("b")
	p := a.load("alice")
	caught := a.trap(faulty.Fault{Hold: true}, saves)
	granted := a.granting(w.ctx, buy("shop:1", "alice"))
	w.await("the save that holds the award", caught)
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	if _, err := b.Open(ctx, "alice", &profile.OpenOptions{Steal: "test"}); err != nil {
		w.Fatalf("Open with Steal: %v", err)
	}
	a.wake()
	if err := <-granted; err != nil && !errors.Is(err, receipt.ErrNotProcessed) {
		w.Errorf("Grant whose session is lost = %v, want it granted or ErrNotProcessed", err)
	}
	w.await("the end of the session", p.Done())
	b.has("alice", 10) // it was in the journal
	for _, h := range []*host{a, b} {
		h.grant(buy("shop:1", "alice"))
	}
	b.has("alice", 10)
}

func answersLost(w *world) {
	for name, step := range map[string]func(*faulty.Call) bool{"claim": claims, "append": appends, "save": saves} {
		h := w.server("loses " + name)
		h.load("alice")
		h.once(faulty.Fault{Lost: true}, step)
		h.grant(buy("lost:"+name, "alice"))
		h.once(faulty.Fault{Err: faulty.ErrDown}, step)
		h.grant(buy("down:"+name, "alice"))
		h.f.Use()
		h.shut()
	}
	w.server("last").has("alice", 60)
}

func inMemoryOnly(w *world) {
	a := w.server("a")
	a.load("alice")
	caught := a.trap(faulty.Fault{Hold: true}, saves)
	first := a.grant(buy("shop:1", "alice")) // the append is enough
	w.await("the save that holds the award", caught)
	if r, err := a.book.Reader().Receipt(w.ctx, "shop:1"); err != nil || r.State != receipt.Claimed {
		w.Errorf("the record in the database = %+v, %v, want it claimed: the save is held", r, err)
	}
	if again := a.grant(buy("shop:1", "alice")); again.Granted != first.Granted {
		w.Errorf("granted again = %+v, want %+v", again.Granted, first.Granted)
	}
	a.has("alice", 10)
	a.kill()
	b := w.server("b")
	if again := b.grant(buy("shop:1", "alice")); again.Granted != first.Granted {
		w.Errorf("granted again after a crash = %+v, want %+v", again.Granted, first.Granted)
	}
	b.has("alice", 10)
}

func severalOpen(w *world) {
	h := w.server("a")
	p := h.load("alice")
	for _, id := range []string{"s1", "s2"} {
		h.grant(buyOf("sword", id, "alice"))
	}
	waiting := []string{"s5", "s3", "s4"}
	for _, id := range waiting {
		h.refuses(buyOf("sword", id, "alice"), receipt.ErrDeclined)
	}
	h.grant(buy("coins", "alice")) // is not kept from it by those that wait
	for i, id := range []string{"s4", "s5", "s3"} {
		if err := p.Update(func(tx *profile.Tx) error { return bag.Clear(tx) }); err != nil {
			w.Fatal(err)
		}
		if i < 2 { // one more than there are places
			if err := p.Update(func(tx *profile.Tx) error { return bag.Put(tx, "stone", "") }); err != nil {
				w.Fatal(err)
			}
		}
		_, _ = h.book.Grant(w.ctx, buyOf("sword", id, "alice"))
	}
	for _, id := range waiting {
		h.grant(buyOf("sword", id, "alice"))
		if n := got.Get(p, id); n != 1 {
			w.Errorf("%s was granted %d times, want once", id, n)
		}
	}
	h.has("alice", 10)
}

func gift(w *world) {
	w.known("bob")
	h := w.server("a")
	h.load("alice")
	p := buy("shop:1", "bob")
	p.Payer = "alice"
	if r := h.grant(p); r.Payer != "alice" || r.Key != player.Key("bob") {
		w.Errorf("the record = %+v, want bob's, paid by alice", r)
	}
	h.has("bob", 10)
	h.has("alice", 0)
	h.refuses(buy("shop:1", "alice"), receipt.ErrOtherPlayer)
}

// refund refunds what must be refunded.
func (h *host) refund(id string) receipt.Receipt {
	h.w.Helper()
	r, err := h.book.Refund(h.w.ctx, receipt.Purchase{ID: id, Product: "coins"}, "charged back")
	if err != nil || r.State != receipt.Refunded {
		h.w.Fatalf("Refund(%q) = %+v, %v, want it refunded", id, r, err)
	}
	return r
}

func refundAfterGrant(w *world) {
	a, b := w.server("a"), w.server("b")
	a.load("alice")
	a.grant(buy("shop:1", "alice"))
	a.grant(buy("shop:2", "alice"))
	b.refund("shop:1") // while alice is on a
	r := a.refund("shop:1")
	if r.Granted.At.IsZero() || r.Refunded.Reason != "charged back" || r.Refunded.Revision <= r.Granted.Revision {
		w.Errorf("the record = %+v, want it granted, and refunded later for the reason", r)
	}
	a.has("alice", 10)
	a.refuses(buy("shop:1", "alice"), receipt.ErrRefunded)
	a.shut()
	b.refund("shop:1")
	b.refund("shop:2") // while she is offline
	b.refuses(buy("shop:2", "alice"), receipt.ErrRefunded)
	b.has("alice", 0)
}

func refundBeforeGrant(w *world) {
	h := w.server("a")
	h.load("alice")
	if r := h.refund("shop:1"); r.Key != (session.Key{}) || !r.Granted.At.IsZero() {
		w.Errorf("the record = %+v, want it nobody's, and never granted", r)
	}
	h.refund("shop:1")
	h.refuses(buy("shop:1", "alice"), receipt.ErrRefunded)
	if _, err := h.book.Refund(w.ctx, buy("shop:2", "alice"), "charged back"); err != nil {
		w.Errorf("Refund of alice's = %v, want none", err)
	}
	h.refuses(buy("shop:2", "alice"), receipt.ErrRefunded)
	h.refuses(buy("shop:2", "bob"), receipt.ErrOtherPlayer)
	h.has("alice", 0)
}

func refundOfClaim(w *world) {
	w.known("alice")
	shop := w.serverSelling("shop", nil) // it only delivers
	shop.refuses(buy("shop:1", "alice"), receipt.ErrNotProcessed, receipt.ErrUnknownProduct)
	shop.refund("shop:1")
	shop.refuses(buy("shop:1", "alice"), receipt.ErrRefunded)

	// The claim and its refund both wait: the refund is seen before it is granted.
	shop.refuses(buy("shop:2", "alice"), receipt.ErrUnknownProduct)
	shop.shut()
	shop = w.serverSelling("shop", nil)
	ctx, cancel := context.WithCancel(w.ctx)
	caught := shop.trap(faulty.Fault{Hold: true}, saves) // the profile cannot be opened
	done := make(chan error, 1)
	go func() {
		_, err := shop.book.Refund(ctx, buy("shop:2", "alice"), "charged back")
		done <- err
	}()
	w.await("the refund waits", caught)
	shop.kill()
	cancel()
	if err := <-done; !errors.Is(err, receipt.ErrNotProcessed) {
		w.Errorf("Refund = %v, want ErrNotProcessed", err)
	}
	h := w.server("a")
	h.has("alice", 0)
	if r, err := h.book.Reader().Receipt(w.ctx, "shop:2"); err != nil || !r.Granted.At.IsZero() {
		w.Errorf("the record = %+v, %v, want it never granted", r, err)
	}
	h.refund("shop:2")
	h.refuses(buy("shop:2", "alice"), receipt.ErrRefunded)
}

func refundDeclined(w *world) {
	h := w.server("a")
	p := h.load("alice")
	h.grant(buyOf("stubborn", "shop:1", "alice"))
	set := func(n int64) {
		if err := p.Update(func(tx *profile.Tx) error { return coins.Set(tx, n) }); err != nil {
			w.Fatal(err)
		}
	}
	set(3)
	_, err := h.book.Refund(w.ctx, buy("shop:1", "alice"), "")
	var not *receipt.NotProcessedError
	if !errors.As(err, &not) || !not.Recorded || !errors.Is(err, receipt.ErrDeclined) {
		w.Errorf("Refund = %v, want it recorded and declined", err)
	}
	h.grant(buyOf("stubborn", "shop:1", "alice")) // is still what it is
	set(25)
	h.refund("shop:1")
	h.has("alice", 15)
}

func refundOfMemory(w *world) {
	h := w.server("a")
	h.load("alice")
	caught := h.trap(faulty.Fault{Hold: true}, saves)
	h.grant(buy("shop:1", "alice"))
	w.await("the save that holds the award", caught)
	h.refund("shop:1") // the record in the database says that it is only claimed
	h.has("alice", 0)
	h.wake()
	h.refuses(buy("shop:1", "alice"), receipt.ErrRefunded)
}

func rollback(w *world) {
	h := w.server("a")
	p := h.load("alice")
	h.grant(buy("shop:1", "alice"))
	if err := p.Update(func(tx *profile.Tx) error { // the data of before
		return errors.Join(coins.Reset(tx), got.Reset(tx))
	}); err != nil {
		w.Fatal(err)
	}
	w.excused = map[string]bool{"alice": true}
	if err := p.Save(w.ctx); err != nil {
		w.Fatal(err)
	}
	h.grant(buy("shop:1", "alice"))
	h.has("alice", 0)
	h.refund("shop:1")
	h.has("alice", 0)
}

func erasure(w *world) {
	h := w.server("a")
	h.load("alice")
	h.grant(buy("shop:1", "alice"))
	h.shut()
	b := w.server("b")
	if _, err := b.Erase(w.ctx, "alice", &session.EraseOptions{NoWait: true}); err != nil {
		w.Fatal(err)
	}
	b.refuses(buy("shop:2", "alice"), session.ErrErased)
	b.refuses(buy("shop:1", "alice"), receipt.ErrSpent)
	w.erased(b, "alice")
	b.load("alice")
	b.refuses(buy("shop:1", "alice"), receipt.ErrSpent)
	if _, err := b.book.Refund(w.ctx, buy("shop:1", "alice"), ""); !errors.Is(err, receipt.ErrSpent) {
		w.Errorf("Refund of a spent purchase = %v, want ErrSpent", err)
	}
	b.has("alice", 0)
}

func saveSlots(w *world) {
	h := w.server("a")
	p := h.load("alice")
	for i, slot := range []string{"one", "two", "two"} {
		b := buyOf("slot", fmt.Sprint("shop:", i), "alice")
		b.Details = json.RawMessage(`{"slot":"` + slot + `"}`)
		if r := h.grant(b); r.Granted.Into != slot {
			w.Errorf("the record says it went into %q, want %q", r.Granted.Into, slot)
		}
	}
	h.refund("shop:1")
	if slots.Get(p, "one") != 10 || slots.Get(p, "two") != 10 {
		w.Errorf("slots one and two have %d and %d, want 10 and 10", slots.Get(p, "one"), slots.Get(p, "two"))
	}
}

func twoPlayers(w *world) {
	w.known("bob")
	h := w.server("a")
	h.load("alice")
	h.grant(buy("shop:1", "alice"))
	h.refuses(buy("shop:1", "bob"), receipt.ErrOtherPlayer)
	if errors.Is(second(h.book.Grant(w.ctx, buy("shop:1", "bob"))), receipt.ErrNotProcessed) {
		w.Error("another player's purchase is not processed yet, want it refused for good")
	}
	h.has("alice", 10)
	h.has("bob", 0)
}

func second[T any](_ T, err error) error { return err }

func twoPlayersAtOnce(w *world) {
	w.known("alice", "bob")
	hosts := []*host{w.server("a"), w.server("b")}
	var mu sync.Mutex
	granted := make(map[string]bool)
	var all sync.WaitGroup
	for i := range 16 {
		h, who := hosts[i%2], []string{"alice", "bob"}[i/2%2]
		all.Go(func() {
			_, err := h.book.Grant(w.ctx, buy("shop:1", who))
			if err != nil && !errors.Is(err, receipt.ErrOtherPlayer) {
				w.Errorf("Grant for %q = %v, want it granted, or another player's", who, err)
			}
			mu.Lock()
			defer mu.Unlock()
			granted[who] = granted[who] || err == nil
		})
	}
	all.Wait()
	if len(granted) != 2 || granted["alice"] == granted["bob"] {
		w.Errorf("granted = %v, want one of the two", granted)
	}
}
