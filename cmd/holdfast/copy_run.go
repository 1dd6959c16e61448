package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// copying is a copy under way. Its steps, in order: the source must be at rest
// (admit); the target is marked as unfinished (claim); everything in which they
// differ is moved (move); both are read once more, whole, and compared (verify);
// the mark goes (finish). Each write names the mark's version as a check, so a
// copy that another has taken the place of is refused, however late it comes.
type copying struct {
	env         *env
	ctx         context.Context // ends with an interrupt, or when either database was given up
	stop        context.CancelFunc
	from, to    *side
	keepDamaged bool
	mark        driver.Check // where the mark of this run stands
	bar         *console.Progress

	versions       int64    // in the source, when the copy began
	outline        [32]byte // checksum of the source's outlines then
	moved, deleted int      // entries that were written, and that the source no longer has
	damaged        int      // versions in the source that do not verify and were not copied
}

// copied is what a copy has come to.
type copied struct {
	names          [2]string
	from, to       *summary
	moved, deleted int
}

func newCopying(e *env, from *side, keepDamaged bool) *copying {
	c := &copying{env: e, from: from, keepDamaged: keepDamaged}
	c.ctx, c.stop = context.WithCancel(from.ctx)
	return c
}

// into says what is copied into.
func (c *copying) into(to *side) {
	c.to = to
	context.AfterFunc(to.ctx, c.stop)
}

// close closes both databases.
func (c *copying) close() error {
	c.stop()
	err := c.from.close()
	if c.to != nil {
		err = errors.Join(c.to.close(), err)
	}
	return err
}

// why adds to an error why the patience with either database has ended.
func (c *copying) why(err error) error {
	err = c.from.why(err)
	if c.to != nil {
		err = c.to.why(err)
	}
	return err
}

// run copies, and returns what both sides hold in the end.
func (c *copying) run() (*copied, error) {
	if err := c.claim(); err != nil {
		return nil, err
	}
	if err := c.look(); err != nil {
		return nil, err
	}
	if err := c.move(); err != nil {
		return nil, err
	}
	if c.damaged > 0 {
		return nil, damageError{c.damaged}
	}
	r, err := c.verify()
	if err != nil {
		return nil, err
	}
	// A server that has begun to use the source in the meantime would go on
	// there with players who are moving away.
	if err := c.admit(); err != nil {
		return nil, err
	}
	return r, c.finish()
}

// admit refuses a source that somebody uses, or that is itself the unfinished
// copy of another.
func (c *copying) admit() error {
	snap, err := c.from.Read(c.ctx, session.UnfinishedKey())
	if err != nil {
		return err
	}
	if snap.Entries[0].Found() {
		u, err := session.DecodeUnfinished(&snap.Entries[0])
		if err != nil {
			return fmt.Errorf("copy %s: %w: %w", c.from.name, session.ErrUnfinished, err)
		}
		return fmt.Errorf("copy %s: %w: from %s", c.from.name, session.ErrUnfinished, u.Source)
	}
	used := &inUseError{database: c.from.name}
	for l, err := range c.from.reader().Leases(c.ctx) {
		if err != nil {
			return err
		}
		if name := usedBy(&l, time.Now()); name != "" {
			used.servers = append(used.servers, name)
		}
	}
	if used.servers != nil {
		return used
	}
	return nil
}

// usedBy describes the server that holds a lease, if it may be alive. A lease
// that cannot be read says nothing of its length, so the longest there is
// counts.
func usedBy(l *session.LeaseInfo, now time.Time) string {
	switch {
	case l.Err != nil && now.Sub(l.Renewed) < session.MaxLease:
		return fmt.Sprintf("a server whose lease %s, written %s, cannot be read (%s)", l.ID, console.Time(l.Renewed), firstLine(l.Err))
	case l.Err == nil && l.SealedBy == "" && l.Expires.After(now):
		return fmt.Sprintf("%q (lease %s, renewed %s)", l.Server, l.ID, console.Time(l.Renewed))
	}
	return ""
}

