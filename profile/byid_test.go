package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// peers are servers of one world with a bus in common.
type peers struct {
	*world
	hub    *bus.Local
	links  map[*profile.Server]*peer
	schema *profile.Schema
}

// peer is what a test can cut of one server.
type peer struct {
	db   *faulty.DB
	line *shaky
	bus  *bus.Bus
}

// shaky is a bus whose messages a test can lose and double.
type shaky struct {
	session.Bus

	mu     sync.Mutex
	copies func(topic string, msg []byte) int // of a message that is sent; nil: one
}

func (s *shaky) PublishSystem(ctx context.Context, topic string, msg []byte) error {
	s.mu.Lock()
	n := 1
	if s.copies != nil {
		n = s.copies(topic, msg)
	}
	s.mu.Unlock()
	for range n {
		if err := s.Bus.PublishSystem(ctx, topic, msg); err != nil {
			return err
		}
	}
	return nil
}

func (s *shaky) use(copies func(topic string, msg []byte) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copies = copies
}

func together(w *world) *peers {
	return &peers{w, bus.NewLocal(), make(map[*profile.Server]*peer), player}
}

// start starts a server that is connected to the others.
func (ps *peers) start(name string, o *profile.Options) *profile.Server {
	ps.Helper()
	line, err := ps.hub.Open(nil)
	if err != nil {
		ps.Fatalf("open a bus: %v", err)
	}
	ps.Cleanup(func() { _ = line.Close() })
	var opts profile.Options
	if o != nil {
		opts = *o
	}
	me := &peer{db: faulty.New(open{ps.db}), line: &shaky{Bus: line}, bus: line}
	opts.Session.Bus = me.line
	srv := ps.serverOn(name, me.db, ps.schema, &opts)
	ps.links[srv] = me
	return srv
}

func (ps *peers) three() (a, b, c *profile.Server) {
	return ps.start("a", nil), ps.start("b", nil), ps.start("c", nil)
}

// cut parts a server from the database, and join ends that.
func (ps *peers) cut(srv *profile.Server) {
	ps.links[srv].db.Use(func(*faulty.Call) faulty.Fault { return faulty.Fault{Err: driver.ErrUnavailable} })
}

func (ps *peers) join(srv *profile.Server) { ps.links[srv].db.Use() }

// crash ends a server for everybody else.
func (ps *peers) crash(srv *profile.Server) {
	ps.cut(srv)
	_ = ps.links[srv].bus.Close()
}

// dropping loses the messages of a server that have a text.
func (ps *peers) dropping(srv *profile.Server, text string) {
	ps.links[srv].line.use(func(_ string, msg []byte) int {
		if strings.Contains(string(msg), text) {
			return 0
		}
		return 1
	})
}

// within returns a context that ends after some time of the bubble.
func (w *world) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(w.ctx, d)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) change(srv *profile.Server, id string, o *profile.ChangeOptions, ops ...profile.Op) profile.Changed {
	w.Helper()
	done, err := srv.Change(w.within(time.Minute), id, ops, o)
	if err != nil {
		w.Fatalf("Change of %q by %v = %v", id, srv.Session().Name(), err)
	}
	return done
}

// erase puts a tombstone in place of a player whom nobody has.
func (w *world) erase(id string) {
	w.Helper()
	key := player.Key(id).String()
	birth, err := driver.NewVersion(time.Now(), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		w.Fatal(err)
	}
	value := fmt.Sprintf(`{"format":1,"birth":%q,"erased":true,"revision":0}`, birth)
	_, err = w.db.Commit(w.ctx, driver.Group{Batches: []driver.Batch{{
		ID: birth, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: []byte(value)}},
	}}})
	if err != nil {
		w.Fatalf("write a tombstone: %v", err)
	}
}

var places = []string{"Here", "Elsewhere", "ElsewhereWithoutABus", "Offline"}

