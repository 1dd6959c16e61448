package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/session"
)

// TestFeedMakesTheRoots plays at random on several servers, some of which die, and
// holds two followers to what the database has in the end: one who follows all the
// time, and one who comes and goes.
func TestFeedMakesTheRoots(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint("Seed", seed), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(w *world) {
				g := &game{world: w, dice: rand.New(rand.NewPCG(seed, 1)), comes: newView(t)}
				for i := range 6 {
					g.keys = append(g.keys, session.Key{Kind: "player", ID: fmt.Sprint(i)})
				}
				for range 3 {
					g.start()
				}
				stays := newView(t)
				all := w.following(func() {
					for range 80 {
						g.step()
					}
					g.settle()
				})
				ordered(t, all)
				for _, c := range all {
					stays.take(c)
				}
				stays.like(w, g.keys...)
				g.visit(1 << 30)
				g.comes.like(w, g.keys...)
				if stays.news < 40 {
					t.Errorf("%d changes in 80 steps, want at least 40", stays.news)
				}
			})
		})
	}
}

// game is a random run.
type game struct {
	*world
	dice  *rand.Rand
	keys  []session.Key
	hosts []host
	born  int
	comes *view
	at    feed.Position
}

func (g *game) start() {
	g.born++
	g.hosts = append(g.hosts, g.server(fmt.Sprint("server", g.born), session.Options{Lease: 2 * time.Second}))
}

func (g *game) host() host { return g.hosts[g.dice.IntN(len(g.hosts))] }

func (g *game) key() session.Key { return g.keys[g.dice.IntN(len(g.keys))] }

func (g *game) step() {
	switch n := g.dice.IntN(20); {
	case n < 9:
		s := g.open(g.host(), g.key())
		g.change(g.dice.IntN(2) == 0, s)
	case n < 11:
		h := g.host()
		i := g.dice.IntN(len(g.keys) - 1)
		g.change(g.dice.IntN(2) == 0, g.open(h, g.keys[i]), g.open(h, g.keys[i+1]))
	case n < 13:
		g.close(g.open(g.host(), g.key()))
	case n < 16:
		g.exchange()
	case n < 17:
		i := g.dice.IntN(len(g.hosts))
		if g.dice.IntN(2) == 0 {
			g.hosts[i].kill()
		} else {
			g.shut(g.hosts[i])
		}
		g.hosts = slices.Delete(g.hosts, i, i+1)
		g.start()
	case n < 18:
		g.visit(g.dice.IntN(12))
	default:
		time.Sleep(time.Duration(g.dice.IntN(int(4 * time.Second))))
	}
	if g.dice.IntN(3) == 0 {
		time.Sleep(time.Duration(g.dice.IntN(int(100 * time.Millisecond))))
	}
}

// change changes sessions at random, as one group, durably or not.
func (g *game) change(durable bool, ss ...*session.Session) {
	g.Helper()
	txs, err := session.BeginAll(ss...)
	if err != nil {
		return // its server was cut off, or it was taken away
	}
	for _, tx := range txs {
		for range 1 + g.dice.IntN(3) {
			g.edit(tx)
		}
	}
	if err := session.Commit(durable, txs...); err != nil {
		g.Fatal(err)
	}
	if durable {
		_ = ss[0].Sync(g.ctx)
	}
}

func (g *game) edit(tx *session.Tx) {
	field := fmt.Sprint("field", g.dice.IntN(3))
	p := document.Field(field)
	if g.dice.IntN(2) == 0 {
		p = document.Element(field, fmt.Sprint("element", g.dice.IntN(3)))
	}
	var err error
	switch g.dice.IntN(4) {
	case 0:
		err = tx.Delete(p, false)
	case 1:
		err = tx.Set(document.Field(field), []byte(`{"element0":0}`), false)
	default:
		err = tx.Set(p, fmt.Append(nil, g.dice.IntN(1000)), false)
	}
	if err != nil && !errors.Is(err, document.ErrNotObject) {
		g.Fatal(err)
	}
}

// exchange changes two players on any servers at once. Now and then one of those
// that hold them dies before he knows.
func (g *game) exchange() {
	a, b := g.host(), g.host()
	i := g.dice.IntN(len(g.keys) - 1)
	s, p := g.open(a, g.keys[i]), g.open(b, g.keys[i+1])
	x := g.swap(a, "traded", fmt.Sprint(g.dice.IntN(1000)), s, p)
	if g.dice.IntN(3) == 0 && a.Server != b.Server {
		b.kill()
		x.adopt(0)
		g.hosts = slices.DeleteFunc(g.hosts, func(h host) bool { return h.Server == b.Server })
		g.start()
		return
	}
	x.adopt(1)
	x.adopt(0)
}

