package session

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// A field of the document may feed a ranking: there is a row for each key whose
// field holds an integer, and it moves in the commits that write the root. The root
// says so itself: which fields feed which rankings, as whoever opened the key last
// wanted it, and the score of each row that there is. So whoever writes a root,
// without knowing any schema, derives the same writes from two things that he has in
// his hand: the rows of the root that he replaces, and the document that he writes.
// That is rows.follow, and every root with a document is written with it.
//
//	the root that is replaced    rows as they are in the database
//	the document that is written fields as they are on disk then, which a save
//	                             takes from the journal's last turn
//	→ deletions and creations of rows, in the same commit; the new root's rows
//
// A row's key names its member, so nobody but the root's writer writes it, and the
// root's version fences it, as it does all that belongs to a key.

// MaxRanked is how many rankings the fields of one kind may feed.
const MaxRanked = 16

// Ranked says that a field feeds a ranking of the key's kind.
type Ranked struct {
	Ranking string `json:"ranking"` // 1 to store.MaxName bytes
	Field   string `json:"field"`   // one that holds an integer; with anything else there is no row
	// LowestFirst puts the lowest at rank 1.
	LowestFirst bool `json:"lowest,omitzero"`
}

// checkRanked refuses what cannot be fed.
func checkRanked(spec []Ranked) error {
	if len(spec) > MaxRanked {
		return fmt.Errorf("%w: fields feed %d rankings, at most %d", driver.ErrInvalid, len(spec), MaxRanked)
	}
	for i, r := range spec {
		if err := store.CheckRankingName(r.Ranking); err != nil {
			return fmt.Errorf("%w: %w", driver.ErrInvalid, err)
		}
		if err := document.Field(r.Field).Check(); err != nil {
			return fmt.Errorf("%w: field that feeds ranking %q: %w", driver.ErrInvalid, r.Ranking, err)
		}
		if slices.ContainsFunc(spec[:i], func(o Ranked) bool { return o.Ranking == r.Ranking }) {
			return fmt.Errorf("%w: ranking %q is fed twice", driver.ErrInvalid, r.Ranking)
		}
	}
	return nil
}

// row is a ranking that a root's document feeds, with the score of the row that
// there is.
type row struct {
	Ranked
	Score *int64 `json:"score,omitempty"` // nil: there is no row
}

// rows are never changed in place.
type rows []row

// spec returns what feeds the rankings.
func (rs rows) spec() []Ranked {
	spec := make([]Ranked, len(rs))
	for i := range rs {
		spec[i] = rs[i].Ranked
	}
	return spec
}

// of returns the row that a ranking has, or nil.
func (rs rows) of(ranking string, lowest bool) *row {
	for i := range rs {
		if rs[i].Ranking == ranking && rs[i].LowestFirst == lowest {
			return &rs[i]
		}
	}
	return nil
}

// follow returns the rows that a document calls for, of which value returns the
// fields, and the writes that make them of those that there are.
func (rs rows) follow(key Key, spec []Ranked, value func(field string) []byte) (rows, []driver.Write) {
	if len(rs) == 0 && len(spec) == 0 {
		return nil, nil
	}
	next := make(rows, len(spec))
	var writes []driver.Write
	for i, r := range spec {
		next[i].Ranked = r
		score, err := strconv.ParseInt(string(value(r.Field)), 10, 64)
		if err == nil {
			next[i].Score = &score
		}
		if was := rs.of(r.Ranking, r.LowestFirst); err == nil && (was == nil || was.Score == nil || *was.Score != score) {
			writes = append(writes, driver.Write{Key: next[i].key(key), Mode: driver.Always, Value: []byte{}})
		}
	}
	for i := range rs {
		was := &rs[i]
		now := next.of(was.Ranking, was.LowestFirst)
		if was.Score != nil && (now == nil || now.Score == nil || *now.Score != *was.Score) {
			writes = append(writes, driver.Write{Key: was.key(key), Mode: driver.Always, Delete: true})
		}
	}
	return next, writes
}

// key returns the database key of a row that there is.
func (r *row) key(key Key) string {
	return store.RankedRow(key.Kind, r.Ranking, r.LowestFirst, *r.Score, key.ID)
}

// appendMember appends the rows as a member of a stored root, if there are any.
func (rs rows) appendMember(dst []byte) ([]byte, error) {
	if len(rs) == 0 {
		return dst, nil
	}
	b, err := json.Marshal(rs)
	if err != nil {
		return nil, fmt.Errorf("encode rows: %w", err)
	}
	return append(append(dst, `,"rows":`...), b...), nil
}

// fieldsOf returns what follow asks of a document that is written as it is.
func fieldsOf(d *document.Document) func(string) []byte {
	return func(field string) []byte {
		v, _ := d.Get(document.Field(field))
		return v
	}
}

// follow lets the root's rows follow a document that is about to be written in
// it, and returns the writes that go with it.
func (r *root) follow(key string, d *document.Document) (writes []driver.Write, err error) {
	if len(r.Rows) == 0 {
		return nil, nil
	}
	k, err := ParseKey(key)
	if err != nil {
		return nil, err
	}
	r.Rows, writes = r.Rows.follow(k, r.Rows.spec(), fieldsOf(d))
	return writes, nil
}

// followLocked is follow for a snapshot: the fields are those before the changes that
// are ahead, as in dataLocked.
func (s *Session) followLocked(ahead *changes) (rows, []driver.Write) {
	return s.rows.follow(s.key, s.ranked, func(field string) []byte {
		p := document.Field(field)
		v, _ := s.doc.Get(p)
		if ahead != nil {
			v = ahead.ledger.revert(p, v)
		}
		return v
	})
}

// Ranking returns a ranking that a field of a kind feeds, to be read. Scores and
// rows are those of the roots: what a living server has not saved is not in it. O
// must say the same order as what feeds it. It does no I/O.
func (rd *Reader) Ranking(kind, name string, o *store.RankingOptions) (*store.Ranking, error) {
	if err := (Key{kind, "x"}).Check(); err != nil {
		return nil, fmt.Errorf("ranking %q: %w", name, err)
	}
	lowest := o != nil && o.LowestFirst
	return rd.db.FedRanking(kind, name, o, func(ctx context.Context, member string) (int64, error) {
		r, _, err := readRoot(ctx, rd.db, Key{kind, member}.String())
		if err != nil {
			return 0, err
		}
		if r == nil {
			return 0, store.ErrNotFound
		}
		if row := r.Rows.of(name, lowest); row != nil && row.Score != nil {
			return *row.Score, nil
		}
		return 0, store.ErrNotFound
	})
}