// look counts what there is in the source, takes its measure, and says which
// servers seem to be dead and were never declared so: their players are taken
// over on the copy.
func (c *copying) look() error {
	for l, err := range c.from.reader().Leases(c.ctx) {
		if err != nil {
			return err
		}
		if l.Err == nil && l.SealedBy == "" {
			line := fmt.Sprintf("The lease of %q ran out at %s and nobody has sealed it. See that this server no longer runs.", l.Server, console.Time(l.Expires))
			fmt.Fprintln(c.env.err, console.Clean(line))
		}
	}
	c.bar = console.NewProgress(c.env.err, "count", -1, console.Things)
	defer c.bar.Close()
	m := newCensus()
	for r, err := range c.from.records(c.ctx, true) {
		if err != nil {
			return err
		}
		m.add(r)
		c.bar.Add(int64(1 + len(r.Retained)))
	}
	s := m.summary()
	c.versions, c.outline = s.versions, s.outline
	return nil
}

// claim marks the target. It refuses one that holds anything but an unfinished
// copy of this source. It is claimed first, and looked at again: a server that took
// its lease just before is seen then, also if this is a run that goes on with an
// earlier one.
func (c *copying) claim() error {
	snap, err := c.to.Read(c.ctx, session.UnfinishedKey())
	if err != nil {
		return err
	}
	was := &snap.Entries[0]
	u, err := session.DecodeUnfinished(was)
	switch {
	case err != nil:
		return fmt.Errorf("copy to %s: %w", c.to.name, err)
	case u == nil:
		if err := c.vacant(); err != nil {
			return err
		}
		u = &session.Unfinished{Source: c.from.name, By: serverName("copy"), Began: time.Now(), Claimed: true}
	case u.Source != c.from.name:
		return fmt.Errorf("copy to %s: %w: it is an unfinished copy of %s", c.to.name, errOccupied, u.Source)
	}
	if err := c.setMark(u, was.Version); err != nil || !u.Claimed {
		return err
	}
	if err := c.vacant(); err != nil {
		return errors.Join(err, c.finish())
	}
	u.Claimed = false
	return c.setMark(u, c.mark.Version)
}

// setMark makes the mark, or makes the mark of an earlier run this one's.
func (c *copying) setMark(u *session.Unfinished, was driver.Version) error {
	value, err := u.Encode()
	if err != nil {
		return err
	}
	id, err := c.to.NewVersion()
	if err != nil {
		return err
	}
	err = c.commitTo(driver.Batch{ID: id, Writes: []driver.Write{{Key: session.UnfinishedKey(), Version: was, Value: value}}})
	if err != nil {
		return fmt.Errorf("mark %s as unfinished: %w", c.to.name, err)
	}
	c.mark = driver.Check{Key: session.UnfinishedKey(), Version: id}
	return nil
}

// vacant refuses a target that holds anything.
func (c *copying) vacant() error {
	for r, err := range c.to.records(c.ctx, true) {
		if err != nil {
			return err
		}
		return fmt.Errorf("copy to %s: %w: there is %q", c.to.name, errOccupied, r.Key)
	}
	return nil
}

// commitTo commits a batch to the target.
func (c *copying) commitTo(b driver.Batch) error {
	_, err := c.to.Commit(c.ctx, store.Attempt{Batch: b, Lane: store.Waited, Tries: -1})
	if errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
		return errTaken // only the mark can be in the way
	}
	return err
}

// finish removes the mark: from then on servers may use the copy.
func (c *copying) finish() error {
	id, err := c.to.NewVersion()
	if err != nil {
		return err
	}
	err = c.commitTo(driver.Batch{ID: id, Writes: []driver.Write{{Key: c.mark.Key, Version: c.mark.Version, Delete: true}}})
	if errors.Is(err, store.ErrUncertain) {
		// Its answer was lost. Nobody else removes a mark of this version.
		snap, readErr := c.to.Read(c.ctx, c.mark.Key)
		if readErr == nil && !snap.Entries[0].Found() {
			return nil
		}
		err = errors.Join(err, readErr)
	}
	if err != nil {
		return fmt.Errorf("finish %s: %w", c.to.name, err)
	}
	return nil
}
