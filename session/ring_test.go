package session_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/session"
)

// line is a bus whose messages a test can lose, double and forge.
type line struct {
	mu     sync.Mutex
	subs   map[string]map[int]func(bus.Message)
	n      int
	copies func(msg []byte) int // of a message; nil: one
}

func newLine() *line { return &line{subs: make(map[string]map[int]func(bus.Message))} }

// PublishSystem implements session.Bus.
func (l *line) PublishSystem(ctx context.Context, topic string, msg []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	copies := 1
	if l.copies != nil {
		copies = l.copies(msg)
	}
	l.mu.Unlock()
	for range copies {
		l.tell(topic, bus.Message{Topic: topic, Data: slices.Clone(msg)})
	}
	return nil
}

// tell calls the subscribers of a topic, on goroutines of their own.
func (l *line) tell(topic string, m bus.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fn := range l.subs[topic] {
		go fn(m)
	}
}

// SubscribeSystem implements session.Bus.
func (l *line) SubscribeSystem(topic string, fn func(bus.Message)) (func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	n := l.n
	if l.subs[topic] == nil {
		l.subs[topic] = make(map[int]func(bus.Message))
	}
	l.subs[topic][n] = fn
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.subs[topic], n)
	}, nil
}

// lose lets messages through that do not hold a text.
func (l *line) lose(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copies = func(msg []byte) int {
		if strings.Contains(string(msg), text) {
			return 0
		}
		return 1
	}
}

func (l *line) double() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.copies = func([]byte) int { return 2 }
}

// topic is where a server listens.
func topic(srv host) string { return bus.SystemPrefix + "lease." + srv.LeaseID() }

// rings are the sessions that a server was rung for.
type rings struct {
	mu   sync.Mutex
	keys []string
}

func (r *rings) rung(s *session.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, s.Key().String())
}

// take returns the keys in order, and forgets them.
func (r *rings) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.keys)
	keys := strings.Join(r.keys, " ")
	r.keys = nil
	return keys
}

func TestRing(t *testing.T) {
	// Server a holds alice, server b holds bob and carol.
	type table struct {
		*world
		a, b   host
		ra, rb *rings
		line   *line
		s      *session.Session
	}
	want := func(w *table, a, b string) {
		w.t.Helper()
		synctest.Wait()
		if got := w.ra.take(); got != a {
			w.t.Errorf("server a was rung for %q, want %q", got, a)
		}
		if got := w.rb.take(); got != b {
			w.t.Errorf("server b was rung for %q, want %q", got, b)
		}
	}
	for _, c := range []struct {
		name  string
		noBus bool
		run   func(w *table)
	}{
		{"ByTheBus", false, func(w *table) {
			w.a.Ring(false, bob, alice, bob)
			want(w, "player/alice", "player/bob")
			if keys := w.keys("~request/"); len(keys) > 0 {
				w.t.Errorf("there are entries as well: %v", keys)
			}
		}},
		{"ByAnEntryWithoutABus", true, func(w *table) {
			w.a.Ring(false, carol, bob)
			time.Sleep(2 * time.Second)
			want(w, "", "player/bob player/carol")
			if keys := w.keys("~request/"); len(keys) > 0 {
				w.t.Errorf("entries are left: %v", keys)
			}
		}},
		{"ByAnEntryIfItInsists", false, func(w *table) {
			w.line.lose(`"ring"`)
			w.a.Ring(false, bob)
			time.Sleep(5 * time.Second)
			want(w, "", "")
			w.a.Ring(true, bob)
			time.Sleep(5 * time.Second)
			want(w, "", "player/bob")
		}},
		{"AllWhenMessagesWereMissed", false, func(w *table) {
			w.line.tell(topic(w.b), bus.Message{Missed: true})
			want(w, "", "player/bob player/carol")
		}},
		{"NobodyForAKeyThatNobodyHolds", true, func(w *table) {
			w.a.Ring(true, session.Key{Kind: "player", ID: "nobody"})
			w.close(w.s)
			w.a.Ring(true, alice)
			time.Sleep(5 * time.Second)
			want(w, "", "")
			if keys := w.keys("~request/"); len(keys) > 0 {
				w.t.Errorf("entries are left: %v", keys)
			}
		}},
		{"NobodyForTheKeyOfADeadServer", true, func(w *table) {
			w.b.kill()
			time.Sleep(time.Minute) // its sessions had nothing in the journal, so their locks stay
			if e := w.entry(leaseKey(w.b)); e.Found() || w.root(bob).Lock == nil {
				w.t.Fatalf("lease found: %v, root %+v; want a lock without a lease", e.Found(), w.root(bob))
			}
			w.a.Ring(true, bob)
			time.Sleep(time.Minute)
			if keys := w.keys("~request/"); len(keys) > 0 {
				w.t.Errorf("entries are left that nobody will ever read: %v", keys)
			}
		}},
		{"WhenTheBusIsForged", false, func(w *table) {
			for _, bad := range []string{`{"ring":"player/nobody"}`, `{"ring":7}`, `{"ring":"%%%"}`, ``} {
				w.line.tell(topic(w.b), bus.Message{Data: []byte(bad)})
			}
			want(w, "", "")
		}},
		{"WhenAMessageHasLanded", false, func(w *table) {
			w.a.f.Use(every(faulty.Fault{Hold: true}, alice.String()))
			w.attach(w.s, "1", message(letter, "hello"), put("player/carol/x", "no message"), message("receipt/8", "no player's"))
			w.sync(w.s)
			want(w, "", "")
			w.a.wake()
			want(w, "", "player/bob")
			w.holds(letter, "hello")
		}},
		{"WhenAMessageToOneselfHasLanded", false, func(w *table) {
			w.attach(w.s, "1", message("player/alice/letter/1", "a note"))
			w.save(w.s)
			want(w, "player/alice", "")
		}},
		{"WhenAMessageHasLandedWithAReplay", false, func(w *table) {
			unsaved(w.a)
			w.attach(w.s, "1", message(letter, "hello"))
			w.sync(w.s)
			w.a.kill()
			w.takeOver(w.b, alice)
			want(w, "", "player/bob")
		}},
		{"WhenAMessageHasLandedWithASettling", false, func(w *table) {
			unsaved(w.a)
			w.attach(w.s, "1", message(letter, "hello"))
			w.sync(w.s)
			w.a.kill()
			time.Sleep(time.Minute)
			w.unlocked(alice, "coins", "1")
			want(w, "", "player/bob")
		}},
		{"NotAfterTheServerHasClosed", false, func(w *table) {
			w.shut(w.a)
			w.a.Ring(true, bob)
			time.Sleep(5 * time.Second)
			want(w, "", "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				x := &table{world: w, ra: &rings{}, rb: &rings{}, line: newLine()}
				oa, ob := &session.Options{Rung: x.ra.rung}, &session.Options{Rung: x.rb.rung}
				if !c.noBus {
					oa.Bus, ob.Bus = x.line, x.line
				}
				x.a, x.b = w.server("a", oa), w.server("b", ob)
				x.s = w.open(x.a, alice)
				w.open(x.b, bob)
				w.open(x.b, carol)
				c.run(x)
			})
		})
	}
}

