package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
)

var _ driver.Transferer = (*DB)(nil)

// The statements that move entries; each file says what it does.
var (
	sqlTransferEntries   = statement("transfer_entries")
	sqlTransferHistory   = statement("transfer_history")
	sqlTransferValues    = statement("transfer_values")
	sqlTransferOldValues = statement("transfer_old_values")
	sqlTransferRemove    = statement("transfer_remove")
	sqlTransferPut       = statement("transfer_put")
	sqlTransferCut       = statement("transfer_cut")
	sqlTransferFollow    = statement("transfer_follow")
	sqlTransferRetain    = statement("transfer_retain")
	sqlTransferCount     = statement("transfer_count")
)

// ReadRecords implements driver.Transferer. What fits into the page is found out
// first, by the sizes; only then are its values read, in the same snapshot.
func (db *DB) ReadRecords(ctx context.Context, q driver.RecordQuery) (driver.RecordPage, error) {
	var page driver.RecordPage
	q, err := q.Normalize()
	if err != nil {
		return page, err
	}
	err = db.use(ctx, db.reads, fmt.Sprintf("read records after %q", q.From.After), func(c *pgxpool.Conn) error {
		snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
		return pgx.BeginTxFunc(ctx, c, snapshot, func(pgx.Tx) error {
			p := &pager{ctx: ctx, conn: c, q: q}
			err := p.read()
			page = p.page
			return err
		})
	})
	if err != nil {
		return driver.RecordPage{}, err
	}
	return page, nil
}

// pager reads one page of records.
type pager struct {
	ctx     context.Context
	conn    *pgxpool.Conn
	q       driver.RecordQuery
	entries []outline // some more than the page can have
	history []outline
	page    driver.RecordPage
	chosen  []*outline // the versions of the page, whose values are read
}

// outline is a stored version without its value.
type outline struct {
	row
	key      []byte
	retained int64 // an entry's: how many retained versions it has
	kept     bool  // of a retained version, and what follows
	replaced time.Time
	number   int64

	at *driver.RecordVersion // its place in the page
}

func (p *pager) read() error {
	if err := p.readEntries(); err != nil || len(p.entries) == 0 {
		return err
	}
	skip := 0
	if string(p.entries[0].key) == p.q.From.After {
		skip = p.q.From.Skip
	}
	more := p.bound(skip)
	if err := p.readHistory(skip); err != nil {
		return err
	}
	if err := p.fill(skip); err != nil {
		return err
	}
	p.page.More = p.page.More || more
	if p.q.Bare {
		return nil
	}
	return p.readValues()
}

// readEntries reads outlines of entries, one more than there is room for.
func (p *pager) readEntries() error {
	return each(p.ctx, p.conn, func(rows pgx.Rows) error {
		var o outline
		err := rows.Scan(&o.key, &o.version, &o.recent, &o.created, &o.updated, &o.marked, &o.format, &o.sum, &o.size, &o.packed, &o.retained)
		p.entries = append(p.entries, o)
		return err
	}, sqlTransferEntries, []byte(p.q.From.After), p.q.From.After == "" || p.q.From.Skip > 0, int64(p.q.Limit)+1)
}

// bound leaves out the entries for which there is no room as there are that many
// versions before them, and reports whether there were any.
func (p *pager) bound(skip int) bool {
	versions := -int64(skip)
	for i := range p.entries {
		if versions >= int64(p.q.Limit) {
			p.entries = p.entries[:i]
			return true
		}
		versions += 1 + p.entries[i].retained
	}
	return false
}

// readHistory reads outlines of the entries' retained versions, one more than
// there is room for.
func (p *pager) readHistory(skip int) error {
	first, last := p.entries[0].key, p.entries[len(p.entries)-1].key
	return each(p.ctx, p.conn, func(rows pgx.Rows) error {
		var o outline
		err := rows.Scan(&o.key, &o.kept, &o.replaced, &o.number, &o.version, &o.updated, &o.marked, &o.format, &o.sum, &o.size, &o.packed)
		p.history = append(p.history, o)
		return err
	}, sqlTransferHistory, first, last, int64(skip), int64(p.q.Limit)+1)
}

