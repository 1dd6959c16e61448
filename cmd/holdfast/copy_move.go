package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
)

const (
	runKeys   = 2048 // entries that are moved together at most
	deleteMax = 256  // entries that are deleted together at most
)

// move makes the target hold what the source does. Both are walked through side
// by side in the order of their keys, without values; only what differs is read
// whole and written. So a second run finds at the pace of a listing where the
// first one stopped.
func (c *copying) move() error {
	c.bar = console.NewProgress(c.env.err, "copy", c.versions, console.Things)
	defer c.bar.Close()
	there, stop := iter.Pull2(c.to.outlines(c.ctx))
	defer stop()
	m := mover{copying: c, there: there}
	if err := m.next(); err != nil {
		return err
	}
	for r, err := range c.from.outlines(c.ctx) {
		if err != nil {
			return err
		}
		if err := m.entry(r); err != nil {
			return err
		}
	}
	if err := m.flush(); err != nil {
		return err
	}
	for m.at != nil {
		if err := m.extra(); err != nil {
			return err
		}
	}
	return m.deleteExtras()
}

// mover is where a copy stands in both databases. What it writes sorts before
// the target's next entry, which has been read: so it never meets what it wrote
// itself.
type mover struct {
	*copying
	there  func() (*driver.Record, error, bool)
	at     *driver.Record // the target's next entry; nil: there is none
	before string         // the key of the source's last entry
	run    run
	extras []string // of the target, to be deleted
	bad    string   // the last key that was not copied because it is damaged
}

// run is a row of the source's entries that are to be moved.
type run struct {
	after, last    string // keys: it begins after the one and ends with the other
	keys, versions int
}

// next goes to the target's next entry.
func (m *mover) next() error {
	r, err, ok := m.there()
	if !ok {
		r = nil
	}
	m.at = r
	return err
}

// entry deals with the next entry of the source.
func (m *mover) entry(r *driver.Record) error {
	for m.at != nil && m.at.Key < r.Key {
		if err := m.extra(); err != nil {
			return err
		}
	}
	same := m.at != nil && sameOutline(m.at, r)
	if m.at != nil && m.at.Key == r.Key {
		if err := m.next(); err != nil {
			return err
		}
	}
	after := m.before
	m.before = r.Key
	if same {
		m.bar.Add(int64(1 + len(r.Retained)))
		return m.flush()
	}
	if m.run.keys == 0 {
		m.run.after = after
	}
	m.run.last = r.Key
	m.run.keys++
	m.run.versions += 1 + len(r.Retained)
	if m.run.keys >= runKeys || m.run.versions >= driver.MaxRead {
		return m.flush()
	}
	return nil
}

// flush moves the run.
func (m *mover) flush() error {
	todo := m.run
	m.run = run{}
	if todo.keys == 0 {
		return nil
	}
	q := driver.RecordQuery{From: driver.Place{After: todo.after}}
	for left := todo.versions; ; {
		if left <= 0 { // an entry in several parts counts more than once
			left = driver.MaxRead
		}
		q.Limit = min(left, driver.MaxRead)
		page, err := m.from.page(m.ctx, q)
		if err != nil {
			return err
		}
		n, err := m.write(page.Records, todo.last)
		if err != nil || !page.More {
			return err
		}
		left -= n
		if q.From = page.Next(); q.From.Skip == 0 && q.From.After >= todo.last {
			return nil
		}
	}
}

// write writes records up to a key, those left out that are damaged, and
// returns how many versions it dealt with.
func (m *mover) write(records []driver.Record, last string) (versions int, err error) {
	var fine []driver.Record
	for i := range records {
		r := &records[i]
		if r.Key > last {
			break
		}
		versions += 1 + len(r.Retained)
		if !m.sound(r) {
			continue
		}
		fine = append(fine, *r)
		if r.Skipped == 0 {
			m.moved++
		}
	}
	m.bar.Add(int64(versions))
	if len(fine) == 0 {
		return versions, nil
	}
	t := driver.Transfer{Checks: []driver.Check{m.mark}, Records: fine}
	refused, err := answered(m.ctx, m.to, func(ctx context.Context) ([]driver.State, error) { return m.to.raw.WriteRecords(ctx, t) })
	if err == nil && refused != nil {
		err = errTaken
	}
	if err != nil {
		return versions, fmt.Errorf("copy to %s: %w", m.to.name, err)
	}
	m.env.log.Info("moved", "entries", m.moved, "last", fine[len(fine)-1].Key)
	return versions, nil
}

// sound reports whether a record can be copied, and says what of it is damaged.
// Damage that is to be kept must be such that the copy shows it too.
func (m *mover) sound(r *driver.Record) bool {
	if m.bad == r.Key {
		return false // an earlier part of it was left out
	}
	before := m.damaged
	m.inspect(r.Key, &r.Present)
	for i := range r.Retained {
		m.inspect(r.Key, &r.Retained[i])
	}
	if m.damaged == before {
		return true
	}
	if m.keepDamaged && r.Validate() == nil {
		m.damaged = before
		return true
	}
	m.bad = r.Key
	return false
}

// inspect counts and reports a version that does not verify.
func (m *mover) inspect(key string, v *driver.RecordVersion) {
	if v.Damaged == nil {
		return
	}
	m.damaged++
	m.bar.Note(m.env.err, fmt.Sprintf("%s, version %v: %s", key, v.Version, firstLine(v.Damaged)))
}

// extra notes the target's next entry for deletion: the source had it when an
// earlier run copied it.
func (m *mover) extra() error {
	m.extras = append(m.extras, m.at.Key)
	if len(m.extras) == deleteMax {
		if err := m.deleteExtras(); err != nil {
			return err
		}
	}
	return m.next()
}

func (m *mover) deleteExtras() error {
	if len(m.extras) == 0 {
		return nil
	}
	id, err := m.to.NewVersion()
	if err != nil {
		return err
	}
	b := driver.Batch{ID: id, Checks: []driver.Check{m.mark}}
	for _, key := range m.extras {
		b.Writes = append(b.Writes, driver.Write{Key: key, Mode: driver.Always, Delete: true})
	}
	m.deleted += len(m.extras)
	m.extras = nil
	if err := m.commitTo(b); err != nil {
		return fmt.Errorf("copy to %s: %w", m.to.name, err)
	}
	return nil
}
