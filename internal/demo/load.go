package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// database is the director's own access to the database, before the servers
// start and after they have ended.
type database struct {
	db  *store.DB
	srv *session.Server
}

func openDatabase(ctx context.Context, o *Options, url string) (*database, error) {
	drv, err := o.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	db, err := store.New(drv, nil)
	if err != nil {
		return nil, errors.Join(err, drv.Close())
	}
	srv, err := session.Open(ctx, db, &session.Options{Name: "holdfast demo", Lease: o.Lease})
	if err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return &database{db, srv}, nil
}

func (d *database) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	_, err := d.srv.Close(ctx)
	return errors.Join(err, d.db.Close(ctx))
}

// inFlight is how many players are read or written at the same time: many, so
// that they share commits.
const inFlight = 256

// forEach calls fn for all players, many at a time, and returns the first
// error.
func forEach(ctx context.Context, players []*player, fn func(context.Context, *player) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	turns := make(chan struct{}, inFlight)
	var all sync.WaitGroup
	for _, p := range players {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if err := context.Cause(ctx); err != nil {
				return
			}
			if err := fn(ctx, p); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// load imports all players. It refuses a database that has one of them before
// it writes anything, or deletes what an earlier demo has left, if it may.
func load(ctx context.Context, o *Options, url string, players []*player) (took time.Duration, err error) {
	d, err := openDatabase(ctx, o, url)
	if err != nil {
		return 0, fmt.Errorf("import players: %w", err)
	}
	if o.Fresh {
		err = d.clear(ctx)
	}
	began := time.Now()
	if err == nil {
		err = forEach(ctx, players, d.checkAbsent)
	}
	if err == nil {
		err = forEach(ctx, players, d.load)
	}
	took = time.Since(began)
	if err = errors.Join(err, d.close(ctx)); err != nil {
		return 0, fmt.Errorf("import players: %w", err)
	}
	return took, nil
}

// ErrExists means that the database has a player of an earlier demo.
var ErrExists = errors.New("an earlier demo has left it there")

var errInUse = errors.New("a demo is running on this database")

// clear deletes what earlier demos have left: whatever is of their kind. It
// deletes nothing if a living server holds any of it.
func (d *database) clear(ctx context.Context) error {
	for info, err := range d.srv.Reader().Roots(ctx, &session.RootsOptions{Kind: Kind}) {
		if err != nil {
			return err
		}
		if info.Holder == nil {
			continue
		}
		if err := d.settle(ctx, info.Key); err != nil {
			return err
		}
	}
	return d.db.DeleteRange(ctx, Kind+"/", driver.After(Kind+"/"))
}

// settle releases a player whose server was killed in an earlier demo.
func (d *database) settle(ctx context.Context, key session.Key) error {
	s, err := d.srv.Open(ctx, key, &session.OpenOptions{NoAsk: true})
	switch {
	case errors.Is(err, session.ErrLocked):
		return fmt.Errorf("%w: %w", errInUse, err)
	case err != nil:
		return err
	}
	return s.Close(ctx)
}

func (d *database) checkAbsent(ctx context.Context, p *player) error {
	key := session.Key{Kind: Kind, ID: p.id}
	switch _, err := d.srv.Peek(ctx, key); {
	case err == nil:
		return fmt.Errorf("%v: %w", key, ErrExists)
	case errors.Is(err, session.ErrNotFound):
		return nil
	default:
		return err
	}
}

// load writes one player: his document, field by field, and his items.
func (d *database) load(ctx context.Context, p *player) error {
	s, err := d.srv.Open(ctx, session.Key{Kind: Kind, ID: p.id}, nil)
	if err != nil {
		return err
	}
	if !s.Fresh() {
		return errors.Join(fmt.Errorf("%v: %w", s.Key(), ErrExists), s.Close(ctx))
	}
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	if err := p.write(tx); err != nil {
		session.Rollback(tx)
		return fmt.Errorf("%v: %w", s.Key(), errors.Join(err, s.Close(ctx)))
	}
	if err := session.Commit(false, tx); err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	return s.Close(ctx)
}

func (p *player) write(tx *session.Tx) error {
	for field, value := range p.imported.Fields() {
		if err := tx.Set(document.Field(field), value, false); err != nil {
			return err
		}
	}
	for _, name := range p.items {
		if err := tx.Set(document.Element(bag.Name(), name), []byte(`{"hands":0}`), false); err != nil {
			return err
		}
	}
	return nil
}
