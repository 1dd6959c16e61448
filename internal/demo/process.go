package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
)

// state is how a server process is, as far as the director knows.
type state string

const (
	alive   state = "alive"
	stopped state = "stopped"
	killed  state = "killed"
	ended   state = "ended"
)

var (
	errGone    = errors.New("server is gone")
	errSilent  = errors.New("server does not answer")
	errRefused = errors.New("server refused")
	errPaused  = errors.New("server is suspended")
)

// process is a server process, seen by the director. All its methods are safe
// for concurrent use.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *console.Tail
	heard func(*process, answer) // told all news; must not block
	ready chan struct{}          // closed when the server has its lease
	gone  chan struct{}          // closed when the process has ended and was reaped

	mu         sync.Mutex // guards what follows
	state      state
	silent     chan struct{} // closed while players notice that the server does not answer
	lastID     uint64
	calls      map[uint64]func(answer)
	queue      []order
	more       chan struct{} // level: there is something in queue
	pulse      pulse
	journal    appends
	deliberate bool   // it was told to end, or killed
	lacks      string // why it has no bus; empty: it has, or none was wanted
}

// appends are what a server told of its appends.
type appends struct {
	began   time.Time // of the one under way; zero: none is
	slowest time.Duration
}

// startProcess starts a server.
func startProcess(o *Options, with setup, heard func(*process, answer)) (*process, error) {
	name := with.Name
	p := &process{
		name: name, cmd: exec.Command(o.Server[0], o.Server[1:]...), out: &console.Tail{}, heard: heard,
		ready: make(chan struct{}), gone: make(chan struct{}), silent: make(chan struct{}),
		calls: make(map[uint64]func(answer)), more: make(chan struct{}, 1), state: alive,
	}
	p.cmd.Env = append(os.Environ(), o.Env...)
	p.cmd.Stderr = p.out
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start server %q: %w", name, err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start server %q: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start server %q: %w", name, err)
	}
	go p.send(with)
	go p.read(stdout)
	return p, nil
}

// whenReady waits until the server has its lease.
func (p *process) whenReady(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case <-p.gone:
		return fmt.Errorf("server %q did not start: %w: %s", p.name, errGone, p.out)
	case <-ctx.Done():
		return fmt.Errorf("server %q did not start: %w", p.name, context.Cause(ctx))
	}
}