// fill makes the page, without values.
func (p *pager) fill(skip int) error {
	size := driver.PageSize{Limit: p.q.Limit}
	history := p.history
	for i := range p.entries {
		if size.Left() == 0 {
			p.page.More = true
			return nil
		}
		o := &p.entries[i]
		e, err := o.entry(string(o.key))
		if err != nil {
			return err
		}
		r := driver.Record{Key: e.Key, Created: e.Created, Recent: e.Recent, Present: o.describe(&e), Skipped: skip}
		p.add(&size, o, skip == 0)
		for ; len(history) > 0 && string(history[0].key) <= e.Key; history = history[1:] {
			old := &history[0]
			if string(old.key) < e.Key {
				continue // of an entry that is gone
			}
			if size.Left() == 0 && len(r.Retained) > 0 {
				r.More = true
				break
			}
			v, err := old.old(e.Key)
			if err != nil {
				return err
			}
			r.Retained = append(r.Retained, v)
			p.add(&size, old, true)
		}
		p.page.Records = append(p.page.Records, r)
		p.page.More, skip = r.More, 0
	}
	return nil
}

// add counts a version that is in the page.
func (p *pager) add(size *driver.PageSize, o *outline, withValue bool) {
	if p.q.Bare || !withValue {
		size.Add(0)
		o.size = nil // its value is not read
	} else {
		size.Add(int(*o.size))
	}
	p.chosen = append(p.chosen, o)
}

// describe returns a version without its value.
func (o *outline) describe(e *driver.Entry) driver.RecordVersion {
	return driver.RecordVersion{
		Version: e.Version, Sum: uint32(*o.sum), Updated: e.Updated, Marked: e.Marked,
		Kept: o.kept, Replaced: o.replaced.UTC(), Damaged: e.Damaged,
	}
}

// old decodes a retained version.
func (o *outline) old(key string) (driver.RecordVersion, error) {
	o.created = o.updated // its entry's is known
	e, err := o.entry(key)
	return o.describe(&e), err
}

// readValues reads the values of the page's versions and verifies them.
func (p *pager) readValues() error {
	p.place()
	var present, old []*outline
	var keys, oldKeys [][]byte
	var kept []bool
	var replaced []time.Time
	var numbers []int64
	for _, o := range p.chosen {
		switch {
		case o.size == nil:
		case o.number == 0:
			present, keys = append(present, o), append(keys, o.key)
		default:
			old, oldKeys, kept = append(old, o), append(oldKeys, o.key), append(kept, o.kept)
			replaced, numbers = append(replaced, o.replaced), append(numbers, o.number)
		}
	}
	if err := p.values(present, sqlTransferValues, keys); err != nil {
		return err
	}
	return p.values(old, sqlTransferOldValues, oldKeys, kept, replaced, numbers)
}

// place tells the chosen versions where they are in the page.
func (p *pager) place() {
	n := 0
	for i := range p.page.Records {
		r := &p.page.Records[i]
		p.chosen[n].at = &r.Present
		n++
		for j := range r.Retained {
			p.chosen[n].at = &r.Retained[j]
			n++
		}
	}
}

// values reads the values of versions, by the numbers that a query counts them
// with.
func (p *pager) values(list []*outline, query string, args ...any) error {
	if len(list) == 0 {
		return nil
	}
	return each(p.ctx, p.conn, func(rows pgx.Rows) error {
		var n int64
		var stored []byte
		if err := rows.Scan(&n, &stored); err != nil {
			return err
		}
		o := list[n-1]
		o.verify(stored)
		return nil
	}, query, args...)
}

// verify takes a version's stored value.
func (o *outline) verify(stored []byte) {
	v := o.at
	key := string(o.key)
	value, err := unpack(*o.packed, *o.size, stored)
	if err != nil {
		v.Value, v.Damaged = stored, fmt.Errorf("entry %q: %w", key, err)
		return
	}
	if v.Value = value; v.Damaged == nil {
		v.Damaged = driver.Verify(key, v.Version, value, int(*o.format), v.Sum)
	}
}
