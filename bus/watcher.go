package bus

import "sync"

// Watcher helps a Transport to tell of its line: it passes on changes only, and
// what happened before the Bus began to watch is not lost. The zero Watcher
// stands for a line that is up. Its methods are safe for concurrent use.
type Watcher struct {
	mu   sync.Mutex // guards what follows, and orders the calls of fn
	down bool
	fn   func(up bool)
}

// Watch is the Transport's method.
func (w *Watcher) Watch(fn func(up bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fn = fn
	if w.down {
		fn(false)
	}
}

// Tell says that the line is up, or lost.
func (w *Watcher) Tell(up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down == !up {
		return
	}
	w.down = !up
	if w.fn != nil {
		w.fn(up)
	}
}
