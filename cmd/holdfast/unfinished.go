package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// openDatabase opens the database that the command line names. The caller
// closes it. One into which a copy is unfinished can only be read, with a
// warning: what it lacks looks as if it never was.
func (e *env) openDatabase(ctx context.Context, a access, f timeoutFlag) (*database, error) {
	db, err := e.connect(ctx, a, f)
	if err != nil {
		return nil, err
	}
	snap, err := db.Read(db.ctx, session.UnfinishedKey())
	if err != nil {
		return nil, errors.Join(db.why(err), db.close())
	}
	if !snap.Entries[0].Found() {
		return db, nil
	}
	from := "another database"
	if u, err := session.DecodeUnfinished(&snap.Entries[0]); err == nil {
		from = u.Source
	}
	if a == reading {
		fmt.Fprintln(e.err, console.Clean("This is an unfinished copy of "+from+". Some of it is missing."))
		return db, nil
	}
	return nil, errors.Join(fmt.Errorf("%w: from %s", session.ErrUnfinished, from), db.close())
}
