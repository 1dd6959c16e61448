package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// snapshotLeast is the least share of the rate without a snapshot that saves
// should reach while one is held open.
const snapshotLeast = 0.7

// snapshot measures saves with many callers waiting while a transaction that
// has begun long ago, such as a backup's, keeps the database from clearing away
// what they replace.
func (w *savers) snapshot() (f Figure, err error) {
	if !w.db.isPostgres() {
		return Figure{Skipped: "what an open snapshot costs is a matter of PostgreSQL, which keeps all replaced rows until it ends"}, nil
	}
	before, err := alternate(3*w.r.sizes.rounds, func() (float64, error) { return w.round(w.db.manyWaiting()) }, nil)
	if err != nil {
		return f, err
	}
	end, err := holdSnapshot(w.r.ctx, w.r.URL(w.name))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, end()) }()
	saved := w.n.Load()
	rates, err := w.rounds(w.r.sizes.snapshot)
	if err != nil {
		return f, err
	}
	saved = w.n.Load() - saved
	f = Figure{Unit: "saves/s"}.noted("%d waiting, the last fifth of %v; %d saves of each player meanwhile; %s",
		min(w.db.manyWaiting(), len(w.ss)), w.r.sizes.snapshot, saved/int64(len(w.ss)), course(rates, before.subject))
	rate := median(slices.Clone(fifth(rates, 4)))
	f = f.beside(fmt.Sprintf("the same before a REPEATABLE READ snapshot was held open for %v", w.r.sizes.snapshot),
		pair{rate, before.subject, rate / before.subject})
	return f.ratioAtLeast(snapshotLeast), nil
}

// rounds returns the rates of saves, round by round, for d.
func (w *savers) rounds(d time.Duration) (rates []float64, err error) {
	for end := time.Now().Add(d); len(rates) == 0 || time.Now().Before(end); {
		rate, err := w.round(w.db.manyWaiting())
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return rates, nil
}

// course says how rates went on, in fifths, as shares of what they were.
func course(rates []float64, before float64) string {
	text := "in fifths"
	for i := range 5 {
		text += fmt.Sprintf(" %.0f%%", 100*median(slices.Clone(fifth(rates, i)))/before)
	}
	return text
}

// fifth returns the i-th fifth of rates, counted from zero: one of them at least.
func fifth(rates []float64, i int) []float64 {
	from := i * len(rates) / 5
	return rates[from:max((i+1)*len(rates)/5, from+1)]
}

// holdSnapshot opens a REPEATABLE READ transaction on a connection of its own
// and takes its snapshot. It stays open until end is called.
func holdSnapshot(ctx context.Context, url string) (end func() error, err error) {
	place, err := parsePlace(url)
	if err != nil {
		return nil, err
	}
	conn, err := place.connect(ctx)
	if err != nil {
		return nil, err
	}
	end = func() error { return conn.Close(context.WithoutCancel(ctx)) }
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hold a snapshot: %w", err), end())
	}
	var rows int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM entries").Scan(&rows); err != nil {
		return nil, errors.Join(fmt.Errorf("hold a snapshot: %w", err), end())
	}
	return end, nil
}
