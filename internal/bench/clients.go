package bench

import (
	"errors"
	"fmt"
)

// How single-row clients write: what pgbench measures with as many clients, and
// how often grouped saves should beat them.
const (
	singleClients = 32
	clientsLeast  = 2
)

// clients measures saves with many callers waiting, beside as many clients as
// pgbench would be told of, each with a connection of its own and one
// conditional update in each transaction.
func (w *savers) clients() (f Figure, err error) {
	if !w.db.isPostgres() {
		return Figure{Skipped: "clients with a connection each are what one would write for PostgreSQL"}, nil
	}
	y, err := w.r.bareRate(w.name, w.db, shape{singleClients, 1}, func(b bare, worker int) error {
		return b.(*barePostgres).update(worker)
	})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, y.discard()) }()
	f, err = w.beside(w.db.manyWaiting(), &y, fmt.Sprintf("%d clients, one conditional update in each transaction", singleClients))
	if err != nil {
		return f, err
	}
	return f.limited(fmt.Sprintf("at least %d times", clientsLeast), f.Ratio >= clientsLeast), nil
}
