package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// editFlags are part of every command that changes one player.
type editFlags struct {
	actFlags
	Wait     time.Duration `placeholder:"TIME" help:"How long to wait for a server that holds the player (default 0; with --handover 10s)."`
	Handover bool          `xor:"force" help:"Ask the server that holds the player to save and release him."`
	Steal    bool          `xor:"force" help:"Take the player from the server that holds him. What it has not yet put into the database is lost."`
	jsonFlag
	limitFlags
	timeoutFlag
}

func (f *editFlags) check() error {
	if err := f.checkAct(); err != nil {
		return err
	}
	switch {
	case f.Wait < 0:
		return usageError{fmt.Errorf("--wait %v is negative", f.Wait)}
	case f.Handover && f.Wait == 0:
		f.Wait = 10 * time.Second
	}
	return nil
}

// edit is one change of one player.
type edit struct {
	editFlags
	command string // "set"
	key     session.Key
	// plan returns what is to be changed in the document as it is now.
	plan func(now *document.Document) document.Delta
}

// editJSON is what became of an edit, as it is written with --json.
type editJSON struct {
	Key     string          `json:"key"`
	Changed bool            `json:"changed"`
	Version *driver.Version `json:"version,omitzero"` // that the edit made
	Before  *driver.Version `json:"before,omitzero"`  // the version with the data as they were
	Changes []changeJSON    `json:"changes"`
}

// run makes the change and reports it.
func (ed *edit) run(ctx context.Context, e *env) error {
	if err := ed.check(); err != nil {
		return err
	}
	db, err := e.openDatabase(ctx, editing, ed.timeoutFlag)
	if err != nil {
		return err
	}
	done, err := ed.change(ctx, e, db)
	if done != nil {
		err = errors.Join(ed.report(e, done), err)
	}
	return errors.Join(err, db.close())
}

// change makes the change under a lease of its own. If it was made, what was
// done is returned even beside an error.
func (ed *edit) change(ctx context.Context, e *env, db *database) (done *editJSON, err error) {
	if err := ed.admit(ctx, db); err != nil {
		return nil, db.why(err)
	}
	srv, err := e.serve(db, ed.command, ed.limits())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.retire(srv)) }()
	s, err := ed.open(ctx, e, db, srv)
	if err != nil {
		return nil, db.why(err)
	}
	done, err = ed.changeIn(db, srv, s)
	return done, db.why(err)
}

// changeIn makes the change in the player's session and releases him.
func (ed *edit) changeIn(db *database, srv *session.Server, s *session.Session) (*editJSON, error) {
	before := snapshot(s)
	done := &editJSON{Key: ed.key.String(), Changes: changesOf(before, ed.plan(before))}
	if len(done.Changes) == 0 {
		return done, nil
	}
	was := s.Version()
	a, err := ed.act(ed.command, ed.key, map[string]any{"changes": done.Changes})
	if err != nil {
		return nil, err
	}
	if err := apply(db.DB, srv, s, ed.plan(before), session.OriginEdit, &a); err != nil {
		return nil, err
	}
	if err := s.Close(db.ctx); err != nil {
		return nil, err
	}
	now := s.Version()
	done.Changed, done.Version, done.Before = true, &now, &was
	return done, nil
}

// snapshot returns a copy of a session's document.
func snapshot(s *session.Session) *document.Document {
	s.Lock()
	defer s.Unlock()
	return s.Document().Clone()
}

// look is how often a player who is held is looked at.
const look = 250 * time.Millisecond

// admit looks whether the player may be opened. Opening asks the server that
// holds a player to give him up, and an operator has to want that: so without
// being told, it is not tried.
func (ed *edit) admit(ctx context.Context, db *database) error {
	deadline := time.Now().Add(ed.Wait)
	for {
		v, err := db.reader().Peek(db.ctx, ed.key)
		switch {
		case err != nil:
			return err
		case ed.Handover || ed.Steal || !living(v.Holder):
			return nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return heldError{ed.key, *v.Holder}
		}
		select {
		case <-time.After(min(left, look)):
		case <-ctx.Done():
			return fmt.Errorf("wait for %v: %w", ed.key, context.Cause(ctx))
		}
	}
}

// open opens the player's session. It waits for a dead server's lease to be
// taken over, and for a living one's answer as long as the operator wants.
func (ed *edit) open(ctx context.Context, e *env, db *database, srv *session.Server) (s *session.Session, err error) {
	o := &session.OpenOptions{MustExist: true, NoAsk: !ed.Handover}
	if ed.Steal {
		a, err := ed.act("steal", ed.key, nil)
		if err != nil {
			return nil, err
		}
		if o.StealWith, err = acted(db.DB, srv, a); err != nil {
			return nil, err
		}
		o.Steal = ed.Reason
	}
	err = ed.patiently(ctx, e, db, func(ctx context.Context, waiting func(session.Holder)) error {
		o.Waiting = waiting
		s, err = srv.Open(ctx, ed.key, o)
		return err
	})
	return s, err
}

