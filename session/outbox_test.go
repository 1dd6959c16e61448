package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// What the tests attach: an entry that belongs to alice, and a message to bob.
const (
	receipt = "receipt/7"
	letter  = "player/bob/letter/1"
)

func put(key, value string) driver.Write {
	return driver.Write{Key: key, Mode: driver.Always, Value: []byte(value)}
}

func message(key, value string) driver.Write {
	return driver.Write{Key: key, Mode: driver.Once, Value: []byte(value)}
}

func deletion(key string) driver.Write {
	return driver.Write{Key: key, Mode: driver.Always, Delete: true}
}

// attach makes an update that sets coins, and attaches writes to it.
func attach(s *session.Session, coins string, ws ...driver.Write) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	if coins != "" {
		err = tx.Set(document.Field("coins"), []byte(coins), false)
	}
	for _, w := range ws {
		if err == nil {
			err = tx.Attach(w)
		}
	}
	if err != nil {
		session.Rollback(tx)
		return err
	}
	return session.Commit(false, tx)
}

func (w *world) attach(s *session.Session, coins string, ws ...driver.Write) {
	w.t.Helper()
	if err := attach(s, coins, ws...); err != nil {
		w.t.Fatalf("attach to %v: %v", s.Key(), err)
	}
}

// takeOver opens a key of a server that was killed. Nobody waits for the end of
// its lease, so nobody settles the key before.
func (w *world) takeOver(b host, key session.Key) *session.Session {
	w.t.Helper()
	return w.openWith(b, key, &session.OpenOptions{Steal: "its server is dead"})
}

// holds wants an entry to be there with a value, or absent if that is empty.
func (w *world) holds(key, value string) {
	w.t.Helper()
	if got := string(w.entry(key).Value); got != value {
		w.t.Errorf("entry %q = %q, want %q", key, got, value)
	}
}

// unsaved lets no save of alice reach the database from a server.
func unsaved(a host) { a.f.Use(every(faulty.Fault{Err: faulty.ErrDown}, alice.String())) }

