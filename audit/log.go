package audit

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// LogOptions say which acts are listed. Nil is the same as the zero value.
type LogOptions struct {
	Key   session.Key // only those that concern it; zero: all
	Since time.Time   // only those at this time or later; zero: from the first
	Until time.Time   // only those before this time; zero: to the last
	By    string      // only those of this operator; empty: of all
	What  string      // only those of this sort; empty: all
}

func (o *LogOptions) wants(a *Act) bool {
	return !a.At.Before(o.Since) && (o.Until.IsZero() || a.At.Before(o.Until)) &&
		(o.By == "" || o.By == a.By) && (o.What == "" || o.What == a.What)
}

// after returns the key after which the acts are that are wanted, under a prefix.
func (o *LogOptions) after(prefix string) string {
	if o.Since.IsZero() || o.Since.UnixMilli() <= 0 {
		return ""
	}
	return prefix + idAt(driver.Version{}, o.Since).String()[:9] // the text of 45 of its 48 bits, so not later
}

// listPage is how many acts are read at a time.
const listPage = 256

// Log yields the acts that are wanted, in the order in which they were done: to the
// millisecond, and within one if they are one process's. One that cannot be read comes
// with an error and its ID, and the next ones follow; an error with a zero ID ends the
// listing. It blocks to read, a page at a time, and needs no server. What a server has in
// its journal and not in the database yet, it does not see: it is milliseconds behind.
func Log(ctx context.Context, db *store.DB, o *LogOptions) iter.Seq2[Act, error] {
	if o == nil {
		o = &LogOptions{}
	}
	return func(yield func(Act, error) bool) {
		prefix, index := store.SystemKey(system)+"/", o.Key != (session.Key{})
		if index {
			if err := o.Key.Check(); err != nil {
				yield(Act{}, fmt.Errorf("list acts: %w", err))
				return
			}
			prefix = IndexPrefix(o.Key)
		}
		q := driver.Query{Prefix: prefix, After: o.after(prefix), Limit: listPage, KeysOnly: index}
		for {
			page, err := db.List(ctx, q)
			if err == nil && index {
				page.Entries, err = named(ctx, db, page.Entries, &q)
			} else if n := len(page.Entries); n > 0 {
				q.After = page.Entries[n-1].Key
			}
			if err != nil {
				yield(Act{}, fmt.Errorf("list acts: %w", err))
				return
			}
			if !o.yield(page.Entries, yield) || !page.More {
				return
			}
		}
	}
}

// yield yields those of some entries that are wanted.
func (o *LogOptions) yield(entries []driver.Entry, yield func(Act, error) bool) bool {
	for i := range entries {
		e := &entries[i]
		if !e.Found() {
			continue // erased since it was listed
		}
		if a, err := decode(e); (err != nil || o.wants(&a)) && !yield(a, err) {
			return false
		}
	}
	return true
}

// named reads the entries that a page of an index names, and sets where the next one
// begins.
func named(ctx context.Context, db *store.DB, index []driver.Entry, q *driver.Query) ([]driver.Entry, error) {
	if len(index) == 0 {
		return nil, nil
	}
	keys := make([]string, len(index))
	for i := range index {
		keys[i] = store.SystemKey(system) + "/" + index[i].Key[len(q.Prefix):]
	}
	q.After = index[len(index)-1].Key
	snap, err := db.Read(ctx, keys...)
	return snap.Entries, err
}

// Write writes an act by itself, together with other entries if there are some, and
// returns it as it is stored. Server is who writes it, and now the database's time, as
// session.Server tells them. It blocks until that is on disk.
func Write(ctx context.Context, db *store.DB, server string, now time.Time, a Act, with ...driver.Write) (Act, error) {
	if err := a.Prepare(db, now, server); err != nil {
		return Act{}, err
	}
	ws, err := a.Writes()
	if err != nil {
		return Act{}, err
	}
	id, err := db.NewVersion()
	if err != nil {
		return Act{}, err
	}
	_, err = db.Commit(ctx, store.Attempt{Batch: driver.Batch{ID: id, Writes: append(ws, with...)}, Lane: store.Waited})
	if err != nil {
		return Act{}, fmt.Errorf("write act %q: %w", a.What, err)
	}
	return a, nil
}
