package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/holdfast-games/holdfast/driver"
)

// Ranking keeps members in the order of their scores: who is first, who stands
// around a member, and at which rank. A score is an integer. Members of one score
// stand in the order of the bytes of their names, so that each has a rank of his own.
//
// There are two sorts. One is set: Set, Add, Update and Delete change a
// member's score and his row in one commit. The other is fed: the rows follow a
// field of players' data, in the commits that save these (see profile.Ranked), and
// what would change it is ErrRanked.
//
// Its methods are safe for concurrent use, and those that take a context block until
// they are done or it ends, as a Store's do. Changes of one member are made one
// after another, in the order in which they were asked for.
type Ranking struct {
	db     *DB
	name   string
	lowest bool
	rows   string // what the keys of its rows begin with
	scores string // what the keys of its members' scores begin with; empty: it is fed
	// score tells a member's score, of a ranking that is fed.
	score func(ctx context.Context, member string) (int64, error)
}

// RankingOptions say how a ranking is kept. Nil is the same as the zero value.
type RankingOptions struct {
	// LowestFirst puts the lowest score at rank 1, as of times in a race. It is
	// part of what names a ranking: opened the other way it is another one.
	LowestFirst bool
}

// Ranking returns the ranking of a name that is set by Set and Add. It need not
// exist: a ranking is there as soon as somebody is in it. The name must be 1 to
// MaxName bytes of UTF-8 without NUL; else the error matches ErrName. It does no
// I/O.
func (db *DB) Ranking(name string, o *RankingOptions) (*Ranking, error) {
	if err := CheckRankingName(name); err != nil {
		return nil, err
	}
	if o == nil {
		o = &RankingOptions{}
	}
	return &Ranking{
		db: db, name: name, lowest: o.LowestFirst, rows: rowsOf("", name, o.LowestFirst),
		scores: SystemKey("score", orderPart(o.LowestFirst), name) + "/",
	}, nil
}

// FedRanking returns a ranking whose rows somebody else writes, under the keys
// that RankedRow gives; session.Reader.Ranking uses it. Score tells the score of a
// member's row, ErrNotFound if there is none. It does no I/O.
func (db *DB) FedRanking(kind, name string, o *RankingOptions, score func(ctx context.Context, member string) (int64, error)) (*Ranking, error) {
	r, err := db.Ranking(name, o)
	if err != nil {
		return nil, err
	}
	r.rows, r.scores, r.score = rowsOf(kind, name, r.lowest), "", score
	return r, nil
}

// Get returns a member's score, or ErrNotFound.
func (r *Ranking) Get(ctx context.Context, member string) (int64, error) {
	if err := checkMember(member); err != nil {
		return 0, r.wrap("get", member, err)
	}
	if r.score != nil {
		score, err := r.score(ctx, member)
		return score, r.wrap("get", member, err)
	}
	_, score, found, err := r.read(ctx, r.scores+JoinKey(member))
	if err == nil && !found {
		err = ErrNotFound
	}
	return score, r.wrap("get", member, err)
}

// Set gives a member a score, whatever it was.
func (r *Ranking) Set(ctx context.Context, member string, score int64) error {
	_, err := r.move(ctx, "set", member, func(int64, bool) (int64, bool, error) { return score, true, nil })
	return err
}

// Add adds delta to a member's score, or to 0 if he has none, and returns the
// sum. It is ErrNotInteger if that is outside int64; nothing is changed then.
func (r *Ranking) Add(ctx context.Context, member string, delta int64) (int64, error) {
	return r.move(ctx, "add to", member, func(score int64, _ bool) (int64, bool, error) {
		if delta > 0 && score > math.MaxInt64-delta || delta < 0 && score < math.MinInt64-delta {
			return 0, false, fmt.Errorf("%w: %d%+d overflows", ErrNotInteger, score, delta)
		}
		return score + delta, true, nil
	})
}

// Update gives a member the score that fn makes of his present one, which is 0 if
// he has none, and returns it. Fn may be called more than once and must have no
// side effects. If it returns ErrSkip nothing is changed and the present score is
// returned; any other error is returned as it is.
func (r *Ranking) Update(ctx context.Context, member string, fn func(score int64, found bool) (int64, error)) (int64, error) {
	return r.move(ctx, "update", member, func(score int64, found bool) (int64, bool, error) {
		now, err := fn(score, found)
		if errors.Is(err, ErrSkip) {
			return score, found, nil
		}
		return now, true, err
	})
}

