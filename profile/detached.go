package profile

import (
	"bytes"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// detached returns a profile over a document that no session keeps, and which
// is the profile's from now on. Nothing saves it, the server does not know it,
// and Update refuses it: only runDetached changes it. The error matches
// ErrWrongType.
func detached(srv *Server, key session.Key, doc *document.Document) (*Profile, error) {
	p := &Profile{srv: srv, schema: srv.schema, key: key}
	p.failed = &failed{err: ErrCopy, doc: doc, done: make(chan struct{})}
	return p, p.loadSlots(doc)
}

// runDetached updates detached profiles with fn, all or none of them, and
// returns what has become of each by that: of every field and element that was
// written, the value that it has now, and never both a field and an element of
// it. The transactions and the deltas come in the order of ps. The bytes of the
// deltas are shared with the documents. One goroutine at a time may update a
// detached profile.
//
// A profile that is named twice, or is not detached, is driver.ErrInvalid. If
// fn returns an error or panics, or a write was refused, nothing has changed.
func runDetached(ps []*Profile, fn func([]*Tx) error) ([]document.Delta, error) {
	if err := checkDetached(ps); err != nil {
		return nil, err
	}
	txs := make([]*Tx, len(ps))
	for i, p := range ps {
		p.lock()
		defer p.mu.Unlock()
		txs[i] = newTx(p)
		txs[i].w = &localTx{doc: p.failed.doc}
	}
	ended := false
	defer func() {
		if !ended { // fn has panicked, or ended its goroutine
			endAll(txs)
			rollback(txs...)
		}
	}()
	err := holdAll(fn, txs)
	ended = true
	endAll(txs)
	for _, tx := range txs {
		err = firstError(err, tx.err)
	}
	if err != nil {
		rollback(txs...)
		return nil, err
	}
	deltas := make([]document.Delta, len(txs))
	for i, tx := range txs {
		deltas[i] = written(tx.w.(*localTx))
	}
	free(txs)
	return deltas, nil
}

func checkDetached(ps []*Profile) error {
	seen := make(map[session.Key]bool, len(ps))
	for _, p := range ps {
		if seen[p.key] || p.failed == nil || p.failed.err != ErrCopy {
			return fmt.Errorf("update copy of %v: %w: it is named twice or is none", p.key, driver.ErrInvalid)
		}
		seen[p.key] = true
	}
	return nil
}

// written returns the values that everything has now that was written and is
// not what it was, in the order of the first writes.
func written(l *localTx) document.Delta {
	whole := make(map[string]bool)
	for _, c := range l.undo {
		if !c.Path.Deep {
			whole[c.Path.Field] = true
		}
	}
	seen := make(map[document.Path]bool)
	var delta document.Delta
	for _, c := range l.undo {
		path := c.Path
		if whole[path.Field] {
			path = document.Field(path.Field)
		}
		if seen[path] {
			continue
		}
		seen[path] = true
		value, _ := l.doc.Get(path)
		if c.Path == path && bytes.Equal(c.Value, value) {
			continue // it is as it was before
		}
		delta = append(delta, document.Change{Path: path, Value: value})
	}
	return delta
}
