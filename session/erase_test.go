package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// buried is a tombstone as people read it.
type buried struct {
	Erased bool
	Sweep  string
}

func (w *world) tombstone(key session.Key) buried {
	w.t.Helper()
	var b buried
	e := w.entry(key.String())
	if err := json.Unmarshal(e.Value, &b); err != nil {
		w.t.Fatalf("root of %v: %v: %q", key, err, e.Value)
	}
	return b
}

// erase erases a key and wants that to come to its end.
func (w *world) erase(srv host, key session.Key) session.Erasure {
	w.t.Helper()
	done, err := srv.Erase(w.ctx, key, &session.EraseOptions{Reason: "asked for"})
	if err != nil || !done.Swept {
		w.t.Fatalf("Erase(%v) = %+v, %v, want it swept", key, done, err)
	}
	return done
}

// gone wants nothing to be left of a key but its tombstone, in any entry.
func (w *world) gone(key session.Key, words ...string) {
	w.t.Helper()
	if b := w.tombstone(key); !b.Erased || b.Sweep != "swept" {
		w.t.Errorf("root of %v is %+v, want a tombstone that is swept", key, b)
	}
	if left := w.keys(key.String() + "/"); left != nil {
		w.t.Errorf("beside %v there is %q, want nothing", key, left)
	}
	versions, err := w.db.Versions(w.ctx, key.String())
	if err != nil || len(versions) != 1 {
		w.t.Errorf("Versions(%v) = %d, %v, want the tombstone's", key, len(versions), err)
	}
	snap, err := w.db.List(w.ctx, driver.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range snap.Entries {
		for _, word := range words {
			if strings.Contains(string(e.Value), word) {
				w.t.Errorf("entry %q still has %q: %.300q", e.Key, word, e.Value)
			}
		}
	}
}

// TestErase shows what becomes of a key that is erased, wherever it is open.
func TestErase(t *testing.T) {
	t.Run("OfflineLeavesATombstone", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			s := w.open(a, alice)
			for i := range 5 {
				w.set(s, "secret", fmt.Sprint(700+i))
				s.Mark("test")
				w.save(s)
			}
			w.close(s)
			w.put("player/alice/slot/1", "secret slot")
			w.put("player/alice/mail/7", "secret mail")
			w.put("player/alice2/mail/7", "another's")
			began := time.Now()
			done := w.erase(a, alice)
			if !done.Existed || done.Before || done.From != nil || done.Deleted != 2 {
				t.Errorf("Erase = %+v, want one that existed, was held by nobody, with 2 entries", done)
			}
			if d := time.Since(began); d < 10*time.Second || d > 11*time.Second {
				t.Errorf("Erase took %v, want about a lease", d)
			}
			time.Sleep(3 * time.Second) // the journal is trimmed
			w.gone(alice, "secret", "70")
			if left := w.keys("~erased/"); left != nil {
				t.Errorf("the list of what is to be swept has %q", left)
			}
			w.holds("player/alice2/mail/7", "another's")
		})
	})
	t.Run("OpenElsewhereEndsThatSession", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			s := w.open(a, alice)
			w.set(s, "coins", "7")
			w.sync(s)
			w.set(s, "coins", "8")
			done := w.erase(b, alice)
			if done.From == nil || done.From.Server != "a" {
				t.Errorf("Erase = %+v, want it to be from a", done)
			}
			lost := w.lost(s)
			if !errors.Is(lost, session.ErrErased) || !strings.Contains(lost.Error(), "asked for") {
				t.Errorf("the session ended with %v, want ErrErased and the reason", lost)
			}
			time.Sleep(5 * time.Second)
			w.gone(alice, "coins", "asked for")
		})
	})
	t.Run("OpenHereEndsTheSessionAtOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			s := w.open(a, alice)
			w.set(s, "coins", "7")
			w.sync(s)
			began := time.Now()
			erased := background(func() error { _, err := a.Erase(w.ctx, alice, nil); return err })
			lost := w.lost(s)
			if !errors.Is(lost, session.ErrErased) || time.Since(began) > 100*time.Millisecond {
				t.Errorf("after %v the session ended with %v, want ErrErased at once", time.Since(began), lost)
			}
			if err := within(w, time.Minute, "Erase", erased); err != nil {
				t.Errorf("Erase: %v", err)
			}
			time.Sleep(5 * time.Second)
			w.gone(alice, "coins")
		})
	})
	t.Run("HeldByADeadServerIsNotReplayed", func(t *testing.T) {
		for _, settled := range []bool{false, true} {
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				s := w.open(a, alice)
				other := w.open(a, carol)
				w.attach(s, "7", put("player/alice/note/1", "mine"), message(letter, "to bob"))
				w.set(other, "coins", "9")
				unsaved(a)
				w.sync(s)
				w.sync(other)
				a.kill()
				if settled {
					time.Sleep(40 * time.Second)
				}
				w.erase(b, alice)
				time.Sleep(40 * time.Second) // its lease is sealed and settled
				w.gone(alice, `"coins":7`, "mine")
				w.unlocked(carol, "coins", "9")
				w.holds(letter, "to bob") // it had left before
				if left := w.keys("~journal/"); left != nil {
					t.Errorf("journals have %q", left)
				}
			})
		}
	})
	t.Run("NeverSeenGetsATombstone", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			if done := w.erase(a, alice); done.Existed || done.Before {
				t.Errorf("Erase = %+v, want one that was never seen", done)
			}
			w.gone(alice)
		})
	})
	t.Run("DamagedGoesToo", func(t *testing.T) {
		for _, value := range []string{`{"format":1,"birth"`, `{"format":1,"birth":"x","data":{"coins":1}}`, "\xff"} {
			bubble(t, func(w *world) {
				a := w.server("a", nil)
				w.put(alice.String(), value)
				if done := w.erase(a, alice); !done.Damaged || !done.Existed {
					t.Errorf("Erase = %+v, want one that is damaged", done)
				}
				w.gone(alice, "coins")
			})
		}
	})
	t.Run("NewerFormatStays", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.put(alice.String(), `{"format":9}`)
			if done, err := a.Erase(w.ctx, alice, nil); !errors.Is(err, driver.ErrFormat) || !done.At.IsZero() {
				t.Errorf("Erase = %+v, %v, want ErrFormat", done, err)
			}
			w.holds(alice.String(), `{"format":9}`)
		})
	})
	t.Run("AgainChangesNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.close(w.open(a, alice))
			first := w.erase(a, alice)
			v := w.entry(alice.String()).Version
			again := w.erase(a, alice)
			if !again.Before || again.Deleted != 0 || !again.At.Equal(first.At) || w.entry(alice.String()).Version != v {
				t.Errorf("Erase again = %+v, want as it was at %v", again, first.At)
			}
		})
	})
	t.Run("RefusesBadInput", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			if _, err := a.Erase(w.ctx, session.Key{}, nil); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Erase of no key = %v", err)
			}
			if _, err := a.Erase(w.ctx, alice, &session.EraseOptions{Reason: strings.Repeat("x", 201)}); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Erase for a long reason = %v", err)
			}
			if e := w.entry(alice.String()); e.Found() {
				t.Errorf("something was written: %+v", e)
			}
		})
	})
}

