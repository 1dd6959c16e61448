package rollback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Errors of Run.
var (
	// ErrOtherPlan means that a run of that id has another plan.
	ErrOtherPlan = errors.New("a run of that id has another plan")
	// ErrElsewhere means that another process goes on with the run.
	ErrElsewhere = errors.New("another process goes on with the run")
)

// Report says how far a run has come.
type Report struct {
	Count    map[State]int // of the whole run, what was done before it was stopped included
	Began    time.Time     // when it was begun first, by the database's clock; zero: it is a dry run
	Resumed  bool          // it went on with what had been begun before
	Finished bool          // all players have been gone through
}

// DryRun tells what a run of the plan would do now, and changes nothing. It blocks until
// all players of srv's kind have been looked at, or ctx ends.
func DryRun(ctx context.Context, srv *profile.Server, p Plan, o *Options) (Report, error) {
	r, err := newRun(srv, p, o)
	if err != nil {
		return Report{}, fmt.Errorf("dry run of a rollback: %w", err)
	}
	r.dry = true
	err = r.all(ctx)
	if err != nil {
		err = fmt.Errorf("dry run of a rollback: %w", err)
	}
	return r.report(), err
}

// Run does what the plan says, with all players of srv's kind. The id, 1 to MaxRunID
// bytes of text, names the run: one that was stopped goes on after the last page of
// players that was done, and one that has finished does nothing. It blocks until all
// players have been gone through, or ctx ends, with what became of them up to then.
//
// What becomes of single players is in the report and told to Options.Each, and is no
// error. It is ErrOtherPlan or ErrElsewhere, driver.ErrInvalid for a plan or options that
// are out of bounds, or what the database says; then the run may be gone on with. The run
// and each restore are in the audit log, by the one whose profile.Server.As it is.
func Run(ctx context.Context, srv *profile.Server, id string, p Plan, o *Options) (Report, error) {
	r, err := newRun(srv, p, o)
	if err == nil {
		err = checkID(id)
	}
	if err != nil {
		return Report{}, fmt.Errorf("rollback %q: %w", id, err)
	}
	r.id = id
	if err = r.begin(ctx); err == nil && !r.state.Finished {
		err = r.all(ctx)
	}
	if err != nil {
		err = fmt.Errorf("rollback %q: %w", id, err)
	}
	return r.report(), err
}

// run is a run under way.
type run struct {
	srv  *profile.Server
	rd   *session.Reader
	plan Plan
	opts Options
	id   string
	dry  bool

	state   stored
	at      driver.Version // of its entry
	resumed bool
	again   bool // the page may have been done in part before
	mu      sync.Mutex
}

func newRun(srv *profile.Server, p Plan, o *Options) (*run, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p.Before = p.Before.UTC().Truncate(time.Microsecond) // what every database tells apart; never later
	if err := p.check(srv.Session().Now()); err != nil {
		return nil, err
	}
	if srv.Operator() == "" {
		srv = srv.As(audit.Clean(srv.Session().Name(), audit.MaxBy))
	}
	return &run{srv: srv, rd: session.NewReader(srv.Session().DB(), anySize), plan: p, opts: opts}, nil
}

const runFormat = 1

// stored is a run as it is stored, under ~rollback/<kind>/<id>.
type stored struct {
	Format   int           `json:"format"`
	Before   time.Time     `json:"before"`
	Reason   string        `json:"reason"`
	Despite  bool          `json:"despite,omitempty"`
	By       string        `json:"by"`
	Begun    time.Time     `json:"begun"`
	After    string        `json:"after,omitempty"` // the key of the last player who is done with
	Count    map[State]int `json:"count,omitempty"`
	Finished bool          `json:"finished,omitempty"`
}

func (r *run) kind() string { return r.srv.Schema().Kind() }

func (r *run) key() string { return store.SystemKey("rollback", r.kind(), r.id) }

// begin begins the run, or goes on with it.
func (r *run) begin(ctx context.Context) error {
	for {
		snap, err := r.srv.Session().DB().Read(ctx, r.key())
		if err != nil {
			return err
		}
		if e := &snap.Entries[0]; e.Found() {
			return r.resume(e)
		}
		r.state = stored{
			Before: r.plan.Before, Reason: r.plan.Reason, Despite: r.plan.Despite, By: r.srv.Operator(),
			Begun: r.srv.Session().Now().UTC().Round(time.Millisecond),
		}
		act, err := r.act()
		if err != nil {
			return err
		}
		if err = r.store(ctx, act...); !errors.Is(err, ErrElsewhere) {
			return err
		}
	}
}

