package replica

import (
	"runtime"
	"sync"
	"time"
)

// placePatience is how long a task may keep its place in a pool.
const placePatience = 2 * time.Millisecond

// task is something to be done that may be kept waiting: by a client that does not
// read, or by an update that takes long.
type task interface{ work() }

// pool does tasks on a few goroutines, which end when there is nothing to do. A task
// that is kept waiting gives its place up: its goroutine goes on with that task
// alone, and another one takes over the queue. So a thousand clients that read as
// fast as they are sent to need no more goroutines than there are places, and one that
// does not read costs a goroutine until it is given up, and the others nothing but
// placePatience.
type pool struct {
	places int
	all    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	queue []task
	next  int // the first of the queue
	busy  int // places that are taken
}

func newPool() *pool { return &pool{places: 2 * max(2, runtime.GOMAXPROCS(0))} }

// add has a task done soon. It does not block.
func (p *pool) add(t task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next > len(p.queue)/2 { // it has not been empty for long
		n := copy(p.queue, p.queue[p.next:])
		clear(p.queue[n:])
		p.queue, p.next = p.queue[:n], 0
	}
	p.queue = append(p.queue, t)
	p.fillLocked()
}

// fillLocked takes a place for the queue, if there is one.
func (p *pool) fillLocked() {
	if p.busy < p.places && p.next < len(p.queue) {
		p.busy++
		p.all.Go(p.run)
	}
}

// take returns the next task, or gives the place back.
func (p *pool) take() task {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == len(p.queue) {
		p.busy--
		return nil
	}
	t := p.queue[p.next]
	p.queue[p.next] = nil
	if p.next++; p.next == len(p.queue) {
		p.queue, p.next = p.queue[:0], 0
	}
	return t
}

// run does tasks in a place, until there are none or one is kept waiting.
func (p *pool) run() {
	given := make(chan struct{})
	giveUp := time.AfterFunc(time.Hour, func() {
		p.giveUp()
		close(given)
	})
	giveUp.Stop()
	for {
		t := p.take()
		if t == nil {
			return
		}
		giveUp.Reset(placePatience)
		t.work()
		if !giveUp.Stop() {
			<-given // so that who waits for the pool waits for that as well
			return  // the place is somebody else's
		}
	}
}

// giveUp gives the place of a task up that is kept waiting.
func (p *pool) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	p.fillLocked()
}

// wait waits until everything is done. Nothing may be added meanwhile but by tasks.
func (p *pool) wait() { p.all.Wait() }