// TestNothingBringsErasedBack attacks a tombstone by every road on which what it
// replaced could come back.
func TestNothingBringsErasedBack(t *testing.T) {
	t.Run("ASaveThatIsLate", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			s := w.open(a, alice)
			w.attach(s, "7", put("player/alice/note/1", "mine"))
			a.f.Use(once(faulty.Fault{Late: true}, writes(alice.String())))
			_ = background(func() error { return s.Save(w.ctx) })
			w.erase(b, alice)
			a.f.ReleaseAll()
			w.lost(s)
			w.gone(alice, "mine")
		})
	})
	t.Run("AnOwnerThatWasPaused", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			s := w.open(a, alice)
			w.attach(s, "7", put("player/alice/note/1", "mine"))
			a.pause()
			w.erase(b, alice)
			fresh := w.open(b, alice)
			w.set(fresh, "coins", "1")
			w.close(fresh)
			a.wake()
			if lost := w.lost(s); lost == nil {
				t.Error("the session goes on")
			}
			w.unlocked(alice, "coins", "1")
			if left := w.keys("player/alice/"); left != nil {
				t.Errorf("beside the new alice there is %q", left)
			}
		})
	})
	t.Run("ASweepThatIsLate", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.close(w.open(a, alice))
			w.put("player/alice/slot/1", "old")
			a.f.Use(once(faulty.Fault{Late: true}, writes("player/alice/slot/")))
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			_, err := a.Erase(ctx, alice, nil)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Erase = %v, want the end of its context", err)
			}
			w.erase(b, alice)
			s := w.open(b, alice)
			w.attach(s, "1", put("player/alice/slot/1", "new"))
			w.close(s)
			a.f.Use()
			a.f.ReleaseAll()
			time.Sleep(time.Minute)
			w.holds("player/alice/slot/1", "new")
		})
	})
	t.Run("AnEntryThatComesLate", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.close(w.open(a, alice))
			erased := background(func() error { _, err := a.Erase(w.ctx, alice, nil); return err })
			if b := w.tombstone(alice); b.Sweep != "quiet" {
				t.Fatalf("the tombstone is %+v, want it quiet", b)
			}
			time.Sleep(5 * time.Second)
			w.put("player/alice/mail/late", "x")
			time.Sleep(6 * time.Second) // a lease after it was quiet, and not after the last deletion
			pending(w, "Erase", erased)
			if left := w.keys("player/alice/"); left != nil {
				t.Errorf("beside alice there is %q", left)
			}
			if err := within(w, 10*time.Second, "Erase", erased); err != nil {
				t.Error(err)
			}
			w.gone(alice)
		})
	})
	t.Run("AnEntryThatComesLateAndTwoSweep", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			w.close(w.open(a, alice))
			time.Sleep(3 * time.Second) // so that what they do by themselves once a lease is at another time
			if _, err := a.Erase(w.ctx, alice, &session.EraseOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10*time.Second - time.Millisecond)
			w.put("player/alice/mail/late", "x")
			a.f.Use(func(c *faulty.Call) faulty.Fault {
				return faulty.Fault{Hold: c.Op == faulty.Commit && slices.Contains(c.Keys, "player/alice")}
			})
			time.Sleep(2 * time.Millisecond)
			first := background(func() error { _, err := a.Erase(w.ctx, alice, nil); return err })
			pending(w, "Erase", first) // it has found the entry, and notes that now
			second := background(func() error { _, err := b.Erase(w.ctx, alice, nil); return err })
			time.Sleep(9 * time.Second)
			pending(w, "the other's Erase", second) // it is no lease since the deletion
			a.f.Use()
			a.f.ReleaseAll()
			for _, erased := range []<-chan error{first, second} {
				if err := within(w, 10*time.Second, "Erase", erased); err != nil {
					t.Error(err)
				}
			}
			w.gone(alice)
		})
	})
	t.Run("AnEntryThatComesAfterTheSweep", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			w.erase(a, alice)
			w.put("player/alice/mail/late", "x")
			var erased *session.ErasedError
			if s, err := a.Open(w.ctx, alice, nil); !errors.As(err, &erased) || erased.Swept {
				t.Fatalf("Open = %v, %v, want an ErasedError that is not swept", s, err)
			}
			time.Sleep(40 * time.Second) // the server goes on with it by itself
			w.gone(alice)
			if s := w.open(a, alice); !s.Fresh() {
				t.Error("the new alice is not fresh")
			}
		})
	})
	t.Run("AnOpeningThatIsLate", func(t *testing.T) {
		for _, key := range []session.Key{alice, bob} { // bob never was
			bubble(t, func(w *world) {
				a, b := w.server("a", nil), w.server("b", nil)
				if key == alice {
					s := w.open(b, key)
					w.set(s, "coins", "7")
					w.close(s)
				}
				a.f.Use(once(faulty.Fault{Late: true}, writes(key.String())))
				opened := w.opening(w.ctx, a, key)
				w.erase(b, key)
				a.f.ReleaseAll()
				o := within(w, time.Minute, "Open", opened)
				if o.err == nil && !o.s.Fresh() {
					t.Error("an opening from before the erasure has what was erased")
				}
				if o.err == nil {
					w.close(o.s)
				}
			})
		}
	})
	t.Run("AnExchangeUnderWay", func(t *testing.T) {
		for _, first := range []string{"exchange", "erasure"} {
			t.Run(first+" first", func(t *testing.T) {
				bubble(t, func(w *world) {
					a, b := w.server("a", nil), w.server("b", nil)
					sa, sb := w.open(a, alice), w.open(b, bob)
					w.set(sa, "coins", "7")
					w.set(sb, "coins", "1")
					announced, err := b.Announce()
					if err != nil {
						t.Fatal(err)
					}
					fa, fb := w.freeze(sa, announced), w.freeze(sb, announced)
					stills, err := b.ReadStill(w.ctx, []session.Key{alice, bob}, []driver.Version{fa.Version(), fb.Version()})
					if err != nil {
						t.Fatal(err)
					}
					setIn(t, stills[0], "coins", "0")
					setIn(t, stills[1], "coins", "8")
					if first == "erasure" {
						_ = background(func() error { _, err := b.Erase(w.ctx, alice, nil); return err })
					}
					err = b.Exchange(w.ctx, announced, stills, "test")
					if refused := errors.Is(err, store.ErrConflict); refused != (first == "erasure") {
						t.Errorf("Exchange = %v", err)
					}
					if first == "exchange" {
						_ = background(func() error { _, err := b.Erase(w.ctx, alice, nil); return err })
					}
					if _, _, err := fa.Settle(w.ctx); !errors.Is(err, session.ErrErased) {
						t.Errorf("Settle of the erased = %v, want ErrErased", err)
					}
					if _, happened, err := fb.Settle(w.ctx); err != nil || happened != (first == "exchange") {
						t.Errorf("Settle of the other = %v, %v", happened, err)
					}
					time.Sleep(40 * time.Second)
					w.gone(alice)
				})
			})
		}
	})
	t.Run("AGroupWithOthers", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", &session.Options{AppendEvery: 10 * time.Second}), w.server("b", nil)
			sa, sb := w.open(a, alice), w.open(a, bob)
			w.setAll("coins", "5", sa, sb) // in no journal yet
			w.erase(b, alice)
			w.lost(sa)
			w.lost(sb) // its memory holds what never happened
			time.Sleep(time.Minute)
			w.gone(alice)
			if r := w.root(bob); r.Lock != nil || r.Data["coins"] != nil {
				t.Errorf("root of bob is %+v, want it unlocked and without the half of a group", r)
			}
		})
	})
	t.Run("TheHistory", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			s := w.open(a, alice)
			w.set(s, "coins", "7")
			s.Mark("test")
			w.save(s)
			v := s.Version()
			w.close(s)
			w.erase(a, alice)
			if _, err := a.ReadVersion(w.ctx, alice, v); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("ReadVersion of what was erased = %v, want ErrNotFound", err)
			}
			fresh := w.open(a, alice)
			w.close(fresh)
			for _, info := range w.versionsOf(a, alice) {
				if view, err := a.ReadVersion(w.ctx, alice, info.Version); err != nil || view.Document.Len() != 0 {
					t.Errorf("version %v of the new alice is %+v, %v", info.Version, view, err)
				}
			}
		})
	})
}

