package sqlite

import (
	"github.com/holdfast-games/holdfast/driver"
)

const (
	deleteVersion = "DELETE FROM history WHERE key = ? AND version = ?"

	// keepVersion copies the present version of an entry into the history. The
	// checksum covers key, version and value and so stays right.
	keepVersion = `INSERT INTO history (key, version, format, sum, updated, boot, tick, marked, kept, replaced, value)
SELECT key, version, format, sum, updated, boot, tick, marked, ?, ?, value FROM entries WHERE key = ?`

	deleteSpan    = "DELETE FROM history WHERE key = ? AND kept = 0 AND updated >= ? AND updated < ?"
	deleteExpired = "DELETE FROM history WHERE key = ? AND kept = 0 AND replaced <= ?"
	deleteExcess  = `DELETE FROM history WHERE n IN
(SELECT n FROM history WHERE key = ? ORDER BY kept, replaced, n LIMIT ? + 0)`

	setRetained = `UPDATE entries SET retained = ?,
oldest = (SELECT min(replaced) FROM history WHERE history.key = entries.key AND kept = 0) WHERE key = ?`
)

// retire carries out what a write's schedule asks, before it replaces the
// version of an entry by the version id.
func (t *tx) retire(id driver.Version, w *driver.Write, s *stored) error {
	if w.Retain == nil && s.retained == 0 {
		return nil
	}
	r := &retiring{tx: t, key: w.Key, retained: s.retained}
	a := w.Retire(micros(s.updated), s.marked, t.now.Wall)
	if s.retained > 0 {
		// Either may be there if a write was repeated after others.
		before := s.at()
		r.exec(-1, deleteVersion, w.Key, id[:])
		r.exec(-1, deleteVersion, w.Key, before[:])
	}
	if a.Keep {
		r.exec(1, keepVersion, flag(a.Marked), t.now.Wall.UnixMicro(), w.Key)
	}
	if !a.To.IsZero() {
		r.exec(-1, deleteSpan, w.Key, ceilMicro(a.From), ceilMicro(a.To))
	}
	if !a.Expired.IsZero() {
		r.exec(-1, deleteExpired, w.Key, a.Expired.UnixMicro())
	}
	if excess := r.retained - int64(a.Max); a.Max > 0 && excess > 0 {
		r.exec(-1, deleteExcess, w.Key, excess)
	}
	if r.changed {
		r.exec(0, setRetained, r.retained, w.Key)
	}
	return r.err
}

// retiring counts what becomes of the retained versions of one key.
type retiring struct {
	*tx
	key      string
	retained int64
	changed  bool
	err      error // of the first statement that failed; the others are left out
}

// exec runs a statement each of whose rows adds so many retained versions.
func (r *retiring) exec(each int64, query string, args ...any) {
	if r.err != nil {
		return
	}
	n, err := r.tx.exec(query, args...)
	r.retained += each * n
	r.changed = r.changed || n > 0
	r.err = err
}

// forget deletes the retained versions of keys, those included that this batch
// retained.
func (t *tx) forget(keys []string) error {
	for _, key := range keys {
		n, err := t.exec(deleteHistory, key)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if _, err := t.exec("UPDATE entries SET retained = 0, oldest = NULL WHERE key = ?", key); err != nil {
			return err
		}
	}
	return nil
}
