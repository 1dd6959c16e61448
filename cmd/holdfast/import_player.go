package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// errExists means that there is a player already.
var errExists = errors.New("exists with other data; --replace replaces it")

// admit looks whether a document may be imported, before anything is locked.
func (im *importer) admit(key session.Key, doc *document.Document) (state, error) {
	v, err := im.rd.Peek(im.db.ctx, key)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return imported, nil
	case err != nil:
		return refused, err
	case living(v.Holder):
		return refused, fmt.Errorf("%w: held by %q since %s, whose lease ends %s unless it is renewed",
			session.ErrLocked, v.Holder.Server, console.Time(v.Holder.Since), until(v.Holder.Expires))
	}
	return im.compare(v.Document, doc)
}

// compare says what is to be done with a document for a player with data.
func (im *importer) compare(now, doc *document.Document) (state, error) {
	switch {
	case now.Len() == 0 && doc.Len() > 0:
		return imported, nil
	case document.Equal(now.AppendJSON(nil), doc.AppendJSON(nil)):
		return unchanged, nil
	case !im.cmd.Replace:
		return refused, errExists
	}
	return imported, nil
}

// open opens a player's session. A dead server's is taken over; if a living one
// was faster, the player is left to it.
func (im *importer) open(ctx context.Context, key session.Key) (*session.Session, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(im.db.ctx, func() { cancel(context.Cause(im.db.ctx)) })()
	return im.srv.Open(ctx, key, &session.OpenOptions{NoAsk: true, Waiting: func(h session.Holder) {
		im.mu.Lock()
		told := im.waits[h.Lease]
		im.waits[h.Lease] = true
		im.mu.Unlock()
		if !told {
			im.bar.Note(im.env.err, fmt.Sprintf("Waiting for the lease of %q to be sealed: it ended %s.", h.Server, until(h.Expires)))
		}
	}})
}

// put gives a session a document, as one change that is marked with a reason.
func (im *importer) put(s *session.Session, doc *document.Document, reason string) error {
	delta := document.Diff(snapshot(s), doc)
	for {
		err := apply(im.db.DB, im.srv, s, delta, session.OriginImport, im.act(s, reason))
		if !errors.Is(err, session.ErrSuspended) || im.db.ctx.Err() != nil {
			return err
		}
		// The machine is busy. The next renewal decides.
		select {
		case <-time.After(look):
		case <-s.Done():
		case <-im.db.ctx.Done():
		}
	}
}

// act is the entry in the audit log of what is imported over a player's data. A player
// who had none has none: the import as a whole has one.
func (im *importer) act(s *session.Session, reason string) *audit.Act {
	a := &audit.Act{By: im.cmd.By, Key: s.Key(), Reason: reason}
	if !s.Fresh() && im.cmd.Replace {
		a.What = session.OriginImport
	}
	return a
}

// history imports several saves of one player, one version for each.
func (im *importer) history(ctx context.Context, src source) error {
	var h history
	for it, err := range src.items {
		if err = im.stopped(ctx, it, err); err != nil {
			return errors.Join(err, h.close(im))
		}
		doc, err := it.parse(im.cmd.limits())
		if err != nil {
			im.note(it, refused, err)
			continue
		}
		h.add(ctx, im, it, doc)
	}
	return h.close(im)
}

// history is the session of the one player whose saves are imported, and the
// save that is in it and not in the database yet: the last one travels with
// the session's end.
type history struct {
	s    *session.Session
	last *item
	ours bool  // what the session holds was imported
	err  error // why the player cannot be opened
}

// add imports the next save.
func (h *history) add(ctx context.Context, im *importer, it item, doc *document.Document) {
	st, err := h.admit(ctx, im, it, doc)
	if st == imported {
		h.save(im, func() error { return h.s.Save(im.db.ctx) })
		if err = im.put(h.s, doc, im.cmd.Reason); err == nil {
			h.last, h.ours = &it, true
			return
		}
		st = refused
	}
	im.note(it, st, err)
}

// admit opens the player for the first save, and says what is to be done with
// each.
func (h *history) admit(ctx context.Context, im *importer, it item, doc *document.Document) (state, error) {
	if h.s == nil && h.err == nil {
		var st state
		if st, h.err = im.admit(it.key, doc); st == unchanged {
			return st, nil
		}
		if h.err == nil {
			h.s, h.err = im.open(ctx, it.key)
		}
	}
	switch {
	case h.err != nil:
		return refused, h.err
	case !h.ours && !h.s.Fresh():
		return im.compare(snapshot(h.s), doc)
	case h.ours && len(document.Diff(snapshot(h.s), doc)) == 0:
		return unchanged, nil
	}
	return imported, nil
}

// save writes what the session holds of the save before, and notes what became
// of it.
func (h *history) save(im *importer, write func() error) {
	if h.last == nil {
		return
	}
	st, err := imported, write()
	if err != nil {
		st = refused
	}
	im.note(*h.last, st, err)
	h.last = nil
}

// close releases the player, with the last save.
func (h *history) close(im *importer) error {
	if h.s == nil {
		return nil
	}
	var err error
	release := func() error { err = h.s.Close(im.db.ctx); return err }
	if h.last == nil {
		return release()
	}
	h.save(im, release)
	return nil
}
