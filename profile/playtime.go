package profile

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/document"
)

// MaxPlayTime is the longest time that a PlayTime holds, about 146 years.
const MaxPlayTime = time.Duration(1<<62) / time.Millisecond * time.Millisecond

// PlayTimeField is a field that holds how long the game has had the profile open,
// all its sessions together. It grows by itself, without updates: growing makes
// nothing dirty, is not journalled, wakes nobody and emits no events. What has grown
// is written with every save that happens anyway, and with the final one. So a player
// who does nothing costs no write, and a crash loses at most what has grown since
// the last save. How often that is for a player who changes nothing, is for the
// game: Profile.Save saves it.
//
// Time is counted by the monotonic clock of the server, from when the game opens
// the profile until its final save is built. It goes on while the server is suspended or the
// profile held still. It does not count while the profile is open only for a moment
// to be given messages, nor while the game has paused it. It is stored as a number of
// whole milliseconds, so that each session is counted to less than a millisecond.
type PlayTimeField struct{ field }

// PlayTime declares a field of the time that was played, 0 at first. A schema may
// have several, such as one of all and one of matches, which the game pauses in the
// lobby. Options: Private, Lazy (of writes; it grows lazily in any case), Volatile
// (the time since the profile was opened).
func PlayTime(name string, opts ...FieldOption) *PlayTimeField {
	f := &PlayTimeField{newField(name, opts)}
	f.settings.grows = true
	f.restrict(0)
	return f
}

// The slot of a play time has in ref a *playClock, or nil until the game has opened
// the profile, and always in a copy; then its n is what was played. A clock is
// immutable, and replaced with the session's lock held. To write what has grown into
// the document needs that lock alone: no reader waits for it, and the time does not
// depend on what becomes of a save.

// playClock is a play time that grows.
type playClock struct {
	total  time.Duration // at since
	since  time.Time     // zero while it stands still
	begun  bool          // the game has the profile open
	pause  bool          // as the game said last
	absent bool          // it belongs to a save slot, and none is loaded
	stored int64         // what the document holds, in milliseconds
}

// now returns the time that was played.
func (c *playClock) now() time.Duration {
	if c.since.IsZero() {
		return c.total
	}
	return c.total + time.Since(c.since)
}

// from returns a clock that goes on from a total.
func (c playClock) from(total time.Duration) *playClock {
	c.total, c.since = total, time.Time{}
	if c.begun && !c.pause && !c.absent {
		c.since = time.Now()
	}
	return &c
}

// clock returns the slot's clock, or nil.
func (sl *slot) clock() *playClock {
	if held := sl.ref.Load(); held != nil {
		return (*held).(*playClock)
	}
	return nil
}

func (sl *slot) setClock(c *playClock) {
	var held any = c
	sl.ref.Store(&held)
}

// played returns the time that was played, in whole milliseconds.
func (sl *slot) played() int64 {
	if c := sl.clock(); c != nil {
		return c.now().Milliseconds()
	}
	return sl.n
}

// written notes that the document holds n, and makes that the time that was played if
// there is no clock.
func (sl *slot) written(n int64) {
	if c := sl.clock(); c != nil {
		next := *c
		next.stored = n
		sl.setClock(&next)
		return
	}
	sl.n = n
}

// load takes a stored value. A clock is moved by as much as the stored value has
// changed: what has grown since that was written stays.
func (f *PlayTimeField) load(sl *slot, value []byte) error {
	n := int64(0)
	if value != nil {
		var err error
		if n, err = parseInt(value); err == nil {
			err = checkPlayed(n)
		}
		if err != nil {
			return f.wrongType("play time", value, err)
		}
	}
	if c := sl.clock(); c != nil {
		next := *c
		next.total += time.Duration(n-c.stored) * time.Millisecond
		sl.setClock(&next)
	}
	sl.written(n)
	return nil
}

// checkPlayed refuses what is no time that was played, in milliseconds.
func checkPlayed(n int64) error { return checkWhole(n, 0, MaxPlayTime.Milliseconds()) }

func (f *PlayTimeField) verify(*slot, *document.Document) error { return nil }

// Get returns the time that was played, up to now, in whole milliseconds. Of a Copy
// it is what was stored. It allocates nothing.
func (f *PlayTimeField) Get(r Reader) time.Duration {
	p := r.begin()
	played := int64(0)
	if sl := slotOf(p, &f.field); sl != nil {
		played = sl.played()
	}
	r.end()
	return time.Duration(played) * time.Millisecond
}

