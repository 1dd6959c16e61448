package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/driver"
)

// tries is how often the transaction of one call is sent at most. Each time but
// the last it was refused for certain, and nothing of it was applied.
const tries = 20

// batch is a batch of a group, ready to be sent.
type batch struct {
	*driver.Batch
	changes []*change
	outcome *driver.Outcome
}

// Commit implements driver.DB.
func (db *DB) Commit(ctx context.Context, g driver.Group) ([]driver.Outcome, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if err := db.writable(ctx); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	pool := db.writes
	if g.Urgent {
		pool = db.urgent
	}
	outcomes := make([]driver.Outcome, len(g.Batches))
	err := db.use(ctx, pool, fmt.Sprintf("commit %d batches", len(g.Batches)), func(c *pgxpool.Conn) error {
		t := &commit{begin: db.begin, conn: c, marks: &db.marks}
		for i := range g.Batches {
			t.open = append(t.open, newBatch(&g.Batches[i], &outcomes[i]))
		}
		return t.run(ctx)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

func newBatch(b *driver.Batch, o *driver.Outcome) *batch {
	n := &batch{Batch: b, outcome: o, changes: make([]*change, len(b.Writes))}
	for i := range b.Writes {
		n.changes[i] = newChange(b.ID, &b.Writes[i])
	}
	return n
}

// commit is a call of Commit under way.
type commit struct {
	begin string
	conn  *pgxpool.Conn
	marks *marks
	open  []*batch // those that have no outcome yet
	// thorough says that the server has refused what was sent: nothing is
	// supposed any more of what schedules keep.
	thorough bool
}

// run sends the group until every batch has its outcome. It looks at the entries
// first only if it has to know what an Always replaces; else a refusal is the
// exception, and looked into when it comes.
func (t *commit) run(ctx context.Context) error {
	look := t.always()
	var err error
	for try := range tries {
		if look {
			if err := t.look(ctx); err != nil {
				return err
			}
		}
		if len(t.open) == 0 {
			return nil
		}
		var again bool
		if again, err = t.attempt(ctx); !again {
			return err
		}
		t.thorough = t.thorough || code(err) == codeRefused
		look = code(err) == codeRefused || t.always()
		if code(err) != codeRefused || try > 0 {
			if err := pause(ctx, try); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%w: refused %d times by others' commits: %w", driver.ErrUnavailable, tries, err)
}

// always reports whether a batch writes whatever is there.
func (t *commit) always() bool {
	for _, b := range t.open {
		for _, c := range b.changes {
			if c.Mode == driver.Always {
				return true
			}
		}
	}
	return false
}

// attempt sends all open batches as one transaction. It returns true if that was
// refused for certain and may be tried again.
func (t *commit) attempt(ctx context.Context) (again bool, err error) {
	p := newPlan()
	for _, b := range t.open {
		if !p.add(b) {
			return true, errContradiction
		}
	}
	p.quieten(time.Now(), t)
	q, err := t.transact(ctx, p)
	switch code(err) {
	case codeRefused, codeSerialization, codeDeadlock:
		return true, err
	}
	if err != nil {
		return false, err
	}
	t.applied(moment(q.now))
	// The batches are applied, whatever becomes of what is left to tidy up; the
	// next write of the same keys finds it.
	_ = t.prune(ctx, p, q)
	return false, nil
}

// applied notes that all open batches were applied.
func (t *commit) applied(now driver.Moment) {
	for _, b := range t.open {
		b.outcome.Updated = now
		for _, c := range b.changes {
			if c.Mark && !c.Delete {
				t.marks.add(c.id)
			}
		}
	}
	t.open = nil
}

// transact sends a transaction whole and reads its answers. If the server
// refused it, it was rolled back.
func (t *commit) transact(ctx context.Context, p *plan) (*queue, error) {
	q := &queue{}
	q.plain(t.begin)
	p.queue(q)
	q.commit()
	return q, t.send(ctx, q)
}

// insist sends a transaction of statements that refuse nothing, again if the
// server cannot put it in an order with others.
func (t *commit) insist(ctx context.Context, statements func(q *queue)) error {
	var err error
	for try := range tries {
		q := &queue{}
		q.plain(t.begin)
		statements(q)
		q.commit()
		err = t.send(ctx, q)
		if c := code(err); c != codeSerialization && c != codeDeadlock {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return err
}

// send sends a transaction and reads its answers. After an error the server has
// skipped what follows; if it told which, the connection is fit for more once it
// is rolled back.
func (t *commit) send(ctx context.Context, q *queue) error {
	data := t.conn.Conn().PgConn().CustomData()
	delete(data, doubt)
	results := t.conn.SendBatch(ctx, &q.batch)
	var err error
	for _, read := range q.reads {
		if err = read(results); err != nil {
			break
		}
	}
	if e := results.Close(); err == nil {
		err = e
	}
	if err == nil && data[doubt] != nil {
		return fmt.Errorf("%w: the server warns: %v", driver.ErrUnavailable, data[doubt])
	}
	if err != nil && code(err) != "" {
		if _, e := t.conn.Exec(ctx, "ROLLBACK", pgx.QueryExecModeSimpleProtocol); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

// pause waits a little, longer from try to try, so that those who met do not
// meet again.
func pause(ctx context.Context, try int) error {
	most := min(time.Millisecond<<min(try, 6), 30*time.Millisecond)
	timer := time.NewTimer(rand.N(most))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}
