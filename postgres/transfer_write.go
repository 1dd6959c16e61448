package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

// WriteRecords implements driver.Transferer. The records are one transaction,
// which is sent whole.
func (db *DB) WriteRecords(ctx context.Context, t driver.Transfer) ([]driver.State, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := db.writable(ctx); err != nil {
		return nil, fmt.Errorf("write records: %w", err)
	}
	var refused []driver.State
	err := db.use(ctx, db.writes, fmt.Sprintf("write %d records", len(t.Records)), func(c *pgxpool.Conn) (err error) {
		refused, err = (&transfer{begin: db.begin, conn: c, Transfer: t}).run(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return refused, nil
}

// transfer is a call of WriteRecords under way.
type transfer struct {
	begin string
	conn  *pgxpool.Conn
	driver.Transfer
}

// run sends the records, again if the server cannot put them in an order with
// others' commits. If a guard refuses them it finds out which.
func (t *transfer) run(ctx context.Context) ([]driver.State, error) {
	var err error
	for try := range tries {
		err = t.attempt(ctx)
		switch code(err) {
		case codeSerialization, codeDeadlock:
		case codeRefused:
			if refused, err := t.refused(ctx); err != nil || refused != nil {
				return refused, err
			}
		default:
			return nil, err
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
	if code(err) == codeRefused && t.follows() {
		return nil, fmt.Errorf("%w: the retained versions that a record skips are not there, or are in it", driver.ErrInvalid)
	}
	return nil, fmt.Errorf("%w: refused %d times by others' commits: %w", driver.ErrUnavailable, tries, err)
}

// follows reports whether a record adds to what others have brought.
func (t *transfer) follows() bool {
	for i := range t.Records {
		if t.Records[i].Skipped > 0 {
			return true
		}
	}
	return false
}

// checks returns the checks as a batch that writes nothing.
func (t *transfer) checks() *batch {
	b := driver.Batch{ID: t.Records[0].Present.Version, Checks: t.Checks}
	return newBatch(&b, &driver.Outcome{})
}

// refused returns the entries that are not where a check wants them.
func (t *transfer) refused(ctx context.Context) ([]driver.State, error) {
	b := t.checks()
	c := &commit{begin: t.begin, conn: t.conn, open: []*batch{b}}
	s, err := c.states(ctx)
	if err != nil {
		return nil, err
	}
	return b.refused(s), nil
}

// attempt sends everything as one transaction.
func (t *transfer) attempt(ctx context.Context) error {
	q := &queue{}
	q.plain(t.begin)
	p := newPlan()
	if !p.add(t.checks()) {
		return errContradiction
	}
	p.queue(q)
	t.queue(q)
	q.commit()
	return (&commit{begin: t.begin, conn: t.conn}).send(ctx, q)
}

// queue puts the statements that write the records.
func (t *transfer) queue(q *queue) {
	var whole, counted [][]byte
	var present, retained moved
	for i := range t.Records {
		r := &t.Records[i]
		key := []byte(r.Key)
		if r.Skipped == 0 {
			whole = append(whole, key)
			present.add(key, &r.Present, 0)
			present.recent = append(present.recent, lineage.Encode(r.Present.Version, r.Recent))
			present.created = append(present.created, r.Created)
		}
		if r.Skipped > 0 || len(r.Retained) > 0 {
			counted = append(counted, key)
		}
		for n := range r.Retained {
			retained.add(key, &r.Retained[n], int64(n)+1)
		}
	}
	if len(whole) > 0 {
		q.plain(sqlDeleteHistory, whole)
		q.plain(sqlTransferRemove, whole)
	}
	t.queueFollowing(q)
	for from, to := range present.portions() {
		m := &present
		q.guarded(sqlTransferPut, m.keys[from:to], m.ids[from:to], m.recent[from:to], m.sums[from:to], m.created[from:to], m.updated[from:to],
			m.marks[from:to], m.sizes[from:to], m.packed[from:to], m.values[from:to],
			int32(driver.Format), int64(to-from))
	}
	retained.queueRetained(q)
	if len(counted) > 0 {
		q.plain(sqlTransferCount, counted)
	}
}

// queueFollowing makes sure that what records add to is there, and nothing
// beyond that.
func (t *transfer) queueFollowing(q *queue) {
	for i := range t.Records {
		r := &t.Records[i]
		if r.Skipped == 0 {
			continue
		}
		key, ids := []byte(r.Key), [][]byte{}
		for n := range r.Retained {
			ids = append(ids, r.Retained[n].Version[:])
		}
		q.plain(sqlTransferCut, key, int64(r.Skipped))
		q.guarded(sqlTransferFollow, key, r.Present.Version[:], int64(r.Skipped), ids)
	}
}

// moved are the arrays that statements take for versions.
type moved struct {
	keys, ids, recent, values  [][]byte
	created, updated, replaced []time.Time
	places, sums               []int64
	marks, kept                []bool
	sizes                      []int32
	packed                     []int16
}

func (m *moved) add(key []byte, v *driver.RecordVersion, place int64) {
	packed, stored := pack(v.Value)
	m.keys, m.ids, m.values = append(m.keys, key), append(m.ids, v.Version[:]), append(m.values, stored)
	m.updated, m.replaced = append(m.updated, v.Updated.Wall), append(m.replaced, v.Replaced)
	m.places, m.sums = append(m.places, place), append(m.sums, int64(v.Sum))
	m.marks, m.kept = append(m.marks, v.Marked), append(m.kept, v.Kept)
	m.sizes, m.packed = append(m.sizes, int32(len(v.Value))), append(m.packed, packed)
}

// portions yields the bounds of portions whose values have at most mostBytes.
func (m *moved) portions() func(func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		for from := 0; from < len(m.values); {
			to, size := from, 0
			for to < len(m.values) && (to == from || size+len(m.values[to]) <= mostBytes) {
				size += len(m.values[to])
				to++
			}
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// queueRetained adds retained versions. A portion that begins within a record
// is numbered after those before it.
func (m *moved) queueRetained(q *queue) {
	for from, to := range m.portions() {
		places := m.places[from:to]
		for i := from; i < to && string(m.keys[i]) == string(m.keys[from]); i++ {
			places[i-from] = int64(i-from) + 1
		}
		q.plain(sqlTransferRetain, m.keys[from:to], places, m.ids[from:to], m.sums[from:to], m.updated[from:to], m.replaced[from:to],
			m.marks[from:to], m.kept[from:to], m.sizes[from:to], m.packed[from:to], m.values[from:to], int32(driver.Format))
	}
}
