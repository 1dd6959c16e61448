package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// sweepPage is how many entries are deleted in one commit, each perhaps with what it
// names.
const sweepPage = 256

// progress is what one step of a sweep has come to.
type progress struct {
	deleted int
	quiet   bool          // nothing is found any more
	swept   bool          // or there is no tombstone any more: a new document has begun
	wait    time.Duration // until the next step can do anything
}

// sweepUp goes on with a sweep until it is done, or with noWait until nothing is found.
func (srv *Server) sweepUp(ctx context.Context, key Key, noWait bool, done *Erasure) error {
	for {
		p, err := srv.advance(ctx, key)
		done.Deleted += p.deleted
		switch {
		case err != nil:
			return err
		case p.swept || p.quiet && noWait:
			done.Swept = p.swept
			return nil
		}
		if pause(ctx, p.wait); ctx.Err() != nil {
			return fmt.Errorf("it is being swept: %w", context.Cause(ctx))
		}
	}
}

// advance takes a sweep one step further: it deletes what there is, notes in the
// tombstone that there is nothing, or a lease later that there still is nothing. Of
// several who do so at a time, one moves the tombstone, and the others look again.
// What comes late is noted there before it is deleted: who looks after that must not
// take the silence for an old one.
func (srv *Server) advance(ctx context.Context, key Key) (p progress, err error) {
	snap, err := srv.db.Read(ctx, key.String())
	if err != nil {
		return p, err
	}
	e := &snap.Entries[0]
	r, err := decodeRoot(e)
	if err != nil || r == nil || !r.Erased {
		p.swept = true
		return p, err
	}
	next := tombstone{ErasedAt: r.ErasedAt}
	late := false
	if r.Sweep == sweeping {
		if p.deleted, err = srv.sweep(ctx, key, e.Version); err != nil || p.deleted > 0 {
			return p, unlessMoved(err)
		}
	} else if late, err = srv.left(ctx, key); err != nil {
		return p, err
	}
	switch {
	case late: // it is to be swept again
	case r.Sweep == sweeping:
		next.Sweep = sweptOnce
	case r.Sweep == swept:
		p.swept = true
		return p, nil
	default:
		if next.Sweep, p.wait, err = srv.quietFor(ctx, e, snap.Now); err != nil || p.wait > 0 {
			p.quiet = true
			return p, err
		}
	}
	writes, err := next.write(key, e.Version)
	if err != nil {
		return p, err
	}
	if err := srv.commitErasure(ctx, driver.Batch{Writes: writes}, store.Waited); err != nil {
		return p, unlessMoved(err)
	}
	p.quiet, p.swept = next.Sweep == sweptOnce, next.Sweep == swept
	return p, nil
}

// unlessMoved returns an error, unless it says that another has moved the tombstone.
func unlessMoved(err error) error {
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUncertain) {
		return nil
	}
	return err
}

// quietFor says what is next for a quiet tombstone, in which nothing was found now:
// swept, or how long to wait for that. If the clock was set back, or the machine has
// booted since, the wait begins anew.
func (srv *Server) quietFor(ctx context.Context, e *driver.Entry, now driver.Moment) (sweepState, time.Duration, error) {
	longest := srv.opts.Lease
	for l, err := range NewReader(srv.db, srv.opts.Limits).Leases(ctx) {
		if err != nil {
			return "", 0, err
		}
		longest = max(longest, l.Length)
	}
	age, same := now.Since(e.Updated)
	switch {
	case !same || age < 0:
		return sweptOnce, 0, nil
	case age < longest:
		return "", longest - age, nil
	}
	return swept, 0, nil
}

// left reports whether anything lies under an erased key.
func (srv *Server) left(ctx context.Context, key Key) (bool, error) {
	page, err := srv.db.List(ctx, driver.Query{Prefix: key.String() + "/", Limit: 1, KeysOnly: true})
	return len(page.Entries) > 0, err
}

// sweep deletes what lies under an erased key, and what is named there, as long as
// its tombstone stands at a version. It returns how many entries it found.
func (srv *Server) sweep(ctx context.Context, key Key, at driver.Version) (found int, err error) {
	q := driver.Query{Prefix: key.String() + "/", KeysOnly: true, Limit: sweepPage}
	for {
		page, err := srv.db.List(ctx, q)
		if err != nil || len(page.Entries) == 0 {
			return found, err
		}
		b, err := srv.sweeping(ctx, key, page.Entries)
		if err != nil {
			return found, err
		}
		b.Checks = []driver.Check{{Key: key.String(), Version: at}}
		if err := srv.commitErasure(ctx, b, store.Background); err != nil {
			return found, err
		}
		found += len(page.Entries)
		if !page.More {
			return found, nil
		}
		q.After = page.Entries[len(page.Entries)-1].Key
	}
}

// sweeping returns the batch that deletes some of the entries under a root, and
// deletes or replaces what they name.
func (srv *Server) sweeping(ctx context.Context, key Key, listed []driver.Entry) (b driver.Batch, err error) {
	var index, outside []string
	for i := range listed {
		b.Writes = append(b.Writes, driver.Write{Key: listed[i].Key, Mode: driver.Always, Delete: true})
		if out, ok := Outside(key, listed[i].Key); ok {
			index, outside = append(index, listed[i].Key), append(outside, out)
		}
	}
	if len(index) == 0 {
		return b, nil
	}
	snap, err := srv.db.Read(ctx, index...)
	if err != nil {
		return b, err
	}
	for i := range snap.Entries {
		if !snap.Entries[i].Found() {
			continue // another was faster
		}
		w := decodeIndex(&snap.Entries[i]).leaves(outside[i])
		if b.Writes = append(b.Writes, w); !w.Delete {
			b.Forget = append(b.Forget, w.Key)
		}
	}
	return b, nil
}

// sweepSoon goes on in the background with what others have left, unless it is at it:
// the erasures that nobody has brought to their end, one step each, and the requests to
// servers that are gone.
func (srv *Server) sweepSoon() {
	if srv.sweeps.Swap(true) {
		return
	}
	srv.work(func() {
		defer srv.sweeps.Store(false)
		if err := srv.sweepOthers(srv.ctx); err != nil && srv.ctx.Err() == nil {
			srv.opts.Logger.Warn("what was erased is not all swept; it will be tried again", "err", err)
		}
		if err := srv.dropRequests(srv.ctx); err != nil && srv.ctx.Err() == nil {
			srv.opts.Logger.Warn("requests to servers that are gone are not all deleted; it will be tried again", "err", err)
		}
	})
}

func (srv *Server) sweepOthers(ctx context.Context) error {
	return srv.eachKey(ctx, erasedPrefix(), func(entry string) error {
		key, err := erasedIn(entry)
		if err == nil {
			_, err = srv.advance(ctx, key)
		}
		return err
	})
}

// erasedIn is the inverse of erasedKey.
func erasedIn(entry string) (Key, error) {
	parts, err := store.SplitKey(entry)
	if err != nil || len(parts) != 3 {
		return Key{}, fmt.Errorf("%w: list of erasures has %q", driver.ErrCorrupt, entry)
	}
	key := Key{parts[1], parts[2]}
	return key, key.Check()
}
