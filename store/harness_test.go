package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// env is a DB over a faulty one over a mem, in a bubble of its own.
type env struct {
	*testing.T
	ctx context.Context
	mem *mem.DB
	drv *faulty.DB
	db  *store.DB
}

// shape is what a wrapped database says of itself.
type shape struct {
	driver.DB
	info driver.Info
}

func (s shape) Info() driver.Info { return s.info }

// bubble runs a test with a DB in a bubble, and closes the DB at its end.
func bubble(t *testing.T, o *store.Options, test func(e *env)) {
	t.Helper()
	bubbleOf(t, driver.Info{Name: "mem", Writers: 1, Group: 64}, o, test)
}

func bubbleOf(t *testing.T, info driver.Info, o *store.Options, test func(e *env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &env{T: t, ctx: t.Context(), mem: mem.Open()}
		e.drv = faulty.New(shape{e.mem, info})
		opts := store.Options{}
		if o != nil {
			opts = *o
		}
		opts.Entropy = rand.NewChaCha8([32]byte{1})
		var err error
		if e.db, err = store.New(e.drv, &opts); err != nil {
			t.Fatalf("New: %v", err)
		}
		test(e)
		e.drv.Use()
		e.drv.ReleaseAll()
		if err := e.db.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func (e *env) store(name string) *store.Store {
	e.Helper()
	s, err := e.db.Store(name)
	if err != nil {
		e.Fatalf("Store(%q): %v", name, err)
	}
	return s
}

func (e *env) id() driver.Version {
	e.Helper()
	id, err := e.db.NewVersion()
	if err != nil {
		e.Fatalf("NewVersion: %v", err)
	}
	return id
}

// put is an attempt that writes keys whatever is there.
func (e *env) put(lane store.Lane, keys ...string) store.Attempt {
	b := driver.Batch{ID: e.id()}
	for _, key := range keys {
		b.Writes = append(b.Writes, driver.Write{Key: key, Mode: driver.Always, Value: []byte("v")})
	}
	return store.Attempt{Batch: b, Lane: lane}
}

// create is an attempt that creates a key.
func (e *env) create(key string) store.Attempt {
	return e.replace(key, driver.Version{})
}

// replace is an attempt that expects a version.
func (e *env) replace(key string, v driver.Version) store.Attempt {
	return store.Attempt{Lane: store.Waited, Batch: driver.Batch{ID: e.id(), Writes: []driver.Write{{Key: key, Version: v, Value: []byte("v")}}}}
}

// start starts an attempt and returns where its outcome will be.
func (e *env) start(at store.Attempt) <-chan error {
	done := make(chan error, 1)
	at.Done = func(_ driver.Moment, err error) { done <- err }
	e.db.Go(at)
	return done
}

// ended returns an outcome that must be there by now.
func (e *env) ended(done <-chan error) error {
	e.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		return err
	default:
		e.Fatal("the attempt has not ended")
		return nil
	}
}

// open fails the test if an attempt has ended.
func (e *env) open(done <-chan error) {
	e.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		e.Fatalf("the attempt ended with %v, want it open", err)
	default:
	}
}

// sleep lets time pass, and all that happens by then happen.
func (e *env) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// at returns the version that a database key is at.
func (e *env) at(key string) driver.Version {
	e.Helper()
	s, err := e.mem.Read(e.ctx, key)
	if err != nil {
		e.Fatalf("Read(%q): %v", key, err)
	}
	return s.Entries[0].Version
}

// commits records the keys of each commit and when it was made.
type commits struct {
	keys [][]string
	at   []time.Time
}

// record adds a plan that records commits before the others decide.
func (e *env) record(plans ...faulty.Plan) *commits {
	c := &commits{}
	e.drv.Use(append([]faulty.Plan{func(call *faulty.Call) faulty.Fault {
		if call.Op == faulty.Commit {
			c.keys = append(c.keys, call.Keys)
			c.at = append(c.at, time.Now())
		}
		return faulty.Fault{}
	}}, plans...)...)
	return c
}

// step releases the only call that is held, and returns it.
func (e *env) step() *faulty.Call {
	e.Helper()
	synctest.Wait()
	calls := e.drv.Waiting()
	if len(calls) != 1 {
		e.Fatalf("%d calls are held, want 1: %s", len(calls), describe(calls))
	}
	e.drv.Release(calls[0])
	return calls[0]
}

func describe(calls []*faulty.Call) string {
	s := ""
	for _, c := range calls {
		s += fmt.Sprintf("%s %q; ", c.Op, c.Keys)
	}
	return s
}

var down = faulty.Fault{Err: faulty.ErrDown}