// placed runs fn with a server that changes a player, who has 10 coins and is
// somewhere.
func placed(t *testing.T, fn func(w *world, srv *profile.Server)) {
	for _, where := range places {
		t.Run(where, func(t *testing.T) {
			bubble(t, func(w *world) {
				var a, b *profile.Server
				if where == "ElsewhereWithoutABus" {
					a, b = w.server("a", nil), w.server("b", nil)
				} else {
					ps := together(w)
					a, b = ps.start("a", nil), ps.start("b", nil)
				}
				p := w.load(a, "alice")
				w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
				switch where {
				case "Here":
					b = a
				case "Offline":
					w.close(p)
				}
				fn(w, b)
			})
		})
	}
}

func TestChange(t *testing.T) {
	t.Run("ChangesSeveralFieldsAtOnce", func(t *testing.T) {
		placed(t, func(w *world, srv *profile.Server) {
			done := w.change(srv, "alice", &profile.ChangeOptions{Reason: "shop"},
				coins.ExpectAtLeastOp(10), coins.AddOp(5), nick.SetOp("<ali>"), bag.PutOp("sword", Item{Name: "sword"}), kills.AddOp("bears", 2))
			want := profile.Changed{Results: []json.RawMessage{nil, json.RawMessage("15"), nil, nil, json.RawMessage("2")}, Revision: 2}
			if d := cmp.Diff(want, done); d != "" {
				w.Errorf("Change: %s", d)
			}
			c := w.peek(srv, "alice")
			item, ok := bag.Get(c, "sword")
			if coins.Get(c) != 15 || nick.Get(c) != "<ali>" || item.Name != "sword" || !ok || kills.Get(c, "bears") != 2 || c.Revision() != 2 {
				w.Errorf("the player is %s at %d, want all changes at 2", c.JSON(), c.Revision())
			}
		})
	})
	t.Run("OfOneIDHappensOnce", func(t *testing.T) {
		placed(t, func(w *world, srv *profile.Server) {
			first := w.change(srv, "alice", &profile.ChangeOptions{ID: "order 7"}, coins.AddOp(5))
			for range 3 {
				if again := w.change(srv, "alice", &profile.ChangeOptions{ID: "order 7"}, coins.AddOp(5)); cmp.Diff(first, again) != "" {
					w.Errorf("Change of the same id = %s at %d, want what the first returned", again.Results, again.Revision)
				}
			}
			told, err := srv.Changed(w.ctx, "alice", "order 7")
			if err != nil || cmp.Diff(first, told) != "" {
				w.Errorf("Changed = %s at %d, %v, want what the first returned", told.Results, told.Revision, err)
			}
			if got := coins.Get(w.peek(srv, "alice")); got != 15 {
				w.Errorf("coins = %d, want 15", got)
			}
		})
	})
	t.Run("WhoseConditionFailsChangesNothing", func(t *testing.T) {
		for _, id := range []string{"", "with an id"} {
			placed(t, func(w *world, srv *profile.Server) {
				ops := []profile.Op{coins.AddOp(5), nick.ExpectOp("bob")}
				for range 2 {
					_, err := srv.Change(w.ctx, "alice", ops, &profile.ChangeOptions{ID: id})
					var failed *profile.ConditionError
					if !errors.As(err, &failed) {
						w.Fatalf("Change = %v, want a *ConditionError", err)
					}
					want := profile.ConditionError{
						Key: player.Key("alice"), Field: "nick", Condition: "expect", Want: json.RawMessage(`"bob"`), Got: json.RawMessage(`"nobody"`),
					}
					if d := cmp.Diff(want, *failed); d != "" {
						w.Errorf("Change with id %q: %s", id, d)
					}
				}
				if got := coins.Get(w.peek(srv, "alice")); got != 10 {
					w.Errorf("coins = %d, want 10", got)
				}
				for d, err := range srv.DeadLetters(w.ctx, "alice") {
					w.Errorf("there is a dead letter: %v, %v", d, err)
				}
			})
		}
	})
	t.Run("IsRefusedWithTheReason", func(t *testing.T) {
		huge := make([]profile.Op, profile.MaxOps+1)
		for i := range huge {
			huge[i] = coins.AddOp(1)
		}
		placed(t, func(w *world, srv *profile.Server) {
			for _, c := range []struct {
				name  string
				want  error
				field string // of a RefusedError; empty: it is none
				ops   []profile.Op
			}{
				{"Bounds", profile.ErrRange, "coins", []profile.Op{coins.AddOp(-11)}},
				{"Overflow", profile.ErrRange, "coins", []profile.Op{coins.AddOp(math.MaxInt64)}},
				{"UnknownField", profile.ErrUnknownField, "extra", []profile.Op{foreignExtra.SetOp("x")}},
				{"WrongType", profile.ErrWrongType, "coins", []profile.Op{foreignCoins.SetOp("many")}},
				{"TooLong", profile.ErrTooLong, "nick", []profile.Op{nick.SetOp(strings.Repeat("x", 21))}},
				{"TooMany", document.ErrTooLarge, "", huge},
				{"TooLarge", document.ErrTooLarge, "", []profile.Op{blob.SetOp(make([]byte, profile.MaxOpsSize))}},
				{"Empty", document.ErrInvalid, "", []profile.Op{{}}},
			} {
				c.ops = append([]profile.Op{luck.AddOp(1)}, c.ops...)
				_, err := srv.Change(w.ctx, "alice", c.ops, nil)
				var refused *profile.RefusedError
				errors.As(err, &refused)
				switch {
				case !errors.Is(err, c.want):
					w.Errorf("%s: Change = %v, want %v", c.name, err, c.want)
				case (c.field != "") != errors.Is(err, profile.ErrRefused), c.field != "" && refused.Field != c.field:
					w.Errorf("%s: Change = %v, want a *RefusedError of field %q", c.name, err, c.field)
				case errors.Is(err, profile.ErrPending):
					w.Errorf("%s: Change = %v, want no ErrPending", c.name, err)
				}
			}
			if c := w.peek(srv, "alice"); coins.Get(c) != 10 || luck.IsSet(c) {
				w.Errorf("the player is %s, want 10 coins and nothing else", c.JSON())
			}
		})
	})
	t.Run("TellsNoValueThatIsTooLarge", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { _ = blob.Set(tx, make([]byte, 50<<10)) })
			_, err := b.Change(w.ctx, "alice", []profile.Op{blob.ExpectOp(nil)}, nil)
			var failed *profile.ConditionError
			if !errors.As(err, &failed) || !failed.Cut || failed.Got != nil {
				w.Errorf("Change = %.200v, want a *ConditionError that was cut", err)
			}
		})
	})
	t.Run("BeginsAProfileOnlyForWhoeverComes", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			if _, err := a.Change(w.ctx, "new", []profile.Op{coins.AddOp(5)}, nil); !errors.Is(err, session.ErrNotFound) {
				w.Errorf("Change of nobody = %v, want ErrNotFound", err)
			}
			done := w.change(a, "new", &profile.ChangeOptions{Whoever: true}, coins.AddOp(5))
			if string(done.Results[0]) != "505" {
				w.Errorf("Change of whoever comes = %s, want 505", done.Results)
			}
			if got := coins.Get(w.load(b, "new")); got != 505 {
				w.Errorf("coins = %d, want 505", got)
			}
		})
	})
	t.Run("OfWhoWasErasedIsRefused", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			w.erase("gone")
			for _, whoever := range []bool{false, true} {
				_, err := srv.Change(w.ctx, "gone", []profile.Op{coins.AddOp(5)}, &profile.ChangeOptions{Whoever: whoever})
				if !errors.Is(err, session.ErrErased) || errors.Is(err, profile.ErrPending) {
					w.Errorf("Change with whoever %v = %v, want ErrErased", whoever, err)
				}
			}
		})
	})
	t.Run("OfAnErroredProfileIsRefusedHereAndPendingElsewhere", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "many") })
			a, b := w.server("a", nil), w.server("b", nil)
			ops := []profile.Op{luck.SetOp(1)}
			if _, err := b.Change(w.ctx, "1", ops, &profile.ChangeOptions{ID: "x"}); !errors.Is(err, profile.ErrPending) || !errors.Is(err, profile.ErrErrored) {
				w.Errorf("Change of who cannot be loaded = %v, want ErrPending because of ErrErrored", err)
			}
			if p := w.loadAny(a, "1"); p.Err() == nil {
				w.Fatal("the profile is not errored")
			}
			if _, err := a.Change(w.ctx, "1", ops, nil); !errors.Is(err, profile.ErrErrored) {
				w.Errorf("Change of an errored profile = %v, want ErrErrored", err)
			}
		})
	})
	t.Run("RefusesBadArguments", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			w.close(w.load(srv, "alice"))
			ops := []profile.Op{coins.AddOp(1)}
			for name, change := range map[string]func() error{
				"ID": func() error {
					_, err := srv.Change(w.ctx, "alice", ops, &profile.ChangeOptions{ID: strings.Repeat("x", 101)})
					return err
				},
				"Life": func() error { _, err := srv.Change(w.ctx, "alice", ops, &profile.ChangeOptions{Life: -1}); return err },
				"Reason": func() error {
					_, err := srv.Change(w.ctx, "alice", ops, &profile.ChangeOptions{Reason: "\xff"})
					return err
				},
				"Key":     func() error { _, err := srv.Change(w.ctx, "", ops, nil); return err },
				"Changed": func() error { _, err := srv.Changed(w.ctx, "alice", ""); return err },
				"Handle": func() error {
					return srv.Handle("~change", func(*profile.Tx, *profile.Message) (json.RawMessage, error) { return nil, nil })
				},
			} {
				if err := change(); !errors.Is(err, driver.ErrInvalid) {
					w.Errorf("%s: %v, want ErrInvalid", name, err)
				}
			}
			if _, err := srv.Changed(w.ctx, "alice", "never sent"); !errors.Is(err, profile.ErrGone) {
				w.Errorf("Changed of what was never sent = %v, want ErrGone", err)
			}
		})
	})
}

