package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// RerankOptions say how Rerank goes about it. Nil is the same as the zero value.
type RerankOptions struct {
	// After begins after an id, to go on where an earlier call was interrupted.
	After string
	// Progress is told after each page of keys how far it is. It must not block.
	Progress func(Reranked)
}

// Reranked is what Rerank has done so far.
type Reranked struct {
	Roots   int    // looked at
	Changed int    // whose rows or fields that feed them were changed
	Held    int    // that somebody holds, and opened with other fields; nothing was changed
	Failed  int    // that cannot be read; they are logged, and nothing was changed
	Last    string // the id that was looked at last
}

// Rerank lets fields feed rankings for all that is kept of a kind, also for those
// who are never opened: a ranking that has just been declared gets its rows, and
// one that is no longer declared loses them. Spec is called with what feeds
// rankings of one key now, and returns what shall; it must not block.
//
// It takes no locks: each root that nobody holds is written as it is, with its rows, by
// a conditional commit. A key that is held has its rows already if it was opened
// with the same fields, and otherwise is counted as held: it gets them when it is
// opened next, or by a further call. Rerank may be interrupted and repeated at any
// time. It blocks until it is done or ctx ends.
func (srv *Server) Rerank(ctx context.Context, kind string, spec func(now []Ranked) []Ranked, o *RerankOptions) (Reranked, error) {
	if err := (Key{kind, "x"}).Check(); err != nil {
		return Reranked{}, fmt.Errorf("rerank: %w", err)
	}
	if o == nil {
		o = &RerankOptions{}
	}
	rr := &reranking{srv: srv, spec: spec}
	q := driver.Query{Prefix: store.JoinKey(kind, ""), Limit: listPage}
	if o.After != "" {
		q.After = Key{kind, o.After}.String()
	}
	for {
		page, err := srv.db.List(ctx, q)
		if err == nil {
			err = rr.page(ctx, page.Entries)
		}
		if err != nil {
			return rr.sum, fmt.Errorf("rerank %q: %w", kind, err)
		}
		if o.Progress != nil {
			o.Progress(rr.sum)
		}
		if !page.More {
			return rr.sum, nil
		}
		q.After = page.Entries[len(page.Entries)-1].Key
	}
}

// reranking is one Rerank under way.
type reranking struct {
	srv  *Server
	spec func([]Ranked) []Ranked

	mu  sync.Mutex // guards sum while a page is committed
	sum Reranked
}

// page deals with the roots of one page, whose commits travel together.
func (rr *reranking) page(ctx context.Context, entries []driver.Entry) error {
	var all sync.WaitGroup
	var mu sync.Mutex // guards first
	var first error
	last := ""
	for i := range entries {
		key, err := ParseKey(entries[i].Key)
		if err != nil {
			continue // what belongs to a root
		}
		last = key.ID
		all.Go(func() {
			if err := rr.root(ctx, key, &entries[i]); err != nil {
				mu.Lock()
				first = errors.Join(first, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if first == nil && last != "" {
		rr.sum.Last = last
	}
	return first
}

// root deals with one root, from the entry that was listed on.
func (rr *reranking) root(ctx context.Context, key Key, e *driver.Entry) error {
	for {
		r, err := decodeRoot(e)
		var at *store.Attempt
		held := false
		if err == nil && r != nil {
			at, held, err = rr.plan(key, r, e)
		}
		if err != nil {
			rr.srv.opts.Logger.Error("a key's rows cannot be made", "key", key.String(), "err", err)
		}
		if err != nil || at == nil {
			rr.note(func(s *Reranked) { s.count(held, err != nil) })
			return nil
		}
		_, err = rr.srv.db.Commit(ctx, *at)
		if err == nil {
			rr.note(func(s *Reranked) { s.Roots++; s.Changed++ })
			return nil
		}
		if !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
		snap, err := rr.srv.db.Read(ctx, e.Key) // somebody opened or closed it meanwhile
		if err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
		e = &snap.Entries[0]
	}
}

func (rr *reranking) note(fn func(*Reranked)) {
	rr.mu.Lock()
	defer rr.mu.Unlock()
	fn(&rr.sum)
}

func (s *Reranked) count(held, failed bool) {
	s.Roots++
	if held {
		s.Held++
	}
	if failed {
		s.Failed++
	}
}

// plan returns the commit that gives a root its rows, nil if it needs none or is
// held.
func (rr *reranking) plan(key Key, r *root, e *driver.Entry) (at *store.Attempt, held bool, err error) {
	now := r.Rows.spec()
	spec := rr.spec(slices.Clone(now))
	if err := checkRanked(spec); err != nil {
		return nil, false, err
	}
	switch {
	case r.Erased:
		return nil, false, nil
	case r.Lock != nil:
		return nil, !slices.Equal(now, spec), nil
	}
	h, err := rr.srv.parse(r, e.Key)
	if err != nil {
		return nil, false, err
	}
	next, writes := r.Rows.follow(key, spec, fieldsOf(h.doc))
	if len(writes) == 0 && slices.Equal(now, spec) {
		return nil, false, nil
	}
	written := *r
	written.Rows, written.Reason, written.Origins, written.By = next, "", nil, ""
	value, err := written.append(nil, func(dst []byte) []byte { return h.doc.AppendJSON(dst) })
	if err != nil {
		return nil, false, err
	}
	id, err := rr.srv.db.NewVersion()
	if err != nil {
		return nil, false, err
	}
	w := driver.Write{Key: e.Key, Version: e.Version, Value: value, Retain: rr.srv.opts.Retention}
	return &store.Attempt{
		Batch: driver.Batch{ID: id, Writes: append([]driver.Write{w}, writes...)},
		Lane:  store.Background,
	}, false, nil
}