// patiently calls what opens the player, with a context that ends when the operator's
// patience does, and with what says who is waited for.
func (ed *edit) patiently(ctx context.Context, e *env, db *database, open func(context.Context, func(session.Holder)) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(db.ctx, func() { cancel(context.Cause(db.ctx)) })()
	err := open(ctx, ed.telling(e, cancel, time.Now().Add(ed.Wait)))
	var held heldError
	if errors.As(err, &held) {
		return held
	}
	if locked, ok := errors.AsType[*session.LockedError](err); ok && !ed.Handover {
		return heldError{ed.key, locked.Holder} // it was taken after admit had looked
	}
	return err
}

// telling says who is waited for, and gives up when the operator's patience with a
// living server has ended.
func (ed *edit) telling(e *env, giveUp context.CancelCauseFunc, deadline time.Time) func(session.Holder) {
	return func(h session.Holder) {
		switch {
		case !living(&h):
			fmt.Fprintf(e.err, "Waiting for the lease of %q to be sealed: it ended %s.\n", console.Clean(h.Server), until(h.Expires))
		case !ed.Steal && time.Now().After(deadline):
			giveUp(heldError{ed.key, h})
		default:
			fmt.Fprintf(e.err, "Waiting for %q to hand %v over.\n", console.Clean(h.Server), ed.key)
		}
	}
}

// heldError says that a living server holds a player. It matches
// session.ErrLocked.
type heldError struct {
	key    session.Key
	holder session.Holder
}

func (e heldError) Error() string {
	return fmt.Sprintf("%v is held by %q since %s, whose lease ends %s unless it is renewed; nothing was changed: "+
		"--wait TIME waits, --handover asks that server to release the player, --steal takes him away",
		e.key, e.holder.Server, console.Time(e.holder.Since), until(e.holder.Expires))
}

// Is reports that the error is a session.ErrLocked.
func (e heldError) Is(target error) bool { return target == session.ErrLocked }

// apply makes changes in a session as an operator's act.
func apply(db *store.DB, srv *session.Server, s *session.Session, delta document.Delta, origin string, a *audit.Act) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	fail := func(err error) error {
		session.Rollback(tx)
		return fmt.Errorf("change %v: %w", s.Key(), err)
	}
	for _, c := range inOrder(tx.Document(), delta) {
		if c.Value == nil {
			err = tx.Delete(c.Path, false)
		} else {
			err = tx.Set(c.Path, c.Value, false)
		}
		if err != nil {
			return fail(err)
		}
	}
	if err := record(db, srv, tx, origin, a); err != nil {
		return fail(err)
	}
	return session.Commit(true, tx)
}

// record says in an update what sort of act it is and why, and attaches its entry in
// the audit log. An act that says not what it is has none.
func record(db *store.DB, srv *session.Server, tx *session.Tx, origin string, a *audit.Act) error {
	tx.Because(a.Reason)
	tx.Origin(origin)
	if a.What == "" {
		return nil
	}
	ws, err := acted(db, srv, *a)
	for _, w := range ws {
		w.Mode = driver.Always
		err = errors.Join(err, tx.Attach(w))
	}
	return err
}

// inOrder sorts changes by how much the document grows with each, those first
// that make it smaller: so that it is never larger in between than before or
// after.
func inOrder(now *document.Document, delta document.Delta) document.Delta {
	growth := func(c document.Change) int {
		old, _ := now.Get(c.Path)
		if c.Value == nil {
			return -len(old) - 1 - len(c.Path.Field) - len(c.Path.Element)
		}
		return len(c.Value) - len(old)
	}
	sizes := make(map[document.Path]int, len(delta))
	for _, c := range delta {
		sizes[c.Path] = growth(c)
	}
	sorted := slices.Clone(delta)
	slices.SortStableFunc(sorted, func(a, b document.Change) int { return sizes[a.Path] - sizes[b.Path] })
	return sorted
}

// report says what was changed.
func (ed *edit) report(e *env, done *editJSON) error {
	if ed.JSON {
		return writeJSON(e.out, done)
	}
	if !done.Changed {
		_, err := fmt.Fprintf(e.out, "%s is like that already; nothing was changed.\n", done.Key)
		return err
	}
	if err := writeChanges(e, done.Changes, false); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.out, "\n%s is saved as version %v. To take it back: holdfast restore %s %v\n",
		done.Key, done.Version, quoted(done.Key), done.Before)
	return err
}