func TestAttachedEntryIsWrittenWithTheSave(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a, b host, s *session.Session)
	}{
		{"AsSoonAsItIsAppended", func(w *world, a, b host, s *session.Session) {
			w.attach(s, "1", put(receipt, "mine"), message(letter, "hello"))
			w.holds(receipt, "")
			w.sync(s)
			time.Sleep(time.Millisecond)
			w.holds(receipt, "mine")
			w.holds(letter, "hello")
			if got, root := w.entry(receipt).Version, w.entry(alice.String()).Version; got != root || root != s.Version() {
				w.t.Errorf("the entry was written by %v, the root by %v, want one commit", got, root)
			}
			if s.Dirty() {
				w.t.Error("the session is dirty after the save")
			}
		}},
		{"AlsoWithoutAChange", func(w *world, a, b host, s *session.Session) {
			w.attach(s, "", message(letter, "hello"))
			if !s.Dirty() || s.Revision() != 1 {
				w.t.Errorf("after an update that only attaches: Dirty = %v, Revision = %d; want true and 1", s.Dirty(), s.Revision())
			}
			w.save(s)
			w.holds(letter, "hello")
		}},
		{"WithTheFinalSave", func(w *world, a, b host, s *session.Session) {
			w.attach(s, "1", put(receipt, "mine"))
			w.close(s)
			w.unlocked(alice, "coins", "1")
			w.holds(receipt, "mine")
		}},
		{"ByAShutdown", func(w *world, a, b host, s *session.Session) {
			w.attach(s, "1", put(receipt, "mine"))
			w.shut(a)
			w.unlocked(alice, "coins", "1")
			w.holds(receipt, "mine")
		}},
		{"ByAHandOver", func(w *world, a, b host, s *session.Session) {
			w.attach(s, "1", put(receipt, "mine"))
			w.want(w.open(b, alice), "coins", "1")
			w.holds(receipt, "mine")
		}},
		{"ByTheNextOneAfterOneThatWasRefused", func(w *world, a, b host, s *session.Session) {
			a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
			w.attach(s, "1", put(receipt, "mine"))
			w.sync(s)
			time.Sleep(time.Second)
			w.holds(receipt, "")
			a.f.Use()
			w.attach(s, "2", put("receipt/8", "too"))
			w.sync(s)
			time.Sleep(time.Millisecond)
			w.holds(receipt, "mine")
			w.holds("receipt/8", "too")
			if got := string(w.root(alice).Data["coins"]); got != "2" {
				w.t.Errorf("stored coins = %s, want 2", got)
			}
		}},
		{"ByAFinalSaveThatWasRefusedBefore", func(w *world, a, b host, s *session.Session) {
			a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
			w.attach(s, "1", put(receipt, "mine"))
			if err := s.Close(w.ctx); !errors.Is(err, driver.ErrReadOnly) {
				w.t.Errorf("Close = %v, want ErrReadOnly", err)
			}
			a.f.Use()
			w.close(s)
			w.holds(receipt, "mine")
			w.unlocked(alice, "coins", "1")
		}},
		{"OnceIfTheAnswerIsLost", func(w *world, a, b host, s *session.Session) {
			a.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
			w.attach(s, "1", message(letter, "hello"))
			w.sync(s)
			time.Sleep(time.Millisecond)
			w.holds(letter, "hello")
			w.remove(letter) // by whoever has read it
			time.Sleep(10 * time.Second)
			w.holds(letter, "")
			w.set(s, "coins", "2")
			w.save(s)
			w.holds(letter, "")
		}},
		{"NotBeforeItIsAppended", func(w *world, a, b host, s *session.Session) {
			w.set(s, "coins", "1")
			w.sync(s)
			w.attach(s, "2", put(receipt, "mine"))
			before := s.Version()
			s.SaveSoon(session.CauseAutosave) // of what was appended
			time.Sleep(time.Millisecond)
			if s.Version() == before || string(w.root(alice).Data["coins"]) != "1" {
				w.t.Errorf("the save of a moment left %+v, want coins 1", w.root(alice))
			}
			w.holds(receipt, "")
			w.sync(s)
			time.Sleep(time.Millisecond)
			w.holds(receipt, "mine")
		}},
		{"NotAfterARollback", func(w *world, a, b host, s *session.Session) {
			tx, err := s.Begin()
			if err != nil {
				w.t.Fatal(err)
			}
			if err := tx.Attach(put(receipt, "mine")); err != nil {
				w.t.Fatal(err)
			}
			session.Rollback(tx)
			if s.Dirty() || s.Revision() != 0 {
				w.t.Errorf("after a rollback: Dirty = %v, Revision = %d; want false and 0", s.Dirty(), s.Revision())
			}
			w.set(s, "coins", "1")
			w.save(s)
			w.holds(receipt, "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
				c.run(w, a, b, w.open(a, alice))
			})
		})
	}
}