// TestErasureIsResumed shows that an erasure which was cut off at any step is brought
// to its end, by the same command or by any server.
func TestErasureIsResumed(t *testing.T) {
	build := func(w *world, a host) {
		s := w.open(a, alice)
		w.set(s, "coins", "7")
		w.save(s)
		w.close(s)
		for i := range 600 {
			w.put(fmt.Sprintf("player/alice/slot/%03d", i), "secret")
		}
		index, err := session.IndexValue([]byte(`{"left":1}`))
		if err != nil {
			w.t.Fatal(err)
		}
		w.put("~thing/1", "secret")
		w.put(session.IndexKey(alice, "~thing/1"), string(index))
	}
	for n := 1; n <= 8; n++ {
		for _, who := range []string{"the command again", "another server"} {
			t.Run(fmt.Sprintf("cut after %d commits, by %s", n, who), func(t *testing.T) {
				bubble(t, func(w *world) {
					a, b := w.server("a", nil), w.server("b", nil)
					build(w, b)
					var steps atomic.Int32
					a.f.Use(func(c *faulty.Call) faulty.Fault {
						if c.Op == faulty.Commit && (writes("player/alice")(c) || writes("~erased")(c)) {
							if steps.Add(1) >= int32(n) {
								return faulty.Fault{Err: faulty.ErrDown}
							}
						}
						return faulty.Fault{}
					})
					ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
					_, _ = a.Erase(ctx, alice, nil) // another server may go on with it meanwhile
					cancel()
					if got := steps.Load(); got < int32(n) && n <= 4 {
						t.Errorf("it was not cut off: there were %d commits", got)
					}
					a.kill()
					if who == "another server" && n > 1 {
						time.Sleep(2 * time.Minute)
					} else {
						w.erase(b, alice)
						time.Sleep(time.Minute)
					}
					w.gone(alice, "secret", "coins")
					w.holds("~thing/1", `{"left":1}`)
				})
			})
		}
	}
}

