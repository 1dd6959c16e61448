package session

import (
	"context"
	"fmt"
	"iter"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// RootView is a root of a listing with the document under it.
type RootView struct {
	RootInfo
	Document *document.Document // as Peek returns it; nil if Err is set, or the root is erased
}

// Views is Roots with the documents. Those of keys that nobody holds come with the
// listing's pages, so that it reads about as fast as the database lists; each of
// the others is read by itself, with the journal's tail. What cannot be read,
// also in its data, is yielded with its Err set.
func (rd *Reader) Views(ctx context.Context, o *RootsOptions) iter.Seq2[RootView, error] {
	return func(yield func(RootView, error) bool) {
		q := o.query()
		for {
			page, err := rd.db.List(ctx, q)
			if err != nil {
				yield(RootView{}, fmt.Errorf("list keys: %w", err))
				return
			}
			for i := range page.Entries {
				key, err := ParseKey(page.Entries[i].Key)
				if err != nil {
					continue // the system's own, or what belongs to a root
				}
				v := rd.view(ctx, key, &page.Entries[i])
				if ctx.Err() != nil {
					yield(RootView{}, fmt.Errorf("list keys: %w", context.Cause(ctx)))
					return
				}
				if !yield(v, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			q.After = page.Entries[len(page.Entries)-1].Key
		}
	}
}

// view reads what an entry of a page holds.
func (rd *Reader) view(ctx context.Context, key Key, e *driver.Entry) RootView {
	v := RootView{RootInfo: RootInfo{
		Key: key, Version: e.Version, Created: e.Created, Updated: e.Updated.Wall, Bytes: len(e.Value),
	}}
	r, err := decodeRoot(e)
	switch {
	case err != nil:
		v.Err = err
	case r.Erased:
		v.Erased = true
	case r.Lock == nil:
		v.Document, v.Err = r.document(e.Key, &rd.limits)
	default:
		var seen *View
		if seen, v.Err = rd.Peek(ctx, key); v.Err == nil {
			v.Document, v.Version, v.Updated, v.Holder = seen.Document, seen.Version, seen.Updated, seen.Holder
		}
	}
	return v
}

// Keys yields the keys under which something is kept, erased ones included, in the
// order of their text, without reading what that is.
func (rd *Reader) Keys(ctx context.Context, o *RootsOptions) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		q := o.query()
		q.KeysOnly, q.Limit = true, driver.MaxRead
		for {
			page, err := rd.db.List(ctx, q)
			if err != nil {
				yield(Key{}, fmt.Errorf("list keys: %w", err))
				return
			}
			for i := range page.Entries {
				key, err := ParseKey(page.Entries[i].Key)
				if err == nil && !yield(key, nil) {
					return
				}
			}
			if !page.More {
				return
			}
			q.After = page.Entries[len(page.Entries)-1].Key
		}
	}
}