// act returns the entry of the run in the audit log.
func (r *run) act() ([]driver.Write, error) {
	details, err := json.Marshal(map[string]any{"run": r.id, "kind": r.kind(), "before": r.plan.Before, "despite": r.plan.Despite})
	if err != nil {
		return nil, err
	}
	return r.srv.Acted(audit.Act{What: "restore all", Reason: r.plan.Reason, Result: "begun", Details: details})
}

func (r *run) resume(e *driver.Entry) error {
	if e.Damaged != nil {
		return e.Damaged
	}
	if err := json.Unmarshal(e.Value, &r.state); err != nil {
		return fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	switch s := &r.state; {
	case s.Format != runFormat:
		return fmt.Errorf("%w: format %d, this program reads %d", driver.ErrFormat, s.Format, runFormat)
	case !s.Before.Equal(r.plan.Before) || s.Reason != r.plan.Reason || s.Despite != r.plan.Despite:
		return fmt.Errorf("%w: to %v for %q, despite purchases and trades: %v", ErrOtherPlan, s.Before, s.Reason, s.Despite)
	}
	r.at, r.resumed, r.again = e.Version, true, true
	return nil
}

// store writes how far the run has come, unless somebody else has written it.
func (r *run) store(ctx context.Context, with ...driver.Write) error {
	r.state.Format = runFormat
	value, err := json.Marshal(&r.state)
	if err != nil {
		return err
	}
	db := r.srv.Session().DB()
	id, err := db.NewVersion()
	if err != nil {
		return err
	}
	w := driver.Write{Key: r.key(), Version: r.at, Value: value}
	_, err = db.Commit(ctx, store.Attempt{Batch: driver.Batch{ID: id, Writes: append(with, w)}, Lane: store.Waited})
	if errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
		return fmt.Errorf("%w: %w", ErrElsewhere, err)
	}
	if err == nil {
		r.at = id
	}
	return err
}

// pageSize is how many players are done before it is written how far the run has come.
var pageSize = 256

// all goes through the players that are left.
func (r *run) all(ctx context.Context) error {
	o := &session.RootsOptions{Kind: r.kind()}
	if r.state.After != "" {
		after, err := session.ParseKey(r.state.After)
		if err != nil {
			return fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
		}
		o.After = after
	}
	var page []session.RootInfo
	for info, err := range r.rd.Roots(ctx, o) {
		if err != nil {
			return err
		}
		if info.Key.Kind != r.kind() { // another kind's that begins with the same letters
			continue
		}
		if page = append(page, info); len(page) == pageSize {
			if err := r.page(ctx, page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	if err := r.page(ctx, page); err != nil {
		return err
	}
	r.state.Finished = true
	if r.dry {
		return nil
	}
	return r.store(ctx)
}

// page goes through a page of players, and writes that.
func (r *run) page(ctx context.Context, page []session.RootInfo) error {
	if len(page) == 0 {
		return nil
	}
	count := make(map[State]int)
	var g errgroup.Group
	g.SetLimit(r.opts.Parallel)
	for _, info := range page {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			p := r.one(ctx, info.Key)
			if errors.Is(p.Err, ErrElsewhere) {
				return p.Err // whoever goes on tells of him
			}
			if ctx.Err() != nil && p.State == Failed {
				return nil // it was given up, and is done when the run goes on
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			count[p.State]++
			if r.opts.Each != nil {
				r.opts.Each(p)
			}
			return nil
		})
	}
	err := g.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	sum := maps.Clone(r.state.Count)
	if sum == nil {
		sum = make(map[State]int)
	}
	for state, n := range count {
		sum[state] += n
	}
	r.state.Count, r.state.After, r.again = sum, page[len(page)-1].Key.String(), false
	if r.dry {
		return nil
	}
	return r.store(ctx)
}

func (r *run) report() Report {
	return Report{
		Count: r.state.Count, Began: r.state.Begun, Resumed: r.resumed, Finished: r.state.Finished,
	}
}