func TestCrashKeepsDocumentAndAttachedEntryTogether(t *testing.T) {
	both := func(w *world) {
		w.t.Helper()
		w.holds(receipt, "mine")
		w.holds(letter, "hello")
	}
	appended := func(w *world, a host, s *session.Session) {
		w.t.Helper()
		unsaved(a)
		w.attach(s, "1", put(receipt, "mine"), message(letter, "hello"))
		w.sync(s)
		time.Sleep(time.Second)
		w.holds(receipt, "")
	}
	for _, c := range []struct {
		name string
		run  func(w *world, a, b host, s *session.Session)
	}{
		{"BeforeTheAppend", func(w *world, a, b host, s *session.Session) {
			w.attach(s, "1", put(receipt, "mine"), message(letter, "hello"))
			a.kill()
			w.want(w.open(b, alice), "coins", "")
			time.Sleep(time.Minute)
			w.holds(receipt, "")
			w.holds(letter, "")
		}},
		{"TakenOver", func(w *world, a, b host, s *session.Session) {
			appended(w, a, s)
			a.kill()
			taken := w.takeOver(b, alice)
			w.want(taken, "coins", "1")
			both(w)
			if got := w.entry(receipt).Version; got != taken.Version() {
				w.t.Errorf("the entry was written by %v, the lock by %v, want one commit", got, taken.Version())
			}
			w.remove(letter)
			w.save(taken)
			w.close(taken)
			w.holds(letter, "") // it is written once
		}},
		{"Settled", func(w *world, a, b host, s *session.Session) {
			appended(w, a, s)
			a.kill()
			time.Sleep(time.Minute)
			w.unlocked(alice, "coins", "1")
			both(w)
		}},
		{"SettledByItsOwnServer", func(w *world, a, b host, s *session.Session) {
			appended(w, a, s)
			w.rewrite(alice, func(map[string]any) {}) // a version that the session does not know
			a.f.Use()
			w.lost(s)
			time.Sleep(time.Second)
			w.unlocked(alice, "coins", "1")
			both(w)
		}},
		{"Stolen", func(w *world, a, b host, s *session.Session) {
			appended(w, a, s)
			w.want(w.openWith(b, alice, &session.OpenOptions{Steal: "test"}), "coins", "1")
			both(w)
		}},
		{"SavedAfterAll", func(w *world, a, b host, s *session.Session) {
			unsaved(a)
			w.attach(s, "1", put(receipt, "mine"), message(letter, "hello"))
			w.sync(s)
			a.f.Use(once(faulty.Fault{Lost: true}, writes(alice.String())))
			time.Sleep(5 * time.Second)
			a.kill()
			w.remove(letter)
			w.want(w.open(b, alice), "coins", "1")
			w.holds(letter, "") // the root holds its record, so nothing is replayed
		}},
		{"WithAGroup", func(w *world, a, b host, s *session.Session) {
			unsaved(a)
			other := w.open(a, carol)
			w.attachAll(put(receipt, "mine"), s, other)
			w.sync(other)
			a.kill()
			w.want(w.open(b, carol), "coins", "7")
			w.want(w.open(b, alice), "coins", "7")
			w.holds(receipt, "mine")
		}},
		{"NotWithAGroupThatIsRefused", func(w *world, a, b host, s *session.Session) {
			other := w.open(a, carol)
			w.attachAll(put(receipt, "mine"), s, other)
			w.openWith(b, carol, &session.OpenOptions{Steal: "test"})
			w.lost(s)
			time.Sleep(time.Minute)
			w.unlocked(alice, "coins", "")
			w.holds(receipt, "")
		}},
		{"WithLazyChanges", func(w *world, a, b host, s *session.Session) {
			if err := change(s, true, false, "seen", "1"); err != nil {
				w.t.Fatal(err)
			}
			appended(w, a, s)
			a.kill()
			w.want(w.open(b, alice), "seen", "1")
			both(w)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
				c.run(w, a, b, w.open(a, alice))
			})
		})
	}
}

