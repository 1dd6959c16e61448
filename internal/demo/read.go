package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// readAll reads what the database holds of every player, without taking them.
func readAll(ctx context.Context, o *Options, url string, players []*player) (map[string]*final, error) {
	drv, err := reopen(ctx, o, url)
	if err != nil {
		return nil, fmt.Errorf("read players: %w", err)
	}
	db, err := store.New(drv, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read players: %w", err), drv.Close())
	}
	reader := session.NewReader(db, document.Limits{})
	finals := make(map[string]*final)
	var mu sync.Mutex
	err = forEach(ctx, players, func(ctx context.Context, p *player) error {
		v, err := reader.Peek(ctx, session.Key{Kind: Kind, ID: p.id})
		f := &final{err: err}
		if err == nil {
			f.read(v, p)
		}
		mu.Lock()
		defer mu.Unlock()
		finals[p.id] = f
		return nil
	})
	if err = errors.Join(err, db.Close(ctx)); err != nil {
		return nil, fmt.Errorf("read players: %w", err)
	}
	return finals, nil
}

// reopen opens a database that was there before: if it is away now it may come
// back.
func reopen(ctx context.Context, o *Options, url string) (driver.DB, error) {
	for give := time.Now().Add(patience); ; {
		drv, err := o.Open(ctx, url)
		if !errors.Is(err, driver.ErrUnavailable) || time.Now().After(give) || !rest(ctx, time.Second, nil) {
			return drv, err
		}
	}
}

// read takes what a player has apart.
func (f *final) read(v *session.View, p *player) {
	// A lock whose lease is gone holds nobody: whoever opens him takes it.
	if v.Holder != nil && !v.Holder.Expires.IsZero() {
		f.holder = v.Holder.Server
	}
	whole := func(field string) int64 {
		value, ok := v.Document.Get(document.Field(field))
		if !ok {
			return 0
		}
		n, err := strconv.ParseInt(string(value), 10, 64)
		f.err = errors.Join(f.err, err)
		return n
	}
	f.updates, f.opened = whole(updates.Name()), whole(opened.Name())
	if value, ok := v.Document.Get(document.Field(done.Name())); ok {
		f.err = errors.Join(f.err, json.Unmarshal(value, &f.done))
	}
	for name := range v.Document.Elements(bag.Name()) {
		f.items = append(f.items, name)
	}
	f.same = sameImported(v.Document, p.imported)
}

// sameImported reports whether a document has what was imported, equal in
// meaning, and beside it only fields of the demo's own.
func sameImported(now, imported *document.Document) bool {
	n := 0
	for field, value := range now.Fields() {
		if isOwn(field) {
			continue
		}
		n++
		was, ok := imported.Get(document.Field(field))
		if !ok || !document.Equal(value, was) {
			return false
		}
	}
	return n == imported.Len()
}