// read listens to the server until it ends, and reaps it.
func (p *process) read(stdout io.Reader) {
	err := readLines(newScanner(stdout), p.hear)
	if err != nil {
		fmt.Fprintln(p.out, err)
		_ = p.cmd.Process.Kill() // it talks nonsense; Wait says what became of it
		_, _ = io.Copy(io.Discard, stdout)
	}
	if err := p.cmd.Wait(); err != nil {
		fmt.Fprintln(p.out, err)
	}
	p.mu.Lock()
	if p.state != killed {
		p.state = ended
	}
	if !isClosed(p.silent) {
		close(p.silent)
	}
	p.mu.Unlock()
	close(p.gone)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// hear deals with one line of the server.
func (p *process) hear(a answer) {
	p.mu.Lock()
	switch a.News {
	case newsReady:
		p.lacks = a.Error
		close(p.ready)
	case newsPulse:
		if a.Pulse != nil {
			p.pulse = *a.Pulse
		}
	case newsAppend:
		p.journal.began = time.UnixMicro(a.Made)
	case newsAppended:
		p.journal.began = time.Time{}
		p.journal.slowest = max(p.journal.slowest, time.Duration(a.Took)*time.Microsecond)
	}
	call := p.calls[a.ID]
	delete(p.calls, a.ID)
	p.mu.Unlock()
	if call != nil {
		call(a)
	}
	if a.ID == 0 {
		p.heard(p, a)
	}
}

// send writes the setup and then queued orders, so that nobody waits for the
// pipe to a server that does not read.
func (p *process) send(with setup) {
	w := &lines{w: p.stdin}
	if w.write(with) != nil {
		return // it is gone
	}
	for {
		select {
		case <-p.more:
		case <-p.gone:
			return
		}
		p.mu.Lock()
		queue := p.queue
		p.queue = nil
		p.mu.Unlock()
		for _, o := range queue {
			if w.write(o) != nil {
				return // it is gone
			}
		}
	}
}

// tell gives the server an order and returns at once. The answer, if it ever
// comes, goes to fn, which must not block.
func (p *process) tell(o order, fn func(answer)) {
	p.mu.Lock()
	p.lastID++
	o.ID = p.lastID
	p.calls[o.ID] = fn
	p.queue = append(p.queue, o)
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// call gives the server an order and waits for the answer, until the server is
// gone or silent, or ctx ends. An answer that comes later still goes to fn.
func (p *process) call(ctx context.Context, o order, fn func(answer)) (answer, error) {
	got := make(chan answer, 1)
	silent := p.noticed()
	p.tell(o, func(a answer) {
		fn(a)
		got <- a
	})
	var err error
	select {
	case a := <-got:
		return a, p.judge(a)
	case <-p.gone:
		err = errGone
	case <-silent:
		err = errSilent
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return answer{}, fmt.Errorf("%s %s on %s: %w", o.Do, o.Player, p.name, err)
}

// judge returns what an answer says of what was asked for.
func (p *process) judge(a answer) error {
	switch {
	case a.Error == "":
		return nil
	case a.Suspended:
		return fmt.Errorf("%s: %w: %s", p.name, errPaused, a.Error)
	}
	return fmt.Errorf("%s: %w: %s", p.name, errRefused, a.Error)
}

// noticed returns a channel that is closed when players notice that the
// server does not answer.
func (p *process) noticed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent
}

// reachable reports whether players can be sent to the server.
func (p *process) reachable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == alive && !isClosed(p.silent) && isClosed(p.ready)
}

func (p *process) setState(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
}

// status returns how the server is, and what it told last.
func (p *process) status() (state, pulse, appends) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.pulse, p.journal
}

// kill ends the process at once, and returns when it was reaped.
func (p *process) kill() error {
	p.mu.Lock()
	p.state, p.deliberate = killed, true
	p.mu.Unlock()
	err := p.cmd.Process.Kill()
	<-p.gone
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// halt stops the process.
func (p *process) halt() error {
	if err := stopProcess(p.cmd.Process); err != nil {
		return fmt.Errorf("stop server %q: %w", p.name, err)
	}
	p.setState(stopped)
	return nil
}

// noticeAfter is how long players wait for a server that does not answer.
const noticeAfter = 300 * time.Millisecond

// fallSilent lets players notice soon that a stopped server does not answer.
func (p *process) fallSilent() {
	time.AfterFunc(noticeAfter, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.state == stopped && !isClosed(p.silent) {
			close(p.silent)
		}
	})
}

// resume continues a stopped process. Players are sent to it again when it is
// known to be well, see welcome.
func (p *process) resume() error {
	if err := continueProcess(p.cmd.Process); err != nil {
		return fmt.Errorf("continue server %q: %w", p.name, err)
	}
	return nil
}

// welcome lets players go to a server that was stopped.
func (p *process) welcome() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == stopped {
		p.state = alive
		if isClosed(p.silent) {
			p.silent = make(chan struct{})
		}
	}
}

// close tells the server to save and release everybody and to end, and returns
// when the process has ended.
func (p *process) close(ctx context.Context) ([]result, error) {
	p.mu.Lock()
	p.deliberate = true
	p.mu.Unlock()
	a, err := p.call(ctx, order{Do: doClose}, func(answer) {})
	if err != nil {
		return nil, err
	}
	select {
	case <-p.gone:
		return a.Results, nil
	case <-ctx.Done():
		return a.Results, fmt.Errorf("server %q said that it has closed and did not end: %w", p.name, context.Cause(ctx))
	}
}

// withoutBus says why the server has no bus, in parentheses, if it should have
// one.
func (p *process) withoutBus() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lacks == "" {
		return ""
	}
	return " (without a bus: " + console.Short(p.lacks, 100) + ")"
}

// failed reports whether the process has ended and nobody told it to.
func (p *process) failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == ended && !p.deliberate
}
