package session

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// Limits of what may wait for a session's next save.
const (
	MaxOutbox      = 256     // entries
	MaxOutboxBytes = 4 << 20 // of their keys and values
	MaxReason      = 200     // bytes of the reason of a change
)

// outbox are entries that the next commit of a root writes beside it, at most
// one for each key. It is never changed in place. The Retain of one that has versions is
// scheduled: which schedule that is only the server knows that makes the commit.
type outbox []driver.Write

// scheduled stands for Options.Retention.
var scheduled = new(driver.Retention)

// writes returns the writes to go into the batch of a root's write, with its schedule and
// its mark.
func (o outbox) writes(root *driver.Write, r *driver.Retention) []driver.Write {
	if !slices.ContainsFunc(o, func(w driver.Write) bool { return w.Retain != nil }) {
		return o
	}
	ws := slices.Clone(o)
	for i := range ws {
		if ws[i].Retain != nil {
			ws[i].Retain, ws[i].Mark = r, root.Mark
		}
	}
	return ws
}

// with returns the outbox with more writes, in their order. What is written
// takes the place of what was to be written; what is created if it is absent
// yields to it.
func (o outbox) with(more ...driver.Write) outbox {
	if len(o) == 0 || len(more) == 0 {
		return append(o[:len(o):len(o)], more...)
	}
	sum := slices.Clone(o)
	for _, w := range more {
		i := slices.IndexFunc(sum, func(was driver.Write) bool { return was.Key == w.Key })
		switch {
		case i < 0:
			sum = append(sum, w)
		case w.Mode == driver.Always:
			sum[i] = w
		case sum[i].Delete: // then it is absent
			sum[i] = driver.Write{Key: w.Key, Mode: driver.Always, Value: w.Value}
		}
	}
	return sum
}

func (o outbox) bytes() int {
	n := 0
	for i := range o {
		n += len(o[i].Key) + len(o[i].Value)
	}
	return n
}

// The forms of a write in a journal record.
const (
	outboxPut      = 1
	outboxDelete   = 2
	outboxOnce     = 3
	outboxRetained = 4
)

func (o outbox) appendBinary(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(o)))
	for i := range o {
		w := &o[i]
		form := byte(outboxPut)
		switch {
		case w.Delete:
			form = outboxDelete
		case w.Mode == driver.Once:
			form = outboxOnce
		case w.Retain != nil:
			form = outboxRetained
		}
		dst = append(dst, form)
		dst = binary.AppendUvarint(dst, uint64(len(w.Key)))
		dst = append(dst, w.Key...)
		dst = binary.AppendUvarint(dst, uint64(len(w.Value)))
		dst = append(dst, w.Value...)
	}
	return dst
}

// decodeOutbox splits an outbox off a record. Its values share b.
func decodeOutbox(b []byte) (o outbox, rest []byte, err error) {
	n, rest, err := cutNumber(b)
	if err != nil {
		return nil, nil, err
	}
	for ; n > 0; n-- {
		if len(rest) == 0 {
			return nil, nil, fmt.Errorf("%w: cut journal record", driver.ErrCorrupt)
		}
		form := rest[0]
		var key, value []byte
		if key, rest, err = cutBytes(rest[1:]); err == nil {
			value, rest, err = cutBytes(rest)
		}
		if err != nil {
			return nil, nil, err
		}
		w := driver.Write{Key: string(key), Mode: driver.Always, Value: value}
		switch form {
		case outboxPut:
		case outboxDelete:
			w.Delete, w.Value = true, nil
		case outboxOnce:
			w.Mode = driver.Once
		case outboxRetained:
			w.Retain = scheduled
		default:
			return nil, nil, fmt.Errorf("%w: outbox entry of form %d", driver.ErrFormat, form)
		}
		o = append(o, w)
	}
	return o, rest, nil
}

// Attach has the update write or delete an entry beside the document: with it
// in the journal, and in the same commit as the session's next save, which
// begins as soon as the update is in the journal. So no crash keeps the one
// without the other.
//
// The write's Mode is driver.Always for what belongs to the session's key, which
// nobody else writes, so that it needs no condition; or driver.Once for a message
// to another key: it is created if it is absent. Anything else is
// driver.ErrInvalid. The value is kept and must not be changed. When more than
// MaxOutbox entries or MaxOutboxBytes would wait for a save it is ErrOutboxFull,
// and nothing is attached.
func (tx *Tx) Attach(w driver.Write) error { return tx.attach(w, false) }

// AttachRetained is Attach for an entry that has versions, as the root has: the one that
// the write replaces is kept by Options.Retention of the server that makes the commit,
// and marked if the root's version is, until the entry is deleted. What is created if it
// is absent, and a deletion, is driver.ErrInvalid.
func (tx *Tx) AttachRetained(w driver.Write) error { return tx.attach(w, true) }