// Delete takes a member out of the ranking; one who is not in it is ErrNotFound.
// What remains is the mark of a deletion, without content.
func (r *Ranking) Delete(ctx context.Context, member string) error {
	_, err := r.move(ctx, "delete", member, func(_ int64, found bool) (int64, bool, error) {
		if !found {
			return 0, false, ErrNotFound
		}
		return 0, false, nil
	})
	return err
}

// clearStep is how many entries Clear deletes at a time.
const clearStep = 2000

// Clear deletes all members, as of a season that is over. It asks for no
// versions: it is for a ranking that nobody changes any more. If it is interrupted,
// a further call goes on. A ranking that is fed is cleared by no longer feeding it.
func (r *Ranking) Clear(ctx context.Context) error {
	if r.scores == "" {
		return fmt.Errorf("clear ranking %q: %w", r.name, ErrRanked)
	}
	for _, prefix := range []string{r.rows, r.scores} { // a row without a score would stay for ever
		for from, end := prefix, driver.After(prefix); from != ""; {
			_, next, err := r.db.Count(ctx, from, end, clearStep)
			to := next
			if to == "" {
				to = end
			}
			if err == nil {
				err = r.db.DeleteRange(ctx, from, to)
			}
			if err != nil {
				return fmt.Errorf("clear ranking %q: %w", r.name, err)
			}
			from = next
		}
	}
	return nil
}

func (r *Ranking) wrap(what, member string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q in ranking %q: %w", what, member, r.name, err)
}

// queueName is under which a ranking's requests are in the jobs: no store has it.
const queueName = "\x00ranking"

// move changes a member's score when it is his turn. Fn returns what it shall be,
// and whether he shall have one.
func (r *Ranking) move(ctx context.Context, what, member string, fn func(score int64, found bool) (int64, bool, error)) (int64, error) {
	err := checkMember(member)
	if err == nil && r.scores == "" {
		err = ErrRanked
	}
	if err != nil {
		return 0, r.wrap(what, member, err)
	}
	key := r.scores + JoinKey(member)
	j, err := r.db.jobs.begin(ctx, queueName, key)
	if err != nil {
		return 0, r.wrap(what, member, err)
	}
	rest := (<-chan result)(nil)
	defer func() { r.db.jobs.endAfter(j, rest) }()
	for {
		version, old, found, err := r.read(ctx, key)
		if err != nil {
			return 0, r.wrap(what, member, err)
		}
		score, keep, err := fn(old, found)
		if err != nil || keep == found && score == old || !keep && !found {
			return score, r.wrap(what, member, err)
		}
		id, err := r.db.NewVersion()
		if err != nil {
			return 0, r.wrap(what, member, err)
		}
		b := driver.Batch{ID: id, Writes: []driver.Write{{Key: key, Version: version, Value: scoreValue(score, keep)}}}
		if found {
			b.Writes = append(b.Writes, driver.Write{Key: r.row(old, member), Mode: driver.Always, Delete: true})
		}
		if keep {
			b.Writes = append(b.Writes, driver.Write{Key: r.row(score, member), Mode: driver.Always, Value: []byte{}})
		}
		var res result
		if res, rest = r.db.commit(ctx, Attempt{Batch: b, Lane: Waited}); rest != nil {
			return 0, r.wrap(what, member, res.err)
		}
		if !errors.Is(res.err, ErrConflict) || errors.Is(res.err, ErrUncertain) {
			return score, r.wrap(what, member, res.err)
		}
	}
}

// endAfter ends a job now, or when the attempt has that is still under way.
func (q *jobs) endAfter(j *job, rest <-chan result) {
	if rest == nil {
		q.end(j)
		return
	}
	go func() {
		<-rest
		q.end(j)
	}()
}

// scoreValue is the stored form of a score. That of a member without one is
// empty: the entry stays, so that no late write can bring him back.
func scoreValue(score int64, keep bool) []byte {
	if !keep {
		return []byte{}
	}
	return strconv.AppendInt(nil, score, 10)
}

// read returns the version and content of a score's entry.
func (r *Ranking) read(ctx context.Context, key string) (v driver.Version, score int64, found bool, err error) {
	snap, err := r.db.Read(ctx, key)
	if err != nil {
		return v, 0, false, err
	}
	e := &snap.Entries[0]
	switch {
	case e.Damaged != nil:
		return v, 0, false, e.Damaged
	case len(e.Value) == 0:
		return e.Version, 0, false, nil
	}
	if score, err = strconv.ParseInt(string(e.Value), 10, 64); err != nil {
		return v, 0, false, fmt.Errorf("%w: score %.40q", driver.ErrCorrupt, e.Value)
	}
	return e.Version, score, true, nil
}
