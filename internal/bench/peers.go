package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/session"
)

// peers are two servers in this process that hand players over to each other.
// As on two machines, each has a connection to the bus of its own; and where
// the database is a server that many machines share, connections to that of its
// own too.
type peers struct {
	r     *run
	dbs   []*database // one or two
	buses []*bus.Bus
	name  string // of the bus
	srvs  [2]*session.Server
}

// openPeers starts two servers on a database of a measurement's own.
func (r *run) openPeers(name string) (_ *peers, err error) {
	p := &peers{r: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	db, err := r.open(name)
	if err != nil {
		return nil, err
	}
	p.dbs = append(p.dbs, db)
	if db.isPostgres() {
		if db, err = r.reopen(r.ctx, name, false); err != nil {
			return nil, err
		}
		p.dbs = append(p.dbs, db)
	}
	var connect func(context.Context) (*bus.Bus, error)
	connect, p.name = r.busOrLocal()
	for i := range p.srvs {
		b, err := connect(r.ctx)
		if err != nil {
			return nil, fmt.Errorf("connect to the bus: %w", err)
		}
		p.buses = append(p.buses, b)
		if err := p.start(i); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// busOrLocal returns how to connect to the bus, and its name: one in the process if
// there is no other.
func (r *run) busOrLocal() (connect func(context.Context) (*bus.Bus, error), name string) {
	if r.Bus != nil {
		return r.Bus, r.BusName
	}
	local := bus.NewLocal()
	return func(context.Context) (*bus.Bus, error) { return local.Open(nil) }, "in the process"
}

// db returns the i-th server's database.
func (p *peers) db(i int) *database { return p.dbs[i%len(p.dbs)] }

// start starts the i-th server.
func (p *peers) start(i int) (err error) {
	p.srvs[i], err = session.Open(p.r.ctx, p.db(i).DB, &session.Options{
		Name: []string{"east", "west"}[i], Bus: p.buses[i],
	})
	return err
}

// about says who the two are.
func (p *peers) about() string {
	text := "two servers in one process, each with its own connection to the bus"
	if len(p.dbs) > 1 {
		text += " and to the database"
	}
	return text + "; bus: " + p.name
}

// close ends the servers, and then what they stand on.
func (p *peers) close() (err error) {
	for _, srv := range p.srvs {
		if srv != nil {
			err = errors.Join(err, p.r.closeServer(srv))
		}
	}
	for _, b := range p.buses {
		err = errors.Join(err, b.Close())
	}
	for _, db := range p.dbs[min(1, len(p.dbs)):] {
		err = errors.Join(err, db.Close(context.WithoutCancel(p.r.ctx)))
	}
	if len(p.dbs) > 0 {
		err = errors.Join(err, p.r.finish(p.dbs[0]))
	}
	return err
}
