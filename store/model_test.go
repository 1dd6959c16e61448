package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/store"
)

// op is one request of a history, on one key. The state of a key is its value,
// or "-".
type op struct {
	name   string
	apply  func(state string) (next, out string)
	run    func(ctx context.Context, s *store.Store, key string) (string, error)
	from   int64 // when it was called
	to     int64 // when it returned; 0 if its outcome is unknown
	out    string
	client int
	key    string
	after  time.Duration // how long its client waits before it
}

func value(e store.Entry, err error) (string, error) {
	if errors.Is(err, store.ErrNotFound) {
		return "-", nil
	}
	return string(e.Value), err
}

func getOp() *op {
	return &op{
		name:  "get",
		apply: func(state string) (string, string) { return state, state },
		run: func(ctx context.Context, s *store.Store, key string) (string, error) {
			return value(s.Get(ctx, key))
		},
	}
}

func setOp(n int) *op {
	v := strconv.Itoa(n)
	return &op{
		name:  "set " + v,
		apply: func(string) (string, string) { return v, v },
		run: func(ctx context.Context, s *store.Store, key string) (string, error) {
			return value(s.Set(ctx, key, []byte(v), nil))
		},
	}
}

func addOp(n int) *op {
	return &op{
		name: fmt.Sprint("add ", n),
		apply: func(state string) (string, string) {
			was, _ := strconv.Atoi(state) // "-" counts as 0
			sum := strconv.Itoa(was + n)
			return sum, sum
		},
		run: func(ctx context.Context, s *store.Store, key string) (string, error) {
			sum, err := s.Add(ctx, key, int64(n))
			return strconv.FormatInt(sum, 10), err
		},
	}
}

func deleteOp() *op {
	return &op{
		name:  "delete",
		apply: func(state string) (string, string) { return "-", state },
		run: func(ctx context.Context, s *store.Store, key string) (string, error) {
			return value(s.Delete(ctx, key))
		},
	}
}

// drawOps draws a history's requests, for some clients and keys.
func drawOps(t *rapid.T) []*op {
	var ops []*op
	for i := range rapid.IntRange(1, 16).Draw(t, "ops") {
		n := 1000 + i
		o := []*op{getOp(), setOp(n), addOp(n), addOp(1), deleteOp()}[rapid.IntRange(0, 4).Draw(t, "op")]
		o.client = rapid.IntRange(0, 3).Draw(t, "client")
		o.key = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
		o.after = time.Duration(rapid.IntRange(0, 60).Draw(t, "after")) * time.Millisecond
		ops = append(ops, o)
	}
	return ops
}

// play runs the requests of each client one after another, on two servers over
// one database that fails, and notes when they began and ended.
func play(t *testing.T, seed uint64, tries int, ops []*op) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		drv := faulty.New(mem.Open())
		n := 0
		late := func(c *faulty.Call) faulty.Fault {
			if n++; c.Op == faulty.Commit && (n+int(seed))%7 == 0 {
				return faulty.Fault{Late: true}
			}
			return faulty.Fault{}
		}
		drv.Use(late, faulty.Random(seed, 0.2, 0.2))
		var servers [2]*store.Store
		for i := range servers {
			db, err := store.New(shape{drv, drv.Info()}, &store.Options{Tries: tries, Pause: time.Millisecond, MaxPause: 50 * time.Millisecond})
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			if servers[i], err = db.Store("players"); err != nil {
				t.Fatalf("Store: %v", err)
			}
		}
		var releaser sync.WaitGroup
		releaser.Go(func() { // commits that come late, come at last
			for ctx.Err() == nil {
				time.Sleep(37 * time.Millisecond)
				drv.ReleaseAll()
			}
		})
		var clock atomic.Int64
		var wg sync.WaitGroup
		for client := range 4 {
			wg.Go(func() {
				for _, o := range ops {
					if o.client != client {
						continue
					}
					time.Sleep(o.after)
					o.from = clock.Add(1)
					out, err := o.run(ctx, servers[client%2], o.key)
					switch {
					case err == nil:
						o.out, o.to = out, clock.Add(1)
					case !errors.Is(err, store.ErrUncertain):
						t.Errorf("%s of %q: %v", o.name, o.key, err)
					}
				}
			})
		}
		wg.Wait()
		stop()
		releaser.Wait()
	})
}

// linearizable reports whether the requests on one key can have happened one
// after another, each between its call and its return. One whose outcome is
// unknown may happen at any time after its call, or never.
func linearizable(ops []*op) bool {
	type point struct {
		done  uint32
		state string
	}
	seen := make(map[point]bool)
	var from func(p point) bool
	from = func(p point) bool {
		if seen[p] {
			return false
		}
		seen[p] = true
		first, left := int64(1<<62), false // the earliest return of those left
		for i, o := range ops {
			if p.done&(1<<i) == 0 && o.to != 0 {
				first, left = min(first, o.to), true
			}
		}
		if !left {
			return true
		}
		for i, o := range ops {
			if p.done&(1<<i) != 0 || o.from > first {
				continue
			}
			next, out := o.apply(p.state)
			if (o.to == 0 || out == o.out) && from(point{p.done | 1<<i, next}) {
				return true
			}
		}
		return false
	}
	return from(point{0, "-"})
}

func checkHistory(t interface{ Fatalf(string, ...any) }, ops []*op) {
	byKey := make(map[string][]*op)
	for _, o := range ops {
		byKey[o.key] = append(byKey[o.key], o)
	}
	for key, list := range byKey {
		if linearizable(list) {
			continue
		}
		text := ""
		for _, o := range list {
			text += fmt.Sprintf("\n client %d: %s = %q from %d to %d", o.client, o.name, o.out, o.from, o.to)
		}
		t.Fatalf("requests on %q happened in no order:%s", key, text)
	}
}

func TestModelIsLinearizable(t *testing.T) {
	for name, tries := range map[string]int{"UntilAnswered": -1, "GivingUp": 2} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				ops := drawOps(rt)
				play(t, rapid.Uint64().Draw(rt, "seed"), tries, ops)
				checkHistory(rt, ops)
			})
		})
	}
	t.Run("CheckerSeesALostAddition", func(t *testing.T) {
		one, two, last := addOp(1), addOp(1), getOp()
		one.from, one.to, one.out = 1, 3, "1"
		two.from, two.to, two.out = 2, 4, "1"
		last.from, last.to, last.out = 5, 6, "1"
		if linearizable([]*op{one, two, last}) {
			t.Error("two additions of 1 that both made 1 were accepted")
		}
		two.out, last.out = "2", "2"
		if !linearizable([]*op{one, two, last}) {
			t.Error("two additions that made 1 and 2 were refused")
		}
	})
}
