package receipt

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Reader reads the records of purchases. What the server of a player has in memory
// and not in the database yet, it does not see: it is milliseconds behind. It is
// safe for concurrent use.
type Reader struct{ db *store.DB }

// NewReader returns a reader of a database.
func NewReader(db *store.DB) *Reader { return &Reader{db} }

// Receipt returns the record of a purchase: of its last claim, and of an earlier
// one if that was released and nobody has claimed it since. It is
// store.ErrNotFound if the purchase was never seen. It blocks to read.
func (rd *Reader) Receipt(ctx context.Context, id string) (Receipt, error) {
	if err := checkText("purchase id", id, 1, MaxPurchaseID); err != nil {
		return Receipt{}, err
	}
	last, err := rd.last(ctx, id, nil)
	switch {
	case err != nil:
		return Receipt{}, fmt.Errorf("purchase %q: %w", id, err)
	case last == nil:
		return Receipt{}, fmt.Errorf("purchase %q: %w", id, store.ErrNotFound)
	}
	return last.public(), nil
}

// last returns the record of a purchase's last claim, nil if there is none. What a
// session of this server has not saved yet comes first; s may be nil.
func (rd *Reader) last(ctx context.Context, id string, s *session.Session) (last *record, err error) {
	for claim := 1; ; claim++ {
		r, err := rd.read(ctx, recordKey(id, claim), s)
		if err != nil || r == nil {
			return last, err
		}
		if last = r; r.State != Released {
			return last, nil
		}
	}
}

// read returns one record, nil if there is none.
func (rd *Reader) read(ctx context.Context, key string, s *session.Session) (*record, error) {
	if s != nil {
		if w, ok := s.Attached(key); ok {
			r, err := decodeValue(key, w.Value)
			if err == nil {
				r.held = s
			}
			return r, err
		}
	}
	snap, err := rd.db.Read(ctx, key)
	if err != nil || !snap.Entries[0].Found() {
		return nil, err
	}
	return decode(&snap.Entries[0])
}

// listPage is how many records are read at a time.
const listPage = 256

// Receipts yields the records of a player's purchases, in the order of their ids,
// those that were released included. One that cannot be read comes with an error
// and its id in Purchase.ID, as far as that is known, and the next ones follow; an
// error with an empty id ends the listing. It blocks to read.
func (rd *Reader) Receipts(ctx context.Context, key session.Key) iter.Seq2[Receipt, error] {
	return func(yield func(Receipt, error) bool) {
		if err := key.Check(); err != nil {
			yield(Receipt{}, fmt.Errorf("list purchases: %w", err))
			return
		}
		q := driver.Query{Prefix: indexPrefix(key), KeysOnly: true, Limit: listPage}
		for {
			page, err := rd.db.List(ctx, q)
			if err != nil {
				yield(Receipt{}, fmt.Errorf("list purchases of %v: %w", key, err))
				return
			}
			if !rd.yieldPage(ctx, key, page.Entries, yield) || !page.More {
				return
			}
			q.After = page.Entries[len(page.Entries)-1].Key
		}
	}
}

// yieldPage yields the records that a page of a player's index names.
func (rd *Reader) yieldPage(ctx context.Context, key session.Key, index []driver.Entry, yield func(Receipt, error) bool) bool {
	if len(index) == 0 {
		return true
	}
	keys := make([]string, len(index))
	for i := range index {
		keys[i] = store.SystemKey(system) + "/" + strings.TrimPrefix(index[i].Key, indexPrefix(key))
	}
	snap, err := rd.db.Read(ctx, keys...)
	if err != nil {
		yield(Receipt{}, fmt.Errorf("list purchases of %v: %w", key, err))
		return false
	}
	for i := range snap.Entries {
		r, err := ofPlayer(&snap.Entries[i], key)
		if !yield(r, err) {
			return false
		}
	}
	return true
}

// ofPlayer reads a record that a player's index names.
func ofPlayer(e *driver.Entry, key session.Key) (Receipt, error) {
	id := strings.TrimPrefix(e.Key, store.SystemKey(system)+"/")
	if parts, err := store.SplitKey(e.Key); err == nil && len(parts) > 1 {
		id = parts[1]
	}
	if !e.Found() {
		return Receipt{Purchase: Purchase{ID: id}}, fmt.Errorf("purchase %q of %v: %w: it has no record", id, key, driver.ErrCorrupt)
	}
	r, err := decode(e)
	if err != nil {
		return Receipt{Purchase: Purchase{ID: id}}, err
	}
	if !slices.Contains([]string{"", key.String()}, r.Owner) {
		return Receipt{Purchase: Purchase{ID: id}}, fmt.Errorf("purchase %q of %v: %w: its record names another player", id, key, driver.ErrCorrupt)
	}
	return r.public(), nil
}