// JSON returns the time that was played, up to now, in milliseconds.
func (f *PlayTimeField) JSON(r Reader) (json.RawMessage, error) {
	return wholeText(f.Get(r).Milliseconds()), nil
}

// Saved returns the time that was last saved to the player's root.
func (f *PlayTimeField) Saved(p *Profile) time.Duration {
	n, err := parseInt(p.saved(&f.field, f.path))
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// Set makes the time that was played d, of which whole milliseconds are kept, and
// which grows on from there. Unlike growth it is a change as any other. It is refused
// with ErrRange if d is negative or longer than MaxPlayTime.
func (f *PlayTimeField) Set(tx *Tx, d time.Duration) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	n := d.Milliseconds()
	if d < 0 {
		n = min(n, -1)
	}
	if err := checkPlayed(n); err != nil {
		return tx.refuse(&f.field, "", err)
	}
	return f.write(tx, i, n)
}

// write makes the time that was played n milliseconds.
func (f *PlayTimeField) write(tx *Tx, i int, n int64) error {
	sl := tx.touch(i)
	before := sl.played()
	sl.restart(n)
	tx.text = strconv.AppendInt(tx.text[:0], n, 10)
	if tx.holds(&f.field, f.path, tx.text) {
		f.restarted(tx, before, n, wholeText(n))
		return nil
	}
	return tx.set(&f.field, f.path, tx.text)
}

// restart lets the time go on from n milliseconds, which the document holds.
func (sl *slot) restart(n int64) {
	if c := sl.clock(); c != nil {
		sl.setClock(c.from(time.Duration(n) * time.Millisecond))
	}
	sl.written(n)
}

// Add adds d, which may be negative, to the time that was played. If the sum is
// negative or too long, the write is refused with ErrRange.
func (f *PlayTimeField) Add(tx *Tx, d time.Duration) error {
	if _, err := tx.position(&f.field, ""); err != nil {
		return err
	}
	n, err := sum(int64(f.Get(tx)), int64(d))
	if err != nil {
		return tx.refuse(&f.field, "", err)
	}
	return f.Set(tx, time.Duration(n))
}

// Reset makes the time that was played 0, and removes what is stored.
func (f *PlayTimeField) Reset(tx *Tx) error {
	i, err := tx.position(&f.field, "")
	if err != nil {
		return err
	}
	sl := tx.touch(i)
	before := sl.played()
	sl.restart(0)
	if !tx.documentOf(&f.field).Has(f.path) {
		f.restarted(tx, before, 0, nil)
		return nil
	}
	return tx.delete(&f.field, f.path)
}

// restarted notes that a time that has grown goes on from what is stored, value: the
// document is as it was, and what is read is not.
func (f *PlayTimeField) restarted(tx *Tx, before, n int64, value []byte) {
	if before != n && tx.collects() {
		tx.changes.add(tx.p, tx.fieldOf(&f.field), f.path, wholeText(before), value)
	}
}

// SetOp is the operation of Set. Operations have times in milliseconds.
func (f *PlayTimeField) SetOp(d time.Duration) Op { return wholeOp(opSet, f.path, d.Milliseconds()) }

// AddOp is the operation of Add. Its result is the new time.
func (f *PlayTimeField) AddOp(d time.Duration) Op { return wholeOp(opAdd, f.path, d.Milliseconds()) }

// ExpectAtLeastOp makes the condition that d or more was played.
func (f *PlayTimeField) ExpectAtLeastOp(d time.Duration) Op {
	return wholeOp(opExpectAtLeast, f.path, d.Milliseconds())
}

func (f *PlayTimeField) apply(tx *Tx, op *Op) (json.RawMessage, error) {
	switch op.action {
	case opReset:
		return nil, f.Reset(tx)
	case opSet, opAdd, opExpectAtLeast:
	default:
		return nil, f.applyAny(tx, op, "play time")
	}
	n, err := parseInt(op.value)
	if err != nil {
		return nil, tx.misfit(op, "play time", err)
	}
	if op.action == opExpectAtLeast {
		have := f.Get(tx).Milliseconds()
		return nil, tx.expect(op, have >= n, wholeText(have))
	}
	most := MaxPlayTime.Milliseconds()
	if err := checkWhole(n, -most, most); err != nil {
		return nil, tx.refuseOp(op, err)
	}
	d := time.Duration(n) * time.Millisecond
	if op.action == opSet {
		return nil, f.Set(tx, d)
	}
	if err := f.Add(tx, d); err != nil {
		return nil, err
	}
	return wholeText(f.Get(tx).Milliseconds()), nil
}

