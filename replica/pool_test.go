package replica

import (
	"sync/atomic"
	"testing"
	"time"
)

type taskFunc func()

func (fn taskFunc) work() { fn() }

// TestAPoolIsWaitedForWhileAPlaceIsGivenUp has a task end at the moment at which it has
// been kept waiting for too long.
func TestAPoolIsWaitedForWhileAPlaceIsGivenUp(t *testing.T) {
	p := newPool()
	p.places = 1
	began, release, waited := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var done atomic.Bool
	p.add(taskFunc(func() { close(began); <-release }))
	<-began
	p.add(taskFunc(func() { done.Store(true) }))
	p.mu.Lock() // as somebody does who adds a task
	time.Sleep(20 * placePatience)
	close(release)
	go func() {
		p.wait()
		if !done.Load() {
			t.Error("the pool was waited for, and a task has not been done")
		}
		close(waited)
	}()
	time.Sleep(20 * placePatience)
	p.mu.Unlock()
	<-waited
}
