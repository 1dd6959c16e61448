package store_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

// call is a call in full: what is in it, and in which order.
func call(c *faulty.Call) string {
	s := fmt.Sprint(c.Op, c.Keys, c.Group.Urgent)
	for _, b := range c.Group.Batches {
		s += " " + b.ID.String()
	}
	return s
}

// fate decides what goes wrong with a call, by what is in it and how often
// that came before. Each call is held, so that the test answers one at a time.
func fate(made map[string]int) faulty.Plan {
	return func(c *faulty.Call) faulty.Fault {
		text := call(c)
		made[text]++
		h := fnv.New32a()
		fmt.Fprint(h, text, made[text])
		f := faulty.Fault{Hold: true}
		switch n := h.Sum32() % 16; {
		case n < 3:
			f.Lost = true
		case n == 3:
			f.Err = faulty.ErrDown
		}
		return f
	}
}

// chain starts attempts of which each one's Done starts the next.
func (e *env) chain(name string, lane store.Lane, n int, keys ...string) {
	if n == 0 {
		return
	}
	at := e.put(lane, append(keys, name)...)
	at.Tries = -1
	at.Done = func(driver.Moment, error) { e.chain(name, (lane+1)%3, n-1, keys...) }
	e.db.Go(at)
}

// sequence plays a scene in which one call is answered at a time, and returns
// the calls in the order of their answers.
func sequence(t *testing.T, o *store.Options) (calls []string) {
	bubbleOf(t, driver.Info{Writers: 2, Group: 5}, o, func(e *env) {
		e.drv.Use(fate(make(map[string]int)))
		for i := range 12 {
			e.chain(fmt.Sprint(i), store.Lane(i%3), 8, fmt.Sprint("shared", i%4))
		}
		s := e.store("players")
		idle := false
		go func() {
			for i := range 8 {
				if _, err := s.Add(e.ctx, fmt.Sprint(i%2), 1); err != nil {
					e.Errorf("Add: %v", err)
				}
			}
			idle = true
		}()
		dice := rand.New(rand.NewPCG(1, 2))
		for quiet := 0; quiet < 20; {
			synctest.Wait()
			waiting := e.drv.Waiting()
			if len(waiting) == 0 {
				time.Sleep(time.Second)
				quiet++
				continue
			}
			quiet = 0
			c := waiting[dice.IntN(len(waiting))]
			calls = append(calls, call(c))
			e.drv.Release(c)
		}
		if !idle {
			e.Error("the client has not ended")
		}
	})
	return calls
}

func TestSameInputsGiveTheSameCalls(t *testing.T) {
	for name, o := range map[string]store.Options{
		"Plain":  {Tries: -1},
		"Budget": {Tries: -1, Rate: 200, Burst: 4},
		"Pauses": {Tries: -1, Pause: 2, MaxPause: 2}, // many are due at once
	} {
		t.Run(name, func(t *testing.T) {
			want := sequence(t, &o)
			if len(want) < 40 {
				t.Fatalf("%d calls, want a scene worth the name", len(want))
			}
			for range 20 {
				if diff := cmp.Diff(want, sequence(t, &o)); diff != "" {
					t.Fatalf("calls of another run (-first +this):\n%s", diff)
				}
			}
		})
	}
}