func (tx *Tx) attach(w driver.Write, retained bool) error {
	s := tx.s
	switch {
	case retained && (w.Delete || w.Mode != driver.Always):
		return fmt.Errorf("attach %q to %v: %w: only what is written has versions", w.Key, s.key, driver.ErrInvalid)
	case w.Mode != driver.Always && w.Mode != driver.Once || w.Mode == driver.Once && w.Delete || w.Retain != nil || w.Mark:
		return fmt.Errorf("attach %q to %v: %w: a write without conditions is wanted", w.Key, s.key, driver.ErrInvalid)
	case w.Delete && w.Value != nil:
		return fmt.Errorf("attach %q to %v: %w: a deletion with a value", w.Key, s.key, driver.ErrInvalid)
	case w.Key == s.rootKey || !w.Version.IsZero():
		return fmt.Errorf("attach %q to %v: %w: the root is not for it", w.Key, s.key, driver.ErrInvalid)
	}
	if err := driver.CheckKey(w.Key); err != nil {
		return fmt.Errorf("attach to %v: %w", s.key, err)
	}
	count, bytes := len(tx.outbox)+1, tx.outbox.bytes()+len(w.Key)+len(w.Value)
	for _, o := range s.outboxesLocked() {
		count, bytes = count+len(o), bytes+o.bytes()
	}
	if count > MaxOutbox || bytes > MaxOutboxBytes {
		return fmt.Errorf("attach to %v: %w: %d entries of %d bytes, at most %d of %d", s.key, ErrOutboxFull, count, bytes, MaxOutbox, MaxOutboxBytes)
	}
	if retained {
		w.Retain = scheduled
	}
	tx.outbox = tx.outbox.with(w)
	tx.weight += len(w.Key) + len(w.Value)
	return nil
}

// outboxesLocked returns all that waits for a save, or is in one under way.
func (s *Session) outboxesLocked() []outbox {
	all := []outbox{s.outbox}
	if s.saving != nil {
		all = append(all, s.saving.outbox)
	}
	for _, c := range []*changes{s.turned, s.pending} {
		if c != nil {
			all = append(all, c.outbox)
		}
	}
	return all
}

// Because gives the update a reason, of which MaxReason bytes are kept: it goes
// into the journal with the update, and into the version that the next save
// makes. A later call replaces it.
func (tx *Tx) Because(reason string) { tx.reason = keptReason(reason) }

// keptReason is what is kept of a reason.
func keptReason(reason string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(reason[:min(len(reason), MaxReason)], ""), originMark, " ")
}

// Keep has the version that the next save makes, and the one before it, kept beyond
// the retention's schedule: for an update that a player may ask about. A save that
// another server makes after a crash keeps none, unless the update has an Origin.
func (tx *Tx) Keep() { tx.keeps = true }

// Revision returns the revision that the document will have if the update
// changes anything.
func (tx *Tx) Revision() uint64 { return tx.s.revision + 1 }

// reasons are why something was changed, each once, in their order. They are
// never changed in place.
type reasons []string

// maxReasons is how many are kept of what one save holds, and maxOrigins how many
// origins beyond that.
const (
	maxReasons = 8
	maxOrigins = 8
)

// reasonSeparator stands between the reasons of one version.
const reasonSeparator = "; "

func (r reasons) with(more ...string) reasons {
	for _, reason := range more {
		if len(r) >= maxReasons {
			// An origin is not forgotten for the sake of the reasons before it.
			origin, _ := splitNoted(reason)
			if had := r.origins(); origin == "" || len(had) >= maxOrigins || slices.Contains(had, origin) {
				continue
			}
			reason = noted(origin, "")
		}
		if !slices.Contains(r, reason) {
			r = append(r[:len(r):len(r)], reason)
		}
	}
	return r
}

// String returns them in one line, for people.
func (r reasons) String() string { return strings.Join(r.texts(), reasonSeparator) }

func (r reasons) appendBinary(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(r)))
	for _, reason := range r {
		dst = binary.AppendUvarint(dst, uint64(len(reason)))
		dst = append(dst, reason...)
	}
	return dst
}

func decodeReasons(b []byte) (r reasons, rest []byte, err error) {
	n, rest, err := cutNumber(b)
	for ; n > 0 && err == nil; n-- {
		var reason []byte
		if reason, rest, err = cutBytes(rest); err == nil {
			r = append(r, string(reason))
		}
	}
	return r, rest, err
}

// ringAll rings for those to whom an outbox that has just been written holds
// something new.
func (srv *Server) ringAll(o outbox) {
	var keys []Key
	for i := range o {
		if o[i].Mode != driver.Once {
			continue
		}
		if parts, err := store.SplitKey(o[i].Key); err == nil && len(parts) > 2 {
			keys = append(keys, Key{parts[0], parts[1]})
		}
	}
	if len(keys) > 0 {
		srv.Ring(false, keys...)
	}
}