// TestTwoErasures has two servers erase one key at a time, with answers that are lost.
func TestTwoErasures(t *testing.T) {
	for seed := range uint64(20) {
		bubble(t, func(w *world) {
			a, b, c := w.server("a", nil), w.server("b", nil), w.server("c", nil)
			s := w.open(c, alice)
			w.set(s, "coins", "7")
			w.sync(s)
			for i := range 300 {
				w.put(fmt.Sprintf("player/alice/slot/%03d", i), "secret")
			}
			var ends []<-chan error
			for i, srv := range []host{a, b} {
				srv.f.Use(faulty.Random(2*seed+uint64(i), 0.1, 0.1))
				ends = append(ends, background(func() error { _, err := srv.Erase(w.ctx, alice, nil); return err }))
			}
			for _, end := range ends {
				if err := within(w, 5*time.Minute, "Erase", end); err != nil {
					t.Errorf("seed %d: Erase: %v", seed, err)
				}
			}
			w.lost(s)
			time.Sleep(time.Minute)
			w.gone(alice, "secret", "coins")
		})
	}
}

// TestBirthAfterErasure shows when a new document may begin under an erased key.
func TestBirthAfterErasure(t *testing.T) {
	t.Run("WaitsForTheSweep", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", nil)
			s := w.open(a, alice)
			birth := s.Birth()
			w.close(s)
			done, err := a.Erase(w.ctx, alice, &session.EraseOptions{NoWait: true})
			if err != nil || done.Swept || done.At.IsZero() {
				t.Fatalf("Erase without waiting = %+v, %v", done, err)
			}
			var erased *session.ErasedError
			if _, err := a.Open(w.ctx, alice, nil); !errors.As(err, &erased) || erased.Swept || !errors.Is(err, session.ErrErased) {
				t.Errorf("Open of what is being swept = %v", err)
			}
			time.Sleep(30 * time.Second)
			if _, err := a.Open(w.ctx, alice, &session.OpenOptions{MustExist: true}); !errors.As(err, &erased) || !erased.Swept {
				t.Errorf("Open that must exist = %v, want an ErasedError that is swept", err)
			}
			if _, err := a.Peek(w.ctx, alice); !errors.As(err, &erased) || !erased.Swept {
				t.Errorf("Peek = %v, want an ErasedError that is swept", err)
			}
			fresh := w.open(a, alice)
			if fresh.Birth() == birth || !fresh.Fresh() || fresh.Revision() != 0 {
				t.Errorf("the new alice: birth %v, fresh %v, revision %d", fresh.Birth(), fresh.Fresh(), fresh.Revision())
			}
			w.set(fresh, "coins", "1")
			w.close(fresh)
			w.unlocked(alice, "coins", "1")
			done = w.erase(a, alice)
			if done.Before || !done.Existed {
				t.Errorf("Erase of the new alice = %+v", done)
			}
		})
	})
	t.Run("LeaseOfTheLongest", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.server("a", &session.Options{Lease: 2 * time.Second})
			w.server("b", &session.Options{Lease: time.Minute})
			began := time.Now()
			w.erase(a, alice)
			if d := time.Since(began); d < time.Minute {
				t.Errorf("Erase took %v, want the lease of the server that has the longest", d)
			}
		})
	})
}