// attachAll makes one update of several sessions, which sets coins to 7, and
// attaches a write to the first.
func (w *world) attachAll(side driver.Write, ss ...*session.Session) {
	w.t.Helper()
	txs, err := session.BeginAll(ss...)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, tx := range txs {
		if err := tx.Set(document.Field("coins"), []byte("7"), false); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := txs[0].Attach(side); err != nil {
		w.t.Fatal(err)
	}
	if err := session.Commit(false, txs...); err != nil {
		w.t.Fatal(err)
	}
}

// What is attached to a key several times before it is written comes to one
// write: as if each had been written by itself, in order.
func TestLaterWriteOfAKeyWins(t *testing.T) {
	for _, c := range []struct {
		name string
		ws   []driver.Write
		was  string // what is there before
		want string
	}{
		{"PutOverPut", []driver.Write{put(receipt, "1"), put(receipt, "2")}, "", "2"},
		{"PutOverMessage", []driver.Write{message(receipt, "1"), put(receipt, "2")}, "", "2"},
		{"MessageYieldsToPut", []driver.Write{put(receipt, "1"), message(receipt, "2")}, "", "1"},
		{"MessageYieldsToMessage", []driver.Write{message(receipt, "1"), message(receipt, "2")}, "", "1"},
		{"MessageYieldsToWhatIsThere", []driver.Write{message(receipt, "1")}, "0", "0"},
		{"PutReplacesWhatIsThere", []driver.Write{put(receipt, "1")}, "0", "1"},
		{"MessageAfterDeletion", []driver.Write{deletion(receipt), message(receipt, "2")}, "0", "2"},
		{"DeletionAfterPut", []driver.Write{put(receipt, "1"), deletion(receipt)}, "0", ""},
		{"DeletionAfterMessage", []driver.Write{message(receipt, "1"), deletion(receipt)}, "0", ""},
		{"PutAfterDeletion", []driver.Write{deletion(receipt), put(receipt, "1")}, "0", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, run := range laterWrites {
				t.Run(name, func(t *testing.T) {
					bubble(t, func(w *world) {
						if c.was != "" {
							w.put(receipt, c.was)
						}
						run(w, c.ws)
						w.holds(receipt, c.want)
					})
				})
			}
		})
	}
}

// laterWrites bring writes into the database by every road that joins them.
var laterWrites = map[string]func(w *world, ws []driver.Write){
	"InOneUpdate": func(w *world, ws []driver.Write) {
		s := w.open(w.server("a", nil), alice)
		w.attach(s, "1", ws...)
		w.close(s)
	},
	"InOneAppend": func(w *world, ws []driver.Write) {
		s := w.open(w.server("a", nil), alice)
		for _, side := range ws {
			w.attach(s, "1", side)
		}
		w.close(s)
	},
	"InOneSave": func(w *world, ws []driver.Write) {
		a := w.server("a", nil)
		s := w.open(a, alice)
		a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
		for _, side := range ws {
			w.attach(s, "1", side)
			w.sync(s)
			time.Sleep(time.Second)
		}
		a.f.Use()
		w.close(s)
	},
	"DuringASave": func(w *world, ws []driver.Write) {
		a := w.server("a", nil)
		s := w.open(a, alice)
		a.f.Use(once(faulty.Fault{Hold: true}, writes(alice.String())))
		for _, side := range ws {
			w.attach(s, "1", side)
			w.sync(s)
		}
		a.wake()
		w.close(s)
	},
	"InAReplay": func(w *world, ws []driver.Write) {
		a, b := w.server("a", nil), w.server("b", nil)
		s := w.open(a, alice)
		unsaved(a)
		for _, side := range ws {
			w.attach(s, "1", side)
			w.sync(s)
		}
		a.kill()
		w.takeOver(b, alice)
	},
}

// A session that cannot be saved has its whole state appended, and what waits
// for its save with it.
func TestWholeStateCarriesWhatIsAttached(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", &session.Options{JournalBytes: 64 << 10}), w.server("b", nil)
		s := w.open(a, alice)
		unsaved(a)
		tx, err := s.Begin()
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range []driver.Write{put(receipt, "mine"), message(letter, "hello"), put("receipt/8", "no")} {
			if err := tx.Attach(side); err != nil {
				t.Fatal(err)
			}
		}
		tx.Because("a purchase")
		if err := session.Commit(false, tx); err != nil {
			t.Fatal(err)
		}
		w.sync(s)
		first := w.keys("~journal/")[0]
		w.churn(a)
		if e := w.entry(first); e.Found() {
			t.Fatal("the first append is still there; the test shows nothing")
		}
		w.attach(s, "2", deletion("receipt/8"))
		w.sync(s)
		a.kill()
		taken := w.takeOver(b, alice)
		w.want(taken, "coins", "2")
		w.holds(receipt, "mine")
		w.holds(letter, "hello")
		w.holds("receipt/8", "")
		if taken.Revision() != 2 {
			t.Errorf("Revision = %d, want 2", taken.Revision())
		}
		v, err := b.ReadVersion(w.ctx, alice, taken.Version())
		if err != nil || v.Reason != "a purchase" {
			t.Errorf("ReadVersion = %+v, %v; want the reason", v, err)
		}
	})
}