// visit is the second follower's: he stays for so many changes, and goes on where he
// was.
func (g *game) visit(changes int) {
	g.Helper()
	n := 0
	for c, err := range feed.Follow(g.ctx, g.db, g.at, &feed.Options{Drain: true}) {
		if err != nil {
			g.Fatalf("Follow: %v", err)
		}
		g.comes.take(c)
		g.at = c.Position
		if n++; n >= changes {
			return
		}
	}
}

// settle opens every player once more, so that nothing is left that only a root has.
func (g *game) settle() {
	for _, key := range g.keys {
		g.close(g.open(g.hosts[0], key))
	}
}

// skewed is a database whose nodes do not agree about the time: what it tells of a
// moment depends on the entry.
type skewed struct{ driver.DB }

func (s skewed) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	snap, err := s.DB.List(ctx, q)
	for i := range snap.Entries {
		e := &snap.Entries[i]
		off := time.Duration(e.Version[15])*time.Second - 2*time.Minute
		e.Updated.Tick += off
		e.Updated.Wall = e.Updated.Wall.Add(off)
	}
	return snap, err
}

// TestOrderNeedsNoClock shows the order of a player who moves all the time, told by
// a database that knows no time, to a follower who is there.
func TestOrderNeedsNoClock(t *testing.T) {
	bubble(t, func(w *world) {
		hosts := []host{w.server("a", session.Options{}), w.server("b", session.Options{}), w.server("c", session.Options{})}
		w.db = w.store(open{skewed{readOnly{w.drv}}})
		got := w.following(func() {
			for i := range 60 {
				w.set(w.open(hosts[i%3], alice), "n", fmt.Sprint(i), "")
			}
		})
		ordered(t, got)
		if len(got) != 60 {
			t.Errorf("%d changes, want 60", len(got))
		}
	})
}

// between is a database in which something happens after a stream was read.
type between struct {
	driver.DB
	after func(q driver.Query)
}

func (b between) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	snap, err := b.DB.List(ctx, q)
	b.after(q)
	return snap, err
}

// TestChangeBehindTheReader shows that a player who goes from a stream that has just
// been read to one that is about to be read is told in order.
func TestChangeBehindTheReader(t *testing.T) {
	for name, reading := range map[string]int{"InTheFirstPass": 1, "InTheSecondPass": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				a := w.server("a", session.Options{})
				time.Sleep(time.Second)
				b := w.server("b", session.Options{}) // whose stream is read after that of a
				w.set(w.open(b, bob), "n", "1", "")   // so that there is a second pass
				first := "~feed/" + a.LeaseID() + "/"
				w.db = w.store(open{between{readOnly{w.drv}, func(q driver.Query) {
					if q.Prefix != first {
						return
					}
					if reading--; reading == 0 {
						s := w.open(a, alice)
						w.set(s, "n", "2", "")
						w.close(s)
						w.set(w.open(b, alice), "n", "3", "")
					}
				}}})
				w.want(w.following(func() {}), "bob 1 n=1", "alice 1 n=2", "alice 2 n=3")
			})
		})
	}
}

// TestBacklog follows what was written by several servers among which players moved,
// far more than is read at once.
func TestBacklog(t *testing.T) {
	for name, step := range map[string]time.Duration{"WithAClock": time.Millisecond, "WithOneThatStands": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				hosts := []host{w.server("a", session.Options{}), w.server("b", session.Options{}), w.server("c", session.Options{})}
				keys := []session.Key{alice, bob}
				const rounds = 700
				for i := range rounds {
					for j, key := range keys {
						w.set(w.open(hosts[(i/(3+10*j))%3], key), "n", fmt.Sprint(i), "")
					}
					time.Sleep(step)
				}
				w.set(w.open(hosts[0], carol), "n", "1", "")
				changes, _ := w.drain(feed.Position{})
				ordered(t, changes)
				if len(changes) != 2*rounds+1 {
					t.Errorf("%d changes, want %d", len(changes), 2*rounds+1)
				}
				v := newView(t)
				for _, c := range changes {
					v.take(c)
				}
				v.like(w, keys...)
			})
		})
	}
}
