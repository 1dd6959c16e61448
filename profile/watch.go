package profile

import (
	"bytes"
	"fmt"
	"runtime"
	"time"
)

// lockPatience is how long a goroutine waits for a profile's lock before the
// log says so.
const lockPatience = time.Second

// rlock locks the profile for reading.
func (p *Profile) rlock() {
	if !p.mu.TryRLock() {
		stop := p.watch("read")
		p.mu.RLock()
		stop()
	}
}

// lock locks the profile for an update. Only one that has to wait pays for
// being watched.
func (p *Profile) lock() {
	if !p.mu.TryLock() {
		stop := p.watch("update")
		p.mu.Lock()
		stop()
	}
}

// watch logs the stacks of the calling goroutine and of those that are inside
// of the profile unless the function that it returns is called in time.
func (p *Profile) watch(what string) (stop func()) {
	pcs := make([]uintptr, 32)
	pcs = pcs[:runtime.Callers(3, pcs)]
	t := time.AfterFunc(p.srv.patience, func() {
		p.srv.log.Warn("waiting for a profile's lock", "key", p.key.String(), "for", what,
			"since", p.srv.patience, "waiter", frames(pcs), "holder", p.holders())
	})
	return func() { t.Stop() }
}

func frames(pcs []uintptr) string {
	var b bytes.Buffer
	it := runtime.CallersFrames(pcs)
	for {
		f, more := it.Next()
		fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}

// holders returns the stacks of the goroutines that run an update or a view of
// this profile. The stack of each has a call of hold or holdView with the
// profile's address, or one of holdAll, which may hold any.
func (p *Profile) holders() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	one := fmt.Appendf(nil, ".hold(%p", p)
	view := fmt.Appendf(nil, ".holdView(%p", p)
	var found [][]byte
	for stack := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if bytes.Contains(stack, one) || bytes.Contains(stack, view) || bytes.Contains(stack, []byte(".holdAll(")) {
			found = append(found, stack)
		}
	}
	if found == nil {
		return "not found among the running goroutines"
	}
	return string(bytes.Join(found, []byte("\n\n")))
}

// hold runs what holds the profile's lock. It is a call of its own so that a
// stack shows whose lock the goroutine holds.
//
//go:noinline
func hold(p *Profile, fn func(*Tx) error, tx *Tx) error {
	if p.failed != nil && p.failed.err == ErrCopy {
		return p.erroredErr("update")
	}
	err := fn(tx)
	runtime.KeepAlive(p)
	return err
}

// holdView is hold for a view.
//
//go:noinline
func holdView(p *Profile, fn func(Reader)) {
	fn((*view)(p))
	runtime.KeepAlive(p)
}

// holdAll is hold for an update of several profiles.
//
//go:noinline
func holdAll(fn func([]*Tx) error, txs []*Tx) error { return fn(txs) }
