package bazaar_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// fleet is the stalls of a bazaar, seen by who starts and kills them.
type fleet struct {
	*testing.T
	ctx     context.Context
	home    *home
	program string // of the stalls
	traders int
	dice    *rand.Rand
	book    *ledger
	stalls  [slots]*process
	started int
	worked  time.Duration   // of the processors, in stalls that have ended
	killed  map[string]bool // by name
}

// process is a stall, seen from outside.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	errors strings.Builder
	ready  chan struct{}
	gone   chan struct{} // closed when it has ended, and all it said was heard
	closed bool          // it said that it has closed
	err    error         // how it ended
	worked time.Duration // of processors
}

// start starts a stall in a slot, which must be free.
func (f *fleet) start(slot int) {
	f.Helper()
	f.started++
	p := &process{name: fmt.Sprintf("s%d.%d", slot, f.started), cmd: exec.Command(f.program), ready: make(chan struct{}), gone: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), asStall+"=1"), &p.errors
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		f.Fatal(err)
	}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		f.Fatal(err)
	}
	p.stdin, f.stalls[slot] = stdin, p
	go p.listen(stdout, f.book)
	with := setup{Name: p.name, DB: f.home.wires[slot], Bus: f.home.bus, Slot: slot, Traders: f.traders, Seed: f.dice.Uint64()}
	if err := json.NewEncoder(stdin).Encode(with); err != nil {
		f.Fatalf("start %s: %v", p.name, err)
	}
	f.Cleanup(func() { // if the test has failed before
		_ = p.cmd.Process.Kill()
		<-p.gone
	})
}

// listen hears all that a stall says, and reaps it.
func (p *process) listen(stdout io.Reader, book *ledger) {
	var nonsense error
	for dec := json.NewDecoder(stdout); nonsense == nil; {
		var r report
		if nonsense = dec.Decode(&r); nonsense != nil {
			break
		}
		switch r.News {
		case newsReady:
			close(p.ready)
		case newsClosed:
			p.closed = true
		}
		book.hear(p.name, r)
	}
	if nonsense == io.EOF {
		nonsense = nil
	}
	_, _ = io.Copy(io.Discard, stdout)
	p.err = errors.Join(nonsense, p.cmd.Wait())
	if end := p.cmd.ProcessState; end != nil {
		p.worked = end.UserTime() + end.SystemTime()
	}
	close(p.gone)
}

// await waits until a stall has come so far.
func (f *fleet) await(p *process, what string, c <-chan struct{}) {
	f.Helper()
	select {
	case <-c:
	case <-f.ctx.Done():
		f.Fatalf("%s: %s: %v", p.name, what, context.Cause(f.ctx))
	case <-p.gone:
		select {
		case <-c:
		default:
			f.Fatalf("%s: %s: it has ended: %v\n%s", p.name, what, p.err, &p.errors)
		}
	}
}

// open starts all stalls.
func (f *fleet) open() {
	f.Helper()
	for slot := range slots {
		f.start(slot)
	}
	for _, p := range f.stalls {
		f.await(p, "start", p.ready)
	}
}

// until waits until so many trades were done.
func (f *fleet) until(trades int) {
	f.Helper()
	for f.book.done() < trades {
		if len(f.book.faults()) > 0 {
			f.fail()
		}
		select {
		case <-f.book.more:
		case <-f.ctx.Done():
			f.Fatalf("%d of %d trades were done: %v", f.book.done(), trades, context.Cause(f.ctx))
		}
	}
}

// fail ends the test with what the stalls say went wrong.
func (f *fleet) fail() {
	f.Helper()
	f.Fatal(errors.Join(f.book.faults()...))
}

// kill ends the stall of a slot at any moment, as SIGKILL does.
func (f *fleet) kill(slot int) underway {
	f.Helper()
	p := f.stalls[slot]
	f.await(p, "start", p.ready)
	moment := time.NewTimer(time.Duration(f.dice.IntN(20_000)) * time.Microsecond)
	<-moment.C
	visitors := f.book.visitors(p.name, slot)
	if err := p.cmd.Process.Kill(); err != nil {
		f.Fatalf("kill %s: %v\n%s", p.name, err, &p.errors)
	}
	f.await(p, "end", p.gone)
	f.killed[p.name] = true
	f.worked += p.worked
	u := f.book.kill(p.name)
	u.others = visitors
	return u
}

// close closes stalls, which must save and release everybody.
func (f *fleet) close(stalls ...*process) {
	f.Helper()
	for _, p := range stalls {
		f.await(p, "start", p.ready)
		_ = p.stdin.Close()
	}
	for _, p := range stalls {
		f.await(p, "end", p.gone)
		f.worked += p.worked
		if !p.closed || p.err != nil {
			f.Errorf("%s: closed: %t, %v\n%s", p.name, p.closed, p.err, &p.errors)
		}
	}
}

// visitAll opens all traders one after another in the test's own process, and
// changes them.
func (f *fleet) visitAll(db *store.DB, name string, fn func(tx *profile.Tx, n int) error) {
	f.Helper()
	srv, err := profile.Open(f.ctx, db, trader, &profile.Options{Session: session.Options{Name: name}})
	if err != nil {
		f.Fatal(err)
	}
	var all sync.WaitGroup
	for hand := range 16 {
		all.Go(func() {
			for n := hand; n < f.traders; n += 16 {
				p, err := srv.Open(f.ctx, id(n), nil)
				if err == nil {
					err = p.Update(func(tx *profile.Tx) error { return fn(tx, n) })
				}
				if err != nil {
					f.Errorf("%s: visit %s: %v", name, id(n), err)
					return
				}
			}
		})
	}
	all.Wait()
	results, err := srv.Close(f.ctx)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		f.Fatalf("%s: close: %v", name, err)
	}
}