// Pause stops the time of a profile, as for a player who is away from the keyboard,
// until Resume or the end of the profile. It is kept in memory only, and may be
// called before the time has begun to grow, as in Options.OnOpen. Of a copy it does
// nothing. It waits for an update under way.
func (f *PlayTimeField) Pause(p *Profile) { f.paused(p, true) }

// Resume lets the time of a profile go on after Pause.
func (f *PlayTimeField) Resume(p *Profile) { f.paused(p, false) }

func (f *PlayTimeField) paused(p *Profile, pause bool) {
	p.lock()
	defer p.mu.Unlock()
	if sl := slotOf(p, &f.field); sl != nil && p.Err() != ErrCopy {
		p.openDocument()
		defer p.closeDocument()
		c := sl.beginClock()
		c.pause = pause
		sl.setClock(c.from(c.now()))
	}
}

// beginClock returns a copy of the slot's clock, or one that stands still if there is
// none.
func (sl *slot) beginClock() playClock {
	if c := sl.clock(); c != nil {
		return *c
	}
	return playClock{total: time.Duration(sl.n) * time.Millisecond, stored: sl.n}
}

// startPlayTime lets the play times of a profile grow, which the game has opened.
func (p *Profile) startPlayTime() {
	if !p.schema.grows {
		return
	}
	p.lock()
	defer p.mu.Unlock()
	d := p.openDocument()
	defer p.closeDocument()
	none := noneLoaded(d)
	p.eachPlayTime(func(f *field, sl *slot) {
		c := sl.beginClock()
		c.begun, c.absent = true, f.settings.perSlot && none
		sl.setClock(c.from(c.now()))
	})
}

// stopPlayTime ends the growth, when the profile has ended. No update can begin any
// more.
func (p *Profile) stopPlayTime() {
	if !p.schema.grows {
		return
	}
	p.eachPlayTime(func(_ *field, sl *slot) {
		if c := sl.clock(); c != nil {
			stopped := *c
			stopped.begun = false
			sl.setClock(stopped.from(c.now()))
		}
	})
}

func (p *Profile) eachPlayTime(fn func(f *field, sl *slot)) {
	for i, f := range p.schema.fields {
		if c := f.common(); c.settings.grows {
			fn(c, &p.slots[i])
		}
	}
}

// takeAlong writes what the play times have grown into a save that is about to be
// built. It is called with the session's lock held.
func (p *Profile) takeAlong(put func(field string, value []byte) error) {
	p.eachPlayTime(func(f *field, sl *slot) {
		n := sl.played()
		c := sl.clock()
		if c == nil || n == c.stored || f.settings.volatile || f.settings.perSlot && noneLoaded(p.s.Document()) {
			return
		}
		if err := put(f.name, strconv.AppendInt(nil, n, 10)); err != nil {
			p.srv.log.Error("the time that was played is not in this save", "key", p.key.String(), "field", f.name, "err", err)
			return
		}
		sl.written(n)
	})
}

// tickInSlot lets the play times of the save slot that the update has loaded grow, and
// stops those of none.
func (tx *Tx) tickInSlot() {
	none := noneLoaded(tx.w.Document())
	for i, f := range tx.p.schema.fields {
		if c := f.common(); !c.settings.grows || !c.settings.perSlot || tx.p.slots[i].clock() == nil {
			continue
		}
		sl := tx.touch(i)
		c := *sl.clock()
		c.absent = none
		sl.setClock(c.from(c.now()))
	}
}

// foldPlayTime writes what the play times have grown into the document, as changes of
// the update. It is for an update that puts stored fields aside and others in their
// place: when those are loaded, each play time goes on from what is stored there.
func (tx *Tx) foldPlayTime() error {
	for i, f := range tx.p.schema.fields {
		c := f.common()
		clock := tx.p.slots[i].clock
		if !c.settings.grows || c.settings.volatile || clock() == nil || c.settings.perSlot && noneLoaded(tx.w.Document()) {
			continue
		}
		n := tx.p.slots[i].played()
		if n == clock().stored {
			continue
		}
		tx.touch(i).written(n)
		tx.text = strconv.AppendInt(tx.text[:0], n, 10)
		first := tx.collects() && tx.changes.find(c.path) < 0
		if err := tx.set(c, c.path, tx.text); err != nil {
			return err
		}
		if at := tx.changes.find(c.path); first && at >= 0 {
			tx.changes.list[at].Old = wholeText(n) // it has grown, which is no change: what comes in its place is one
		}
	}
	return nil
}