// churn writes some megabytes through a server's journal.
func (w *world) churn(a host) {
	w.t.Helper()
	s := w.open(a, bob)
	for round := range 300 {
		w.set(s, "text", `"`+strings.Repeat("y", 5000)+`"`)
		w.set(s, "round", fmt.Sprint(round))
		time.Sleep(50 * time.Millisecond)
	}
	w.close(s)
}

func TestOutboxIsBounded(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", nil)
		s := w.open(a, alice)
		a.f.Use(every(faulty.Fault{Hold: true}, alice.String()))
		for i := range session.MaxOutbox {
			w.attach(s, "", put(fmt.Sprint("receipt/", i), "x"))
			if i%50 == 0 {
				w.sync(s) // some are in a save, some appended, some in memory
			}
		}
		full := attach(s, "7", put("receipt/one", "x"))
		if !errors.Is(full, session.ErrOutboxFull) {
			t.Errorf("Attach beyond %d entries = %v, want ErrOutboxFull", session.MaxOutbox, full)
		}
		w.want(s, "coins", "")
		a.wake()
		w.save(s)
		w.attach(s, "7", put("receipt/one", "x"))
		w.save(s)
		if n := len(w.keys("receipt/")); n != session.MaxOutbox+1 {
			t.Errorf("%d entries were written, want %d", n, session.MaxOutbox+1)
		}
		big := strings.Repeat("x", session.MaxOutboxBytes-len(receipt))
		if err := attach(s, "", put(receipt, big+"x")); !errors.Is(err, session.ErrOutboxFull) {
			t.Errorf("Attach of a byte more than there may be = %v, want ErrOutboxFull", err)
		}
		w.attach(s, "", put(receipt, big))
		if err := attach(s, "", put("r", "")); !errors.Is(err, session.ErrOutboxFull) {
			t.Errorf("Attach beyond the bytes = %v, want ErrOutboxFull", err)
		}
		w.save(s)
		w.holds(receipt, big)
	})
}

// The largest record that there can be is replayed.
func TestFullOutboxSurvivesACrash(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.server("a", nil), w.server("b", nil)
		s := w.open(a, alice)
		unsaved(a)
		value := strings.Repeat("x", session.MaxOutboxBytes/session.MaxOutbox-20)
		for i := range session.MaxOutbox {
			tx, err := s.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.Attach(put(fmt.Sprintf("receipt/%04d", i), value)); err != nil {
				t.Fatal(err)
			}
			tx.Because(fmt.Sprintf("%03d%s", i, strings.Repeat("ü", session.MaxReason)))
			if err := session.Commit(false, tx); err != nil {
				t.Fatal(err)
			}
		}
		w.sync(s)
		a.kill()
		taken := w.takeOver(b, alice)
		if n := len(w.keys("receipt/")); n != session.MaxOutbox {
			t.Errorf("%d entries were written, want %d", n, session.MaxOutbox)
		}
		v, err := b.ReadVersion(w.ctx, alice, taken.Version())
		if err != nil || !strings.HasPrefix(v.Reason, "000ü") || !strings.Contains(v.Reason, "; 007ü") || strings.Contains(v.Reason, "008ü") {
			t.Errorf("ReadVersion = %+v, %v; want the first eight reasons", v, err)
		}
		if len(v.Reason) > 8*(session.MaxReason+2) {
			t.Errorf("reasons of %d bytes, at most %d each", len(v.Reason), session.MaxReason)
		}
	})
}

