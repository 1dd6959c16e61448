package postgres

import (
	"context"
	"slices"
	"time"
)

// prune deletes the retained versions that the schedules of a transaction that
// was just committed no longer keep. Most transactions find none.
func (t *commit) prune(ctx context.Context, p *plan, done *queue) error {
	if len(done.prune) == 0 {
		return nil
	}
	return t.insist(ctx, func(q *queue) { p.thin(q, done) })
}

// thin adds the statements that thin out the history as Write.Retire says.
func (p *plan) thin(q *queue, done *queue) {
	var keys, expire, excess [][]byte
	var until []time.Time
	var most []int64
	list := p.pruning(done.prune)
	for _, c := range list {
		keys = append(keys, c.key)
		s := c.scheduled()
		if s.age > 0 {
			expire = append(expire, c.key)
			until = append(until, done.now.Add(-time.Duration(s.age)*time.Microsecond))
		}
		if s.most > 0 {
			excess = append(excess, c.key)
			most = append(most, s.most)
		}
	}
	q.plain(sqlPruneLock, keys)
	p.thinSpans(q, list, done)
	if len(expire) > 0 {
		q.plain(sqlPruneExpired, expire, until)
	}
	if len(excess) > 0 {
		q.plain(sqlPruneExcess, excess, most)
	}
	q.plain(sqlPruneCount, keys)
}

// thinSpans adds the statement for keys whose clock was set back.
func (p *plan) thinSpans(q *queue, list []*change, done *queue) {
	var keys [][]byte
	var first, past []time.Time
	for _, c := range list {
		if !slices.Contains(done.back, c.Key) {
			continue
		}
		from, to := c.Retain.Span(done.now)
		keys = append(keys, c.key)
		first, past = append(first, ceilMicro(from)), append(past, ceilMicro(to))
	}
	if len(keys) > 0 {
		q.plain(sqlPruneSpan, keys, first, past)
	}
}

// ceilMicro returns the first whole microsecond that is not before t.
func ceilMicro(t time.Time) time.Time {
	return time.UnixMicro(t.Add(time.Microsecond - 1).UnixMicro())
}
