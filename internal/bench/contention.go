package bench

import (
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Imported players come after all others, importStep at a time.
const (
	importFrom = 1_000_000
	importStep = 4 * opening
)

// renewals is the time between two writes that stand for renewals. A real one
// comes every second, which is too seldom to measure.
const renewals = 20 * time.Millisecond

// contention measures how long a renewal of a lease waits while another
// process imports players into the same database as fast as it can.
func (r *run) contention() (figures []Figure, err error) {
	const name = "contention"
	db, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.finish(db)) }()
	if !r.processes(db) {
		return skipped(alone, name), nil
	}
	srv, err := session.Open(r.ctx, db.DB, &session.Options{Name: name})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.closeServer(srv)) }()
	other, err := r.hire(name, roleImport)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, other.dismiss()) }()
	if err := r.imported(db); err != nil {
		return nil, err
	}
	took, err := r.renew(db)
	if err != nil {
		return nil, err
	}
	f := Figure{Name: name, Value: milliseconds(quantile(took, 0.99)), Unit: "ms"}
	return []Figure{f.atMost(100).noted("p99 of a renewal beside another process's import; p50 %.1f ms, longest %.1f ms of %d",
		milliseconds(median(took)), milliseconds(quantile(took, 1)), len(took))}, nil
}

// imported waits until the import has begun to write.
func (r *run) imported(db *database) error {
	q := driver.Query{Prefix: kind + "/", Limit: 1, KeysOnly: true}
	for {
		page, err := db.List(r.ctx, q)
		if err != nil {
			return err
		}
		if len(page.Entries) > 0 {
			return nil
		}
		if err := r.sleep(time.Millisecond); err != nil {
			return err
		}
	}
}

// renew writes an entry as a renewal is written, again and again.
func (r *run) renew(db *database) ([]time.Duration, error) {
	key := store.JoinKey(kind, "renewal")
	value := make([]byte, 100)
	tick := time.NewTicker(renewals)
	defer tick.Stop()
	var took []time.Duration
	for end := time.Now().Add(r.sizes.watch); len(took) == 0 || time.Now().Before(end); {
		<-tick.C
		id, err := db.NewVersion()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		_, err = db.Commit(r.ctx, store.Attempt{
			Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Value: value}}},
			Lane:  store.Urgent,
		})
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