func TestChangeWhileServersFail(t *testing.T) {
	pending := func(w *world, err error) string {
		w.Helper()
		var p *profile.PendingError
		if !errors.As(err, &p) || !errors.Is(err, profile.ErrPending) || !errors.Is(err, context.DeadlineExceeded) {
			w.Fatalf("Change = %v, want a *PendingError because of the deadline", err)
		}
		return p.Message
	}
	t.Run("ASilentOwnerLeavesItPendingAndTheNextMakesItOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			ps.crash(a)
			_, err := b.Change(w.within(time.Second), "alice", []profile.Op{coins.AddOp(5)}, nil)
			id := pending(w, err)
			done, err := c.Changed(w.within(time.Minute), "alice", id)
			if err != nil || string(done.Results[0]) != "15" {
				w.Fatalf("Changed = %s, %v, want 15", done.Results, err)
			}
			again, err := b.Changed(w.within(time.Minute), "alice", id)
			if err != nil || cmp.Diff(done, again) != "" {
				w.Errorf("Changed on another server = %s, %v, want the same", again.Results, err)
			}
			if got := coins.Get(w.peek(b, "alice")); got != 15 {
				w.Errorf("coins = %d, want 15", got)
			}
		})
	})
	t.Run("AnOwnerWhoDiesBeforeHeAnswersHasMadeItOnce", func(t *testing.T) {
		for name, saved := range map[string]bool{"AfterTheAppend": false, "AfterTheSave": true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(w *world) {
					ps := together(w)
					a, b, c := ps.three()
					p := w.load(a, "alice")
					w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
					root := p.Key().String()
					if err := p.Save(w.ctx); err != nil {
						w.Fatal(err)
					}
					ps.dropping(a, `"body"`) // his answers
					ps.links[a].db.Use(func(c *faulty.Call) faulty.Fault {
						saves := c.Op == faulty.Commit && strings.Contains(strings.Join(c.Keys, " "), root)
						if saves && !saved {
							return faulty.Fault{Hold: true}
						}
						return faulty.Fault{}
					})
					asked := make(chan error)
					go func() {
						_, err := b.Change(w.within(20*time.Second), "alice", []profile.Op{coins.AddOp(5)}, &profile.ChangeOptions{ID: "once"})
						asked <- err
					}()
					for coins.Get(w.peek(c, "alice")) != 15 {
						time.Sleep(time.Millisecond)
					}
					ps.crash(a)
					if err := <-asked; err != nil {
						w.Fatalf("Change = %v, want its outcome from who has the player next", err)
					}
					if got := coins.Get(w.load(c, "alice")); got != 15 {
						w.Errorf("coins = %d, want 15", got)
					}
				})
			})
		}
	})
	t.Run("DoubledAndLostMessagesChangeNothing", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 0) })
			for _, srv := range []*profile.Server{a, b} {
				ps.links[srv].line.use(func(string, []byte) int { return rand.IntN(3) })
			}
			for i := range int64(30) {
				if done := w.change(b, "alice", nil, coins.AddOp(1)); string(done.Results[0]) != fmt.Sprint(i+1) {
					w.Fatalf("Change %d = %s", i, done.Results)
				}
			}
		})
	})
	t.Run("ASuspendedOwnerMakesItWhenHeIsTrustedAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			ps.cut(a)
			ps.cut(b) // nobody may seal the other
			time.Sleep(15 * time.Second)
			if !a.Suspended() {
				w.Fatal("the owner is not suspended")
			}
			if _, err := a.Change(w.ctx, "alice", []profile.Op{coins.AddOp(5)}, nil); !errors.Is(err, session.ErrSuspended) {
				w.Errorf("Change on a suspended server = %v, want ErrSuspended", err)
			}
			ps.join(b)
			_, err := b.Change(w.within(100*time.Millisecond), "alice", []profile.Op{coins.AddOp(5)}, nil)
			id := pending(w, err)
			ps.join(a)
			done, err := b.Changed(w.within(time.Minute), "alice", id)
			if err != nil || string(done.Results[0]) != "15" || coins.Get(p) != 15 {
				w.Errorf("Changed = %s, %v, the owner has %d, want 15", done.Results, err, coins.Get(p))
			}
		})
	})
	t.Run("WaitsForAPlayerWhoIsHeldStillForATrade", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "alice")
			w.durable(p, func(tx *profile.Tx) { coins.Set(tx, 10) })
			for i, srv := range []*profile.Server{a, b} {
				announced, err := a.Session().Announce()
				if err != nil {
					w.Fatal(err)
				}
				still, err := p.Session().Freeze(w.ctx, announced)
				if err != nil {
					w.Fatal(err)
				}
				_, err = srv.Change(w.within(time.Second), "alice", []profile.Op{coins.AddOp(5)}, nil)
				id := pending(w, err)
				still.Release()
				done, err := b.Changed(w.within(time.Minute), "alice", id)
				if want := fmt.Sprint(15 + 5*i); err != nil || string(done.Results[0]) != want {
					w.Errorf("Changed = %s, %v, want %s", done.Results, err, want)
				}
			}
		})
	})
	t.Run("WhatMayBeLostWithItsServerIsNotMadeAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			ps.links[a].db.Use(func(*faulty.Call) faulty.Fault { return faulty.Fault{Hold: true} })
			changed := make(chan error)
			go func() {
				_, err := a.Change(w.ctx, "alice", []profile.Op{coins.AddOp(5)}, nil)
				changed <- err
			}()
			synctest.Wait()
			p := w.load(b, "alice") // when the lease has run out
			ps.join(a)
			ps.links[a].db.ReleaseAll()
			if err := <-changed; !errors.Is(err, profile.ErrNotDurable) || !errors.Is(err, session.ErrLost) {
				w.Errorf("Change = %v, want ErrNotDurable because of ErrLost", err)
			}
			time.Sleep(time.Minute)
			if got := coins.Get(p); got != 10 {
				w.Errorf("coins = %d, want 10", got)
			}
		})
	})
	t.Run("WhatWasNotMadeInItsLifeNeverIs", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			ps.crash(a)
			_, err := b.Change(w.within(time.Second), "alice", []profile.Op{coins.AddOp(5)}, &profile.ChangeOptions{Life: 2 * time.Second})
			id := pending(w, err)
			time.Sleep(time.Minute)
			if done, err := b.Changed(w.within(time.Minute), "alice", id); !errors.Is(err, profile.ErrGone) {
				w.Errorf("Changed = %s, %v, want ErrGone", done.Results, err)
			}
			if got := coins.Get(w.load(b, "alice")); got != 10 {
				w.Errorf("coins = %d, want 10", got)
			}
		})
	})
	t.Run("AnAnswerFromTheDatabaseThatIsLostLeavesItPending", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			ps.links[b].db.Use(func(c *faulty.Call) faulty.Fault {
				if c.Op == faulty.Commit && strings.Contains(strings.Join(c.Keys, " "), "/mail/") {
					return faulty.Fault{Lost: true}
				}
				return faulty.Fault{}
			})
			_, err := b.Change(w.within(time.Second), "alice", []profile.Op{coins.AddOp(5)}, nil)
			id := pending(w, err)
			ps.join(b)
			if done, err := b.Changed(w.within(time.Minute), "alice", id); err != nil || string(done.Results[0]) != "15" {
				w.Errorf("Changed = %s, %v, want 15", done.Results, err)
			}
		})
	})
}