func TestAttachRefusesWhatASaveCouldNotWrite(t *testing.T) {
	bubble(t, func(w *world) {
		s := w.open(w.server("a", nil), alice)
		for name, bad := range map[string]driver.Write{
			"Expect":             {Key: receipt, Mode: driver.Expect},
			"UnknownMode":        {Key: receipt, Mode: driver.Once + 1},
			"DeletionOnce":       {Key: receipt, Mode: driver.Once, Delete: true},
			"DeletionWithAValue": {Key: receipt, Mode: driver.Always, Delete: true, Value: []byte{}},
			"Version":            {Key: receipt, Mode: driver.Always, Version: s.Version()},
			"Retention":          {Key: receipt, Mode: driver.Always, Retain: &driver.Retention{}},
			"Mark":               {Key: receipt, Mode: driver.Always, Mark: true},
			"Root":               put(alice.String(), "{}"),
			"NoKey":              put("", "x"),
			"LongKey":            put(strings.Repeat("x", driver.MaxKey+1), "x"),
		} {
			if err := attach(s, "1", bad); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("%s: Attach = %v, want ErrInvalid", name, err)
			}
		}
		w.want(s, "coins", "")
		w.attach(s, "1", put(receipt, ""))
		w.save(s)
		if e := w.entry(receipt); !e.Found() {
			t.Error("an entry without a value was not written")
		}
	})
}

// revision reads the revision that is stored in a root.
func (w *world) revision(key session.Key) uint64 {
	w.t.Helper()
	var r struct{ Revision uint64 }
	if err := json.Unmarshal(w.entry(key.String()).Value, &r); err != nil {
		w.t.Fatal(err)
	}
	return r.Revision
}

func TestRevisionCountsUpdates(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(w *world, a, b host, s *session.Session)
	}{
		{"InMemory", func(w *world, a, b host, s *session.Session) {
			tx, err := s.Begin()
			if err != nil {
				w.t.Fatal(err)
			}
			if got := tx.Revision(); got != 3 {
				w.t.Errorf("Revision of the third update = %d", got)
			}
			if err := session.Commit(false, tx); err != nil { // nothing was changed
				w.t.Fatal(err)
			}
			if err := change(s, true, false, "seen", "1"); err != nil { // lazily
				w.t.Fatal(err)
			}
			if got := s.Revision(); got != 2 {
				w.t.Errorf("Revision = %d, want 2", got)
			}
		}},
		{"OfWhatIsSaved", func(w *world, a, b host, s *session.Session) {
			w.sync(s)
			w.set(s, "coins", "3")
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Millisecond)
			if got := w.revision(alice); got != 2 {
				w.t.Errorf("revision of a root that lacks the third update = %d", got)
			}
			w.save(s)
			if got := w.revision(alice); got != 3 {
				w.t.Errorf("revision of a root that holds three updates = %d", got)
			}
		}},
		{"AcrossATakeOver", func(w *world, a, b host, s *session.Session) {
			w.sync(s)
			w.set(s, "coins", "3") // not appended
			a.kill()
			taken := w.open(b, alice)
			if got := taken.Revision(); got != 2 {
				w.t.Errorf("Revision after a take-over = %d, want 2", got)
			}
			if got := w.revision(alice); got != 2 {
				w.t.Errorf("revision of the root that was taken over = %d, want 2", got)
			}
		}},
		{"AcrossASettling", func(w *world, a, b host, s *session.Session) {
			w.sync(s)
			a.kill()
			time.Sleep(time.Minute)
			if got := w.revision(alice); got != 2 {
				w.t.Errorf("revision of the root that was settled = %d, want 2", got)
			}
		}},
		{"AcrossAHandOver", func(w *world, a, b host, s *session.Session) {
			taken := w.open(b, alice)
			if got := taken.Revision(); got != 2 {
				w.t.Errorf("Revision after a hand-over = %d, want 2", got)
			}
			w.set(taken, "coins", "3")
			w.close(taken)
			if got := w.revision(alice); got != 3 {
				w.t.Errorf("revision = %d, want 3", got)
			}
		}},
		{"ForWhoPeeks", func(w *world, a, b host, s *session.Session) {
			w.sync(s)
			v, err := b.Peek(w.ctx, alice)
			if err != nil || v.Revision != 2 {
				w.t.Errorf("Peek = %+v, %v; want revision 2", v, err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
				s := w.open(a, alice)
				w.set(s, "coins", "1")
				w.set(s, "coins", "2")
				c.run(w, a, b, s)
			})
		})
	}
}

