package sqlite

import (
	sqldriver "database/sql/driver"
	"math"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

const (
	// insertEntry creates an entry unless there is one.
	insertEntry = `INSERT INTO entries (key, version, recent, format, sum, created, updated, boot, tick, marked, value)
VALUES (?, ?, x'', ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`

	// replaceExpected is nearly every save: one statement that replaces an
	// entry if it is at the version that is expected, and if the schedule of
	// versions has nothing to do. If it replaces nothing, either of the two may
	// be why. The ids of the last versions are put together in SQL, so that
	// nothing has to be read first; a blob joined to a blob counts as text,
	// hence the cast.
	replaceExpected = `UPDATE entries SET
version = ?, recent = substr(CAST(version || recent AS BLOB), 1, ?),
format = ?, sum = ?, updated = ?, boot = ?, tick = ?, marked = ?, value = ?
WHERE key = ? AND version = ?
AND updated >= ? AND updated < ? AND marked <= ? AND retained <= ? AND (oldest IS NULL OR oldest > ?)`

	// replaceEntry replaces an entry whose state is known.
	replaceEntry = `UPDATE entries SET
version = ?, recent = ?, format = ?, sum = ?, updated = ?, boot = ?, tick = ?, marked = ?, value = ?
WHERE key = ?`

	deleteExpected = "DELETE FROM entries WHERE key = ? AND version = ?"
	deleteEntry    = "DELETE FROM entries WHERE key = ?"
	deleteHistory  = "DELETE FROM history WHERE key = ?"
)

// single tries a batch of one write without looking at the entry first. It
// returns false if it did nothing and the entry has to be looked at.
func (t *tx) single(id driver.Version, w *driver.Write) (done bool, err error) {
	var n int64
	switch {
	case w.Mode == driver.Once:
		_, err = t.insert(id, w)
		return true, err
	case w.Mode != driver.Expect:
		return false, nil
	case w.Delete && w.Version.IsZero():
		return false, nil
	case w.Delete:
		if n, err = t.exec(deleteExpected, w.Key, w.Version[:]); n > 0 {
			_, err = t.exec(deleteHistory, w.Key)
		}
	case w.Version.IsZero():
		n, err = t.insert(id, w)
	default:
		n, err = t.replaceExpected(id, w)
	}
	return n > 0, err
}

// put carries out a write whose conditions hold, on an entry that is as given;
// nil is absent.
func (t *tx) put(id driver.Version, w *driver.Write, s *stored) error {
	switch {
	case w.Delete && s == nil, w.Mode == driver.Once && s != nil:
		return nil
	case w.Delete:
		return t.delete(w.Key, s)
	case s == nil:
		_, err := t.insert(id, w)
		return err
	case w.Mode == driver.Expect:
		if n, err := t.replaceExpected(id, w); n > 0 || err != nil {
			return err
		}
	}
	return t.replace(id, w, s)
}

// delete removes an entry and its versions.
func (t *tx) delete(key string, s *stored) error {
	if _, err := t.exec(deleteEntry, key); err != nil || s.retained == 0 {
		return err
	}
	_, err := t.exec(deleteHistory, key)
	return err
}

// insert creates an entry unless there is one, and returns how many it
// created.
func (t *tx) insert(id driver.Version, w *driver.Write) (int64, error) {
	boot, err := t.bootNumber()
	if err != nil {
		return 0, err
	}
	now := t.now.Wall.UnixMicro()
	return t.exec(insertEntry, w.Key, id[:], int64(driver.Format), sum(id, w),
		now, now, boot, int64(t.now.Tick), flag(w.Mark), content(w))
}

// replaceExpected replaces an entry if it is at the version that w expects and
// its schedule has nothing to do. It returns how many it replaced.
func (t *tx) replaceExpected(id driver.Version, w *driver.Write) (int64, error) {
	i, ok := idleFor(w, t.now.Wall)
	if !ok {
		return 0, nil
	}
	boot, err := t.bootNumber()
	if err != nil {
		return 0, err
	}
	return t.exec(replaceExpected, id[:], int64(lineage.Size), int64(driver.Format), sum(id, w),
		t.now.Wall.UnixMicro(), boot, int64(t.now.Tick), flag(w.Mark), content(w),
		w.Key, w.Version[:], i.from, i.to, i.marked, i.retained, i.expired)
}

// idle says for which entries a write's schedule has nothing to do, as the
// bounds in replaceExpected.
type idle struct {
	from, to int64 // written in from <= t < to
	marked   int64 // at most
	retained int64 // at most
	expired  int64 // nothing retained is that old
}

// idleFor returns for which entries the write's schedule has nothing to do;
// false if there are none.
func idleFor(w *driver.Write, now time.Time) (idle, bool) {
	i := idle{from: math.MinInt64, to: math.MaxInt64, marked: 1, retained: math.MaxInt64, expired: math.MinInt64}
	s := w.Retain
	if s == nil {
		return i, true
	}
	if w.Mark || s.Every == 0 {
		return i, false
	}
	i.marked = 0
	if s.Every > 0 {
		from, to := s.Span(now)
		i.from, i.to = ceilMicro(from), ceilMicro(to)
	}
	if s.For > 0 {
		i.expired = now.Add(-s.For).UnixMicro()
	}
	if s.Max > 0 {
		i.retained = int64(s.Max)
	}
	return i, true
}

// ceilMicro returns the first whole microsecond that is not before t.
func ceilMicro(t time.Time) int64 {
	return t.Add(time.Microsecond - 1).UnixMicro()
}

// replace replaces an entry whose state is known, and retires the version that
// it replaces. A write that is repeated under its id replaces only itself.
func (t *tx) replace(id driver.Version, w *driver.Write, s *stored) error {
	if s.at() != id {
		if err := t.retire(id, w, s); err != nil {
			return err
		}
	}
	boot, err := t.bootNumber()
	if err != nil {
		return err
	}
	_, err = t.exec(replaceEntry, id[:], lineage.Encode(id, s.recent), int64(driver.Format), sum(id, w),
		t.now.Wall.UnixMicro(), boot, int64(t.now.Tick), flag(w.Mark), content(w), w.Key)
	return err
}

// bootNumber returns the number under which the file knows the clock's boot.
// The writer remembers it once this transaction is committed.
func (t *tx) bootNumber() (int64, error) {
	if t.boot == 0 {
		t.boot = t.w.boots[t.now.Boot]
	}
	if t.boot != 0 {
		return t.boot, nil
	}
	_, err := t.exec("INSERT INTO boots (name, first) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
		t.now.Boot, t.now.Wall.UnixMicro())
	if err != nil {
		return 0, err
	}
	err = t.query(func(columns []sqldriver.Value) error {
		t.boot = integer(columns[0])
		return nil
	}, "SELECT id FROM boots WHERE name = ?", t.now.Boot)
	return t.boot, err
}

func sum(id driver.Version, w *driver.Write) int64 {
	return int64(driver.Sum(w.Key, id, w.Value))
}

// content returns a write's value, never nil, which would be NULL.
func content(w *driver.Write) []byte {
	if w.Value == nil {
		return []byte{}
	}
	return w.Value
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
