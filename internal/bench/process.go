package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// The roles of Work.
const (
	roleHop    = "hop"    // opens players as it is told
	roleHold   = "hold"   // holds a player and changes him until it is killed
	roleImport = "import" // imports players until it is told to end
	roleWatch  = "watch"  // has clients that watch players
)

// shortLease is the lease of servers that are killed.
const shortLease = session.MinLease

// order is what a worker is told: one line of JSON.
type order struct {
	Player  int    `json:"player"`
	URL     string `json:"url,omitempty"` // to connect so many clients to
	Clients int    `json:"clients,omitempty"`
	Begin   bool   `json:"begin,omitempty"` // to note from now on
}

// answer is what a worker says: one line of JSON.
type answer struct {
	Took    time.Duration `json:"took,omitempty"`
	Half    time.Duration `json:"half,omitempty"`
	Count   int           `json:"count,omitempty"`
	Coins   int64         `json:"coins,omitempty"`
	At      int64         `json:"at,omitempty"` // nanoseconds since 1970
	Slowest time.Duration `json:"slowest,omitempty"`
	Err     string        `json:"err,omitempty"`
}

// worker is another process of this program.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

// hire starts a worker on the database of a measurement.
func (r *run) hire(name, role string) (*worker, error) {
	cmd := r.Worker(r.ctx, r.URL(name), role)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start another process: %w", err)
	}
	return &worker{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}, nil
}

// hear waits for the worker's next answer.
func (w *worker) hear() (a answer, err error) {
	if err := w.dec.Decode(&a); err != nil {
		return a, fmt.Errorf("another process ended: %w", err)
	}
	if a.Err != "" {
		return a, fmt.Errorf("another process: %s", a.Err)
	}
	return a, nil
}

// tell gives an order and waits for the answer.
func (w *worker) tell(o order) (answer, error) {
	if err := w.enc.Encode(o); err != nil {
		return answer{}, err
	}
	return w.hear()
}

// dismiss ends the worker in good order and waits for it.
func (w *worker) dismiss() error {
	err := w.in.Close()
	for { // a pipe that is full would hold it up
		if _, e := w.hear(); e != nil {
			break
		}
	}
	return errors.Join(err, w.cmd.Wait())
}

// kill ends the worker as kill -9 does.
func (w *worker) kill() error {
	err := w.cmd.Process.Kill()
	_ = w.cmd.Wait() // says that it was killed
	return err
}

// alone is why what needs several processes is not measured.
const alone = "it needs several processes, and this database is in one alone"

// processes reports whether several processes can share the database.
func (r *run) processes(db *database) bool {
	return r.Worker != nil && db.Driver().Info().Name != "mem"
}

// WorkerOptions say what a worker works with.
type WorkerOptions struct {
	Role string
	Open func(ctx context.Context) (driver.DB, error)
	In   io.Reader // its end ends the worker
	Out  io.Writer
}

// Work is what a process does that Options.Worker has started, with the role
// that was given there. It returns when In ends.
func Work(ctx context.Context, o *WorkerOptions) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Role == roleWatch {
		return o.watch(ctx) // without a database
	}
	drv, err := o.Open(ctx)
	if err != nil {
		return err
	}
	m := &meter{DB: drv}
	db, err := store.New(m, nil)
	if err != nil {
		return errors.Join(err, drv.Close())
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	srv, err := session.Open(ctx, db, &session.Options{Name: o.Role, Lease: shortLease})
	if err != nil {
		return err
	}
	r := &run{ctx: ctx}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	w := &working{WorkerOptions: o, srv: srv, meter: m, enc: json.NewEncoder(o.Out), dec: json.NewDecoder(o.In)}
	switch o.Role {
	case roleHop:
		return w.hop(ctx)
	case roleHold:
		return w.hold(ctx, cancel)
	case roleImport:
		return w.load(ctx, cancel)
	}
	return fmt.Errorf("there is no worker's role %q", o.Role)
}

// working is a worker from the inside.
type working struct {
	*WorkerOptions
	srv   *session.Server
	meter *meter
	enc   *json.Encoder
	dec   *json.Decoder
}

// obey calls fn for each order and sends what it answers, until In ends.
func (w *working) obey(fn func(order) (answer, error)) error {
	for {
		var o order
		if err := w.dec.Decode(&o); err != nil {
			return nil // the other side has gone, and so does this one
		}
		a, err := fn(o)
		if err != nil {
			a.Err = err.Error()
		}
		if err := w.enc.Encode(a); err != nil {
			return err
		}
	}
}

// hop opens each player that it is told to, and says how long that took.
func (w *working) hop(ctx context.Context) error {
	return w.obey(func(o order) (answer, error) {
		began := time.Now()
		s, err := w.srv.Open(ctx, playerKey(o.Player), nil)
		took := time.Since(began)
		if err != nil {
			return answer{}, err
		}
		return answer{Took: took}, setCoins(s, int64(o.Player), false)
	})
}

// hold opens the players that it is told to, and then changes the last of them
// about every millisecond and says when, until it is killed.
func (w *working) hold(ctx context.Context, cancel func()) error {
	opened := make(chan *session.Session, 1)
	go func() {
		defer cancel()
		_ = w.obey(func(o order) (answer, error) {
			s, err := w.srv.Open(ctx, playerKey(o.Player), nil)
			if err == nil {
				opened <- s
			}
			return answer{}, err
		})
	}()
	select {
	case s := <-opened:
		return w.change(ctx, s)
	case <-ctx.Done():
		return nil
	}
}

func (w *working) change(ctx context.Context, s *session.Session) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := int64(1); ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := setCoins(s, n, false); err != nil {
			return err
		}
		a := answer{Coins: n, At: time.Now().UnixNano(), Slowest: time.Duration(w.meter.slowest.Load())}
		if err := w.enc.Encode(a); err != nil {
			return nil // nobody listens any more
		}
	}
}

// load imports players with new data until In ends.
func (w *working) load(ctx context.Context, cancel func()) error {
	go func() {
		defer cancel()
		_ = w.obey(func(order) (answer, error) { return answer{}, nil })
	}()
	for from := importFrom; ctx.Err() == nil; from += importStep {
		if err := seed(ctx, w.srv, from, from+importStep, smallBag); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
