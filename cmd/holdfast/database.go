package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// timeoutFlag is part of every command that opens the database.
type timeoutFlag struct {
	Timeout time.Duration `default:"30s" placeholder:"30s" help:"Give up when the database has given no answer for this long."`
}

const (
	// grace is how long what is being written may take to end after an
	// interrupt.
	grace = 5 * time.Second
	// hopeless is how long what is being written may take to end once the
	// database has been given up.
	hopeless = time.Second
)

// database is an open database, and the end of a command's patience with it.
type database struct {
	*store.DB
	drv      driver.DB // as the engine returned it
	patience time.Duration
	// ctx ends when the database has given no answer for too long, is full or
	// cannot be written to.
	// An interrupt ends it too, at once for a command that reads; what is being
	// written may end first.
	ctx   context.Context
	close func() error
}

// anySize are limits that refuse nothing that is stored: to show a document is
// no reason to judge it.
var anySize = document.Limits{Size: math.MaxInt, Depth: math.MaxInt, Fields: math.MaxInt}

// connect opens the database that the command line names. The caller closes it.
func (e *env) connect(ctx context.Context, a access, f timeoutFlag) (*database, error) {
	if f.Timeout <= 0 {
		return nil, usageError{fmt.Errorf("--timeout %v: give a time above zero", f.Timeout)}
	}
	opening, cancel := context.WithTimeoutCause(ctx, f.Timeout, fmt.Errorf("no answer for %v", f.Timeout))
	defer cancel()
	drv, err := openEngine(opening, e.engines, e.db, a)
	if err != nil {
		return nil, err
	}
	base := ctx
	if a != reading {
		base = context.WithoutCancel(ctx)
	}
	hard, give := context.WithCancelCause(base)
	w := &watched{DB: drv, patience: f.Timeout, give: give}
	db, err := store.New(w, &store.Options{Logger: e.log, Timeout: f.Timeout})
	if err != nil {
		give(err)
		return nil, errors.Join(err, drv.Close())
	}
	interrupted := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { give(context.Cause(ctx)) })
	})
	shut := closer(db, hard)
	// A store that is closed fails what waits for an answer, whoever waits.
	closing := context.AfterFunc(hard, func() { shut() })
	return &database{DB: db, drv: drv, patience: f.Timeout, ctx: hard, close: func() error {
		interrupted()
		quiet := !closing() // it was given up, and that has been told
		err := shut()
		give(nil)
		if quiet {
			return nil
		}
		return err
	}}, nil
}

// closer returns a function that closes a store and waits until it is closed,
// whoever called it first. Hard has ended if the database was given up.
func closer(db *store.DB, hard context.Context) func() error {
	var once sync.Once
	closed := make(chan error, 1)
	return func() error {
		once.Do(func() {
			go func() {
				patience := grace
				if hard.Err() != nil {
					patience = hopeless
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				closed <- db.Close(ctx)
			}()
		})
		err := <-closed
		closed <- err // for the next
		return err
	}
}

// reader returns a reader that takes what is stored, however large.
func (db *database) reader() *session.Reader { return session.NewReader(db.DB, anySize) }

// why returns the error of a call together with the reason why the command's
// patience ended, which says more.
func (db *database) why(err error) error {
	cause := context.Cause(db.ctx)
	if err == nil || cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// lease is the length of a command's lease. If the command is killed, a player
// that it held is free again after that time.
const lease = 5 * time.Second

// serve takes a lease for a command that writes.
func (e *env) serve(db *database, command string, limits document.Limits) (*session.Server, error) {
	srv, err := session.Open(db.ctx, db.DB, &session.Options{Name: serverName(command), Lease: lease, Feed: session.FeedIfKept, Limits: limits, Logger: e.log})
	if err != nil {
		return nil, db.why(err)
	}
	return srv, nil
}

// retire closes a command's server. Whatever it held is released.
func (db *database) retire(srv *session.Server) error {
	ctx, cancel := context.WithTimeoutCause(db.ctx, db.patience, fmt.Errorf("no answer for %v", db.patience))
	defer cancel()
	results, err := srv.Close(ctx)
	for _, r := range results {
		if r.Err != nil {
			err = errors.Join(err, fmt.Errorf("release %v: %w", r.Key, r.Err))
		}
	}
	return db.why(err)
}

// serverName says to other servers and people who holds a lock.
func serverName(command string) string {
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	host, _ := os.Hostname()
	name := fmt.Sprintf("holdfast %s (%.30s@%.30s %d)", command, who, host, os.Getpid())
	return strings.ToValidUTF8(name, "")
}

// watched is a database under a command's eye: when it is full, cannot be
// written to, or gives no answer for too long, the command gives up. A server would wait, and a person
// wants to know.
type watched struct {
	driver.DB
	patience time.Duration
	give     context.CancelCauseFunc

	mu            sync.Mutex
	reads, writes stall
}

// stall is when the first call was sent that was not answered, nor any since.
// It is zero if the last call was answered.
type stall struct{ since time.Time }

// note looks at the answer to a call that was sent at began.
func (w *watched) note(s *stall, began time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case errors.Is(err, driver.ErrFull), errors.Is(err, driver.ErrReadOnly):
		w.give(err)
		return
	case !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, context.Canceled):
		s.since = time.Time{}
		return
	case s.since.IsZero():
		s.since = began
	}
	if time.Since(s.since) >= w.patience {
		w.give(fmt.Errorf("no answer for %v: %w", w.patience, err))
	}
}

func (w *watched) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	began := time.Now()
	outcomes, err := w.DB.Commit(ctx, g)
	w.note(&w.writes, began, err)
	return outcomes, err
}

func (w *watched) Read(ctx context.Context, keys ...string) (driver.Snapshot, error) {
	began := time.Now()
	s, err := w.DB.Read(ctx, keys...)
	w.note(&w.reads, began, err)
	return s, err
}

func (w *watched) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	began := time.Now()
	s, err := w.DB.List(ctx, q)
	w.note(&w.reads, began, err)
	return s, err
}

func (w *watched) Count(ctx context.Context, from, to string, limit int) (int, string, error) {
	began := time.Now()
	n, next, err := w.DB.Count(ctx, from, to, limit)
	w.note(&w.reads, began, err)
	return n, next, err
}

func (w *watched) Versions(ctx context.Context, key string) ([]driver.Entry, error) {
	began := time.Now()
	list, err := w.DB.Versions(ctx, key)
	w.note(&w.reads, began, err)
	return list, err
}

func (w *watched) ReadVersion(ctx context.Context, key string, v driver.Version) (driver.Entry, error) {
	began := time.Now()
	e, err := w.DB.ReadVersion(ctx, key, v)
	w.note(&w.reads, began, err)
	return e, err
}
