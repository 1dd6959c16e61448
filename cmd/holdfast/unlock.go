package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// unlockCmd settles and releases a player.
type unlockCmd struct {
	Key   keyArg        `arg:"" help:"The player, as kind/id: player/42."`
	Steal bool          `help:"Take him also from a living server. What it has not yet put into the database is lost, and it is told."`
	Wait  time.Duration `default:"1m" placeholder:"TIME" help:"How long to wait for a dead server's lease to be sealed (default 1m)."`
	actFlags
	jsonFlag
	limitFlags
	timeoutFlag
}

// Help is shown below the command's summary.
func (*unlockCmd) Help() string {
	return "For a player whose server has died, or does not let go of him: what had reached its journal is put into his data, and he is free. " +
		"It is refused while his server is alive, unless --steal says so. Servers do the same by themselves when somebody wants the player, or when they find the dead lease."
}

// unlockJSON is what unlock writes with --json.
type unlockJSON struct {
	Key     string      `json:"key"`
	Was     *holderJSON `json:"was,omitzero"` // who held him; none: nobody did
	Stolen  bool        `json:"stolen,omitzero"`
	Changed bool        `json:"changed"`
}

// Run runs the command.
func (c *unlockCmd) Run(ctx context.Context, e *env) error {
	if err := c.checkAct(); err != nil {
		return err
	}
	if c.Wait <= 0 {
		return usageError{fmt.Errorf("--wait %v: give a time above zero", c.Wait)}
	}
	db, err := e.openDatabase(ctx, editing, c.timeoutFlag)
	if err != nil {
		return err
	}
	was, err := c.unlock(ctx, e, db)
	err = errors.Join(db.why(err), db.close())
	if err != nil {
		return err
	}
	return c.report(e, was)
}

// unlock releases the player, and returns who held him; nil if nobody did.
func (c *unlockCmd) unlock(ctx context.Context, e *env, db *database) (was *session.Holder, err error) {
	v, err := db.reader().Peek(db.ctx, c.Key.Key)
	switch {
	case err != nil || v.Holder == nil:
		return nil, err
	case living(v.Holder) && !c.Steal:
		return nil, heldError{c.Key.Key, *v.Holder}
	}
	srv, err := e.serve(db, "unlock", c.limits())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.retire(srv)) }()
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	ed := edit{editFlags: editFlags{actFlags: c.actFlags, Steal: c.Steal && living(v.Holder)}, command: "unlock", key: c.Key.Key}
	s, err := ed.open(ctx, e, db, srv)
	if err != nil {
		return nil, err
	}
	return v.Holder, c.release(db, srv, s, v.Holder)
}

// release closes the player's session, and notes that in the same commit.
func (c *unlockCmd) release(db *database, srv *session.Server, s *session.Session, was *session.Holder) error {
	a, err := c.act("unlock", c.Key.Key, map[string]any{"was": jsonHolder(was), "stolen": c.Steal})
	if err != nil {
		return err
	}
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	if err := record(db.DB, srv, tx, session.OriginEdit, &a); err != nil {
		session.Rollback(tx)
		return err
	}
	if err := session.Commit(true, tx); err != nil {
		return err
	}
	return s.Close(db.ctx)
}

func (c *unlockCmd) report(e *env, was *session.Holder) error {
	if c.JSON {
		return writeJSON(e.out, unlockJSON{c.Key.String(), jsonHolder(was), was != nil && c.Steal, was != nil})
	}
	if was == nil {
		_, err := fmt.Fprintf(e.out, "%v is not locked; nothing was changed.\n", c.Key)
		return err
	}
	_, err := fmt.Fprintf(e.out, "%v is released; %s held him since %s.\n", c.Key, console.Clean(was.Server), console.Time(was.Since))
	return err
}