func TestChangeByMany(t *testing.T) {
	t.Run("OfOneIDAtOneMomentHappensOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 10) })
			got := make([]profile.Changed, 9)
			var all sync.WaitGroup
			for i := range got {
				all.Go(func() {
					got[i] = w.change([]*profile.Server{a, b, c}[i%3], "alice", &profile.ChangeOptions{ID: "once"}, coins.AddOp(5))
				})
			}
			all.Wait()
			for _, g := range got {
				if string(g.Results[0]) != "15" {
					w.Errorf("Change = %s, want 15", g.Results)
				}
			}
		})
	})
	t.Run("ExpectedValueIsWonByOne", func(t *testing.T) {
		placed(t, func(w *world, srv *profile.Server) {
			other := w.server("other", nil)
			var all sync.WaitGroup
			won := make([]bool, 6)
			for i := range won {
				all.Go(func() {
					_, err := []*profile.Server{srv, other}[i%2].Change(w.within(time.Minute), "alice", []profile.Op{coins.ExpectOp(10), coins.SetOp(int64(100 + i))}, nil)
					if won[i] = err == nil; err != nil && !errors.Is(err, profile.ErrConditionFailed) {
						w.Errorf("Change = %v, want ErrConditionFailed", err)
					}
				})
			}
			all.Wait()
			winners, value := 0, coins.Get(w.peek(srv, "alice"))
			for i, ok := range won {
				if ok {
					winners++
					if value != int64(100+i) {
						w.Errorf("coins = %d, want those of the winner, %d", value, 100+i)
					}
				}
			}
			if winners != 1 {
				w.Errorf("%d of %d have won, want 1", winners, len(won))
			}
		})
	})
	t.Run("ExpectedRevisionIsWonByOne", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 0) })
			var all sync.WaitGroup
			for _, srv := range []*profile.Server{a, b, c} {
				all.Go(func() {
					for made := 0; made < 5; {
						seen := w.peek(srv, "alice")
						_, err := srv.Change(w.within(time.Minute), "alice", []profile.Op{profile.ExpectRevisionOp(seen.Revision()), coins.SetOp(coins.Get(seen) + 1)}, nil)
						switch {
						case err == nil:
							made++
						case !errors.Is(err, profile.ErrConditionFailed):
							w.Errorf("Change = %v", err)
							return
						}
						time.Sleep(time.Duration(rand.IntN(int(100 * time.Millisecond))))
					}
				})
			}
			all.Wait()
			if got := coins.Get(w.peek(a, "alice")); got != 15 {
				w.Errorf("coins = %d, want 15", got)
			}
		})
	})
	t.Run("13IncrementsFromThreeServersAreAllThere", func(t *testing.T) {
		placed(t, func(w *world, srv *profile.Server) {
			servers := []*profile.Server{srv, w.server("second", nil), w.server("third", nil)}
			var all sync.WaitGroup
			for _, s := range servers {
				all.Go(func() {
					for range 20 {
						w.change(s, "alice", nil, coins.AddOp(1))
					}
				})
			}
			all.Wait()
			if got := coins.Get(w.peek(srv, "alice")); got != 70 {
				w.Errorf("coins = %d, want 70", got)
			}
		})
	})
	t.Run("IncrementsWhileThePlayerMovesAreAllThere", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b, c := ps.three()
			w.close(w.load(a, "alice"))
			over := make(chan struct{})
			var moving, all sync.WaitGroup
			moving.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-over:
						return
					case <-time.After(7 * time.Millisecond):
					}
					p := w.load([]*profile.Server{a, b, c}[i%3], "alice")
					if i%5 == 0 {
						w.close(p)
					}
				}
			})
			for _, srv := range []*profile.Server{a, b, c} {
				all.Go(func() {
					for i := range 30 {
						o := &profile.ChangeOptions{}
						if i%2 == 0 {
							o.ID = fmt.Sprint(srv.Session().Name(), i)
						}
						w.change(srv, "alice", o, coins.AddOp(1))
					}
				})
			}
			all.Wait()
			close(over)
			moving.Wait()
			if got := coins.Get(w.load(a, "alice")); got != 590 {
				w.Errorf("coins = %d, want 590", got)
			}
		})
	})
}

