package replica

import (
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

const (
	// maxMarks is how many paths are noted while nobody watches. Who comes back after
	// more gets the state.
	maxMarks = 1000
	// frameCost is what a frame in the ring costs beside its text, in bytes.
	frameCost = 64
)

// stream is one player who is watched, from the first watcher to some time after the
// last. The package's comment has its states.
//
// Locks are taken in this order: the profile's, the stream's, the server's.
type stream struct {
	srv *Server
	id  string

	mu       sync.Mutex // guards what follows
	p        *profile.Profile
	untap    func()
	watchers []*Watcher // never changed in place
	idle     *time.Timer
	due      bool   // it is queued for a frame
	over     Reason // the profile has ended; empty: it has not
	done     bool   // and the last frame has been made
	gone     bool   // it is no stream any more

	epoch    string
	revision uint64
	ring     []Frame // the last frames, the newest of which has the revision
	bytes    int     // of the ring

	marks     marks
	saved     bool   // a save is to be told
	saveError Code   // of the last save
	shown     []bool // by position: the client has the field
	computed  [][]byte
}

// base is the oldest revision from which one can go on.
func (st *stream) baseLocked() uint64 { return st.revision - uint64(len(st.ring)) }

// attach begins with a profile. What the profile goes through from now on is noted,
// and a state is read only after that: so nothing comes between the two.
func (st *stream) attach(p *profile.Profile) {
	st.mu.Lock()
	if st.p != nil || st.gone {
		st.mu.Unlock()
		return
	}
	st.p, st.epoch = p, rand.Text()[:13]
	st.untap = p.Tap(&profile.Tap{Changed: st.changed, Switched: st.switched, Saved: st.wasSaved, Ended: st.ended})
	st.shown, st.computed = make([]bool, len(st.srv.shape.fields)), make([][]byte, len(st.srv.shape.fields))
	for i, f := range st.srv.shape.fields {
		st.shown[i] = !p.Private(f)
	}
	st.mu.Unlock()
	if end, ok := p.Ended(); ok {
		st.ended(end)
	}
	st.wake()
}

// changed notes what an update has changed. The profile is locked.
func (st *stream) changed(changes []profile.Change) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over != "" || st.gone {
		return
	}
	for i := range changes {
		if at, ok := st.srv.shape.position[changes[i].Path.Field]; ok {
			st.marks.change(at, &changes[i])
		}
	}
	if len(st.watchers) == 0 && st.marks.size() > maxMarks {
		st.leaveLocked()
		return
	}
	st.scheduleLocked()
}

// switched notes that a field has become private, or is not any more. Frames that may
// hold its value are dropped.
func (st *stream) switched(f profile.Field) {
	st.mu.Lock()
	defer st.mu.Unlock()
	at, ok := st.srv.shape.position[f.Name()]
	if !ok || st.over != "" || st.gone || st.shown[at] && !st.p.Private(f) {
		return
	}
	st.marks.whole(at)
	st.ring, st.bytes, st.computed[at] = nil, 0, nil
	st.scheduleLocked()
}

// wasSaved notes what became of a save.
func (st *stream) wasSaved(s session.Saved) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over != "" || st.gone {
		return
	}
	st.saved, st.saveError = true, codeOf(s.Err)
	st.scheduleLocked()
}

// ended notes that the profile has ended. The stream is found by nobody any more.
func (st *stream) ended(end profile.End) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over != "" || st.gone {
		return
	}
	st.over = reasonOf(end)
	st.srv.forget(st)
	st.due = true
	st.srv.schedule(st)
}

// scheduleLocked has a frame made at the next tick, if somebody watches.
func (st *stream) scheduleLocked() {
	if !st.due && len(st.watchers) > 0 && (!st.marks.empty() || st.saved) {
		st.due = true
		st.srv.schedule(st)
	}
}

// work makes a frame.
func (st *stream) work() {
	st.p.View(func(r profile.Reader) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.due = false
		st.makeLocked(r)
		if st.over != "" {
			st.done = true
			st.leaveLocked()
		}
	})
	st.wake()
}

// wake tells the watchers that there may be something for them.
func (st *stream) wake() {
	st.mu.Lock()
	watchers := st.watchers
	st.mu.Unlock()
	for _, w := range watchers {
		w.ready()
	}
}

// leaveLocked ends the noting. Watchers that are left get what is there for them.
func (st *stream) leaveLocked() {
	if st.gone {
		return
	}
	st.gone = true
	if st.untap != nil {
		st.untap()
	}
	st.marks.clear()
	st.srv.forget(st)
}

// join adds a watcher. It returns false if the stream is none any more.
func (st *stream) join(w *Watcher) (joined bool, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.gone || st.over != "":
		return false, nil
	case len(st.watchers) >= st.srv.opts.Watchers:
		return false, ErrCrowded
	}
	if st.idle != nil {
		st.idle.Stop()
		st.idle = nil
	}
	st.watchers = append(slices.Clip(st.watchers), w)
	st.scheduleLocked()
	return true, nil
}

// part removes a watcher. After the last one the stream lingers.
func (st *stream) part(w *Watcher) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.watchers = slices.DeleteFunc(slices.Clone(st.watchers), func(o *Watcher) bool { return o == w })
	if len(st.watchers) > 0 || st.gone {
		return
	}
	if st.p == nil || st.srv.opts.Linger < 0 {
		st.leaveLocked()
		return
	}
	if st.idle == nil {
		st.idle = time.AfterFunc(st.srv.opts.Linger, st.expire)
	}
}

// expire ends a stream to which nobody has come back.
func (st *stream) expire() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.watchers) == 0 {
		st.leaveLocked()
	}
}