// Nobody needs to want to be rung.
func TestRingOfAServerThatDoesNotListen(t *testing.T) {
	bubble(t, func(w *world) {
		l := newLine()
		a, b := w.server("a", &session.Options{Bus: l}), w.server("b", &session.Options{Bus: l})
		w.open(b, bob)
		a.Ring(true, bob)
		l.tell(topic(b), bus.Message{Missed: true})
		time.Sleep(5 * time.Second)
		if keys := w.keys("~request/"); len(keys) > 0 {
			t.Errorf("entries are left: %v", keys)
		}
	})
}

// A request that is written when its server has just left would stay for ever, with the
// player's key in it.
func TestRequestsToAServerThatIsGoneDoNotStay(t *testing.T) {
	for _, killed := range []bool{false, true} {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			s := w.open(a, alice)
			w.set(s, "coins", "1")
			w.sync(s)
			b.f.Use(every(faulty.Fault{Hold: true}, "~request/"))
			b.Ring(true, alice)
			time.Sleep(10 * time.Millisecond)
			if len(b.f.Waiting()) != 1 {
				t.Fatalf("%d calls wait, want the ring", len(b.f.Waiting()))
			}
			if killed {
				a.kill()
				time.Sleep(time.Minute) // b settles it
			} else {
				w.shut(a)
			}
			w.put("~request/nonsense", "x") // holds up nothing
			b.f.Use()
			b.f.ReleaseAll()
			time.Sleep(time.Minute)
			if left := w.keys("~request/"); !slices.Equal(left, []string{"~request/nonsense"}) {
				t.Errorf("killed %v: beside what is none, requests to a server that is gone: %q", killed, left)
			}
			w.remove("~request/nonsense")
			w.erase(b, alice)
			all, err := b.Reader().VerifyErased(w.ctx, alice)
			if err != nil || len(all[0].Traces) > 0 {
				t.Errorf("killed %v: of alice, who is erased, there is %+v (%v)", killed, all[0].Traces, err)
			}
		})
	}
}