func TestFlush(t *testing.T) {
	t.Run("PutsEverythingIntoTheRoot", func(t *testing.T) {
		placed(t, func(w *world, srv *profile.Server) {
			w.change(srv, "alice", nil, coins.AddOp(5))
			if err := srv.Flush(w.within(time.Minute), "alice"); err != nil {
				w.Fatalf("Flush = %v", err)
			}
			if root := w.root("alice"); !strings.Contains(root, `"coins":15`) {
				w.Errorf("the root is %s, want 15 coins in it", root)
			}
		})
	})
	t.Run("PutsWhatIsInMemoryAndLazyIntoTheRoot", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.update(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 11); lazy.Set(tx, 7) })
			if err := b.Flush(w.within(time.Minute), "alice"); err != nil {
				w.Fatalf("Flush = %v", err)
			}
			if root := w.root("alice"); !strings.Contains(root, `"coins":11`) || !strings.Contains(root, `"lazy":7`) {
				w.Errorf("the root is %s, want both changes in it", root)
			}
		})
	})
	t.Run("OfADeadServersPlayerPutsItsJournalIntoTheRoot", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 11) })
			ps.crash(a)
			if err := b.Flush(w.within(time.Second), "alice"); !errors.Is(err, profile.ErrPending) {
				w.Errorf("Flush while the owner may live = %v, want ErrPending", err)
			}
			if err := b.Flush(w.within(time.Minute), "alice"); err != nil {
				w.Errorf("Flush = %v", err)
			}
			if root := w.root("alice"); !strings.Contains(root, `"coins":11`) {
				w.Errorf("the root is %s, want 11 coins in it", root)
			}
		})
	})
	t.Run("ReturnsWhenTheRootIsOnDisk", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			a, b := ps.start("a", nil), ps.start("b", nil)
			w.durable(w.load(a, "alice"), func(tx *profile.Tx) { coins.Set(tx, 11) })
			ps.links[a].db.Use(func(c *faulty.Call) faulty.Fault {
				return faulty.Fault{Hold: c.Op == faulty.Commit && !c.Group.Urgent}
			})
			flushed := make(chan error, 1)
			go func() { flushed <- b.Flush(w.within(time.Minute), "alice") }()
			time.Sleep(time.Second)
			select {
			case err := <-flushed:
				w.Errorf("Flush = %v before the root was saved", err)
				flushed <- err
			default:
			}
			ps.join(a)
			ps.links[a].db.ReleaseAll()
			if err := <-flushed; err != nil {
				w.Errorf("Flush = %v", err)
			}
		})
	})
	t.Run("OfNobodyIsNotFound", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			w.erase("gone")
			for id, want := range map[string]error{"nobody": session.ErrNotFound, "gone": session.ErrErased, "": driver.ErrInvalid} {
				if err := srv.Flush(w.ctx, id); !errors.Is(err, want) {
					w.Errorf("Flush(%q) = %v, want %v", id, err, want)
				}
			}
		})
	})
}

// root returns what is stored under a player's key itself.
func (w *world) root(id string) string {
	w.Helper()
	snap, err := w.db.Read(w.ctx, player.Key(id).String())
	if err != nil {
		w.Fatal(err)
	}
	return string(snap.Entries[0].Value)
}