func TestReasonReachesTheHistory(t *testing.T) {
	because := func(w *world, s *session.Session, reasons ...string) {
		w.t.Helper()
		for _, reason := range reasons {
			tx, err := s.Begin()
			if err != nil {
				w.t.Fatal(err)
			}
			if err := tx.Set(document.Field("coins"), fmt.Append(nil, len(reason)), false); err != nil {
				w.t.Fatal(err)
			}
			tx.Because("replaced")
			tx.Because(reason)
			if err := session.Commit(false, tx); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	reason := func(w *world, b host, reason, by string) {
		w.t.Helper()
		v, err := b.ReadVersion(w.ctx, alice, w.entry(alice.String()).Version)
		if err != nil {
			w.t.Fatal(err)
		}
		if v.Reason != reason || v.By != by {
			w.t.Errorf("ReadVersion has reason %q by %q, want %q by %q", v.Reason, v.By, reason, by)
		}
	}
	for _, c := range []struct {
		name string
		run  func(w *world, a, b host, s *session.Session)
	}{
		{"OnceEach", func(w *world, a, b host, s *session.Session) {
			because(w, s, "sold", "bought", "sold")
			w.save(s)
			reason(w, b, "sold; bought", "a")
			w.set(s, "coins", "9")
			w.save(s)
			reason(w, b, "", "")
		}},
		{"NotThatOfWhatIsNotSaved", func(w *world, a, b host, s *session.Session) {
			because(w, s, "sold")
			w.sync(s)
			because(w, s, "bought")
			s.SaveSoon(session.CauseAutosave)
			time.Sleep(time.Millisecond)
			reason(w, b, "sold", "a")
			w.save(s)
			reason(w, b, "bought", "a")
		}},
		{"AfterASaveThatWasRefused", func(w *world, a, b host, s *session.Session) {
			because(w, s, "sold")
			a.f.Use(every(faulty.Fault{Err: driver.ErrReadOnly}, alice.String()))
			if err := s.Save(w.ctx); !errors.Is(err, driver.ErrReadOnly) {
				w.t.Errorf("Save = %v, want ErrReadOnly", err)
			}
			a.f.Use()
			because(w, s, "bought")
			w.close(s)
			reason(w, b, "sold; bought", "a")
		}},
		{"OperatorsGoFirst", func(w *world, a, b host, s *session.Session) {
			because(w, s, "sold")
			s.Mark("edit by hand")
			w.save(s)
			reason(w, b, "edit by hand", "a")
		}},
		{"AcrossATakeOver", func(w *world, a, b host, s *session.Session) {
			because(w, s, "sold")
			w.sync(s)
			a.kill()
			taken := w.takeOver(b, alice)
			reason(w, b, "sold", "b")
			w.set(taken, "coins", "9")
			w.save(taken)
			reason(w, b, "", "")
		}},
		{"AcrossASettling", func(w *world, a, b host, s *session.Session) {
			because(w, s, "sold")
			w.sync(s)
			a.kill()
			time.Sleep(time.Minute)
			reason(w, b, "sold", "b")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
				c.run(w, a, b, w.open(a, alice))
			})
		})
	}
}