// TestVerifyErased shows that a verification finds everything that there can be.
func TestVerifyErased(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.server("a", &session.Options{Feed: time.Minute})
		verify := func(key session.Key) []session.Trace {
			t.Helper()
			vs, err := a.Reader().VerifyErased(w.ctx, bob, key)
			if err != nil {
				t.Fatal(err)
			}
			return vs[1].Traces
		}
		sorts := func(ts []session.Trace) (all []session.Remains) {
			for _, tr := range ts {
				if !slices.Contains(all, tr.Where) {
					all = append(all, tr.Where)
				}
			}
			return all
		}
		s := w.open(a, alice)
		w.set(s, "coins", "7")
		s.Mark("test")
		w.save(s)
		w.set(s, "coins", "8")
		w.sync(s)
		w.put("player/alice/mail/1", "x")
		w.put("~thing/1", `{"owner":"player/alice"}`)
		named, err := a.DB().Store("guilds")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := named.Set(w.ctx, "g1", []byte("x"), &store.WriteOptions{Users: []string{"alice"}}); err != nil {
			t.Fatal(err)
		}
		all := []session.Remains{
			session.RemainsRoot, session.RemainsHistory, session.RemainsBeside, session.RemainsFeed, session.RemainsJournal,
			session.RemainsTagged, session.RemainsNamed,
		}
		if got := sorts(verify(alice)); !slices.Equal(got, all) {
			t.Errorf("before the erasure there are %q, want %q", got, all)
		}
		w.erase(a, alice)
		time.Sleep(3 * time.Second)
		ts := verify(alice)
		want := []session.Remains{session.RemainsFeed, session.RemainsTagged, session.RemainsNamed}
		if got := sorts(ts); !slices.Equal(got, want) {
			t.Errorf("after it there are %q, want what nothing says is alice's: %q", got, want)
		}
		for _, tr := range ts {
			if tr.Where == session.RemainsFeed && (tr.Until.Before(time.Now()) || tr.Until.After(time.Now().Add(time.Minute))) {
				t.Errorf("the feed has it until %v, now is %v", tr.Until, time.Now())
			}
		}
		w.remove("~thing/1")
		if err := named.Purge(w.ctx, "g1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if ts := verify(alice); len(ts) != 0 {
			t.Errorf("in the end there is %+v, want nothing", ts)
		}
	})
}

func (w *world) versionsOf(srv host, key session.Key) []session.VersionInfo {
	w.t.Helper()
	list, err := srv.Reader().Versions(w.ctx, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) freeze(s *session.Session, announced driver.Version) *session.Frozen {
	w.t.Helper()
	f, err := s.Freeze(w.ctx, announced)
	if err != nil {
		w.t.Fatalf("Freeze(%v): %v", s.Key(), err)
	}
	w.t.Cleanup(f.Release)
	synctest.Wait()
	return f
}

func setIn(t *testing.T, st *session.Still, field, value string) {
	t.Helper()
	if _, err := st.Document.Set(document.Field(field), []byte(value)); err != nil {
		t.Fatal(err)
	}
}
