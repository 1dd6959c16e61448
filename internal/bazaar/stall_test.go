package bazaar_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/bus/pgbus"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/postgres"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/sqlite"
	"github.com/holdfast-games/holdfast/store"
	"github.com/holdfast-games/holdfast/trade"
)

const (
	slots   = 3  // stalls at a time
	dealers = 12 // goroutines of a stall that make deals

	leaseLength = 4 * time.Second
	// tradeTime is how long a trade may take. It is shorter than a lease, so
	// trades with traders of a dead stall are given up, and later there are more.
	tradeTime = 1500 * time.Millisecond
	closeTime = time.Minute
)

// stall is a game server: a process of its own.
type stall struct {
	setup
	*reporter
	srv   *profile.Server
	made  atomic.Int64 // deals
	leave atomic.Bool
}

// serve is what a stall's process does.
func serve() int {
	s := &stall{reporter: &reporter{w: os.Stdout}}
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.setup)
	}
	if err == nil {
		err = s.run(in)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.say(report{News: newsClosed})
	return 0
}

// run trades until the input ends, and then saves and releases everybody.
func (s *stall) run(in io.Reader) error {
	ctx := context.Background()
	db, err := openStore(ctx, s.DB)
	if err != nil {
		return err
	}
	b, err := openBus(ctx, s.Bus)
	if err != nil {
		return errors.Join(err, db.Close(ctx))
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	o := &profile.Options{
		Session:  session.Options{Name: s.Name, Bus: b, Lease: leaseLength, Logger: log},
		Autosave: 2 * time.Second, FreezePatience: 3 * time.Second, OnLoadError: profile.RefusePlayer,
	}
	if s.srv, err = profile.Open(ctx, db, trader, o); err != nil {
		return errors.Join(err, b.Close(), db.Close(ctx))
	}
	s.say(report{News: newsReady})
	var all sync.WaitGroup
	for i := range dealers {
		all.Go(func() { s.deal(ctx, i) })
	}
	_, _ = io.Copy(io.Discard, in)
	s.leave.Store(true)
	all.Wait()
	return s.close(ctx, db, b)
}

func (s *stall) close(ctx context.Context, db *store.DB, b *bus.Bus) error {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	results, err := s.srv.Close(ctx)
	for _, r := range results {
		if r.Err != nil && !errors.Is(r.Err, session.ErrLost) {
			err = errors.Join(err, r.Err)
		}
	}
	return errors.Join(err, db.Close(ctx), b.Close())
}

// deal opens its part of the stall's traders and makes deals with anybody.
func (s *stall) deal(ctx context.Context, dealer int) {
	dice := rand.New(rand.NewPCG(s.Seed, uint64(dealer)))
	for n := s.Slot + slots*dealer; n < s.Traders && !s.leave.Load(); n += slots * dealers {
		if n%5 > 0 { // the others are nowhere at first, or are opened for a trade
			s.open(ctx, n, tradeTime) // who is with a dead stall may come later, by chance
		}
	}
	for !s.leave.Load() {
		switch dice.IntN(32) {
		case 0:
			s.open(ctx, dice.IntN(s.Traders), time.Second)
		case 1:
			s.visit(ctx, dice, (*profile.Profile).Close)
		case 2, 3:
			s.visit(ctx, dice, (*profile.Profile).Save)
		case 4, 5, 6, 7:
			s.alone(ctx, dice)
		default:
			s.trade(ctx, dice)
		}
	}
}

// open opens a trader, who is handed over if another stall has him.
func (s *stall) open(ctx context.Context, n int, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	p, err := s.srv.Open(ctx, id(n), &profile.OpenOptions{MustExist: true})
	switch {
	case err == nil && p.Err() != nil:
		s.wrong("open", p.Err())
	case err != nil && ctx.Err() == nil && !errors.Is(err, session.ErrLocked) && !away(err):
		s.wrong("open", err)
	}
}

// visit does something with one of the traders who are open here.
func (s *stall) visit(ctx context.Context, dice *rand.Rand, do func(*profile.Profile, context.Context) error) {
	p := s.one(dice)
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := do(p, ctx); err != nil && ctx.Err() == nil && !away(err) {
		s.wrong("visit", err)
	}
}

func (s *stall) one(dice *rand.Rand) *profile.Profile {
	p, _ := s.srv.Profile(id(dice.IntN(s.Traders)))
	return p
}

func (s *stall) next() string { return fmt.Sprintf("%s-%d", s.Name, s.made.Add(1)) }

// alone makes a deal of one trader, which is nobody's business, and waits for the
// disk in half of all cases.
func (s *stall) alone(ctx context.Context, dice *rand.Rand) {
	n := dice.IntN(s.Traders)
	p, ok := s.srv.Profile(id(n))
	if !ok {
		return
	}
	d := &deal{id: s.next(), kind: alone, who: []int{n}}
	s.say(report{News: newsBegins, Deal: d.id, Who: d.who})
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var err error
	fn := func(tx *profile.Tx) error { return d.do([]*profile.Tx{tx}) }
	if dice.IntN(2) > 0 {
		err = p.Update(fn, profile.Durable(ctx))
	} else if err = p.Update(fn); err == nil {
		err = profile.ErrNotDurable // if the stall is killed now
	}
	s.ends(d, s.judge(ctx, d, err), err)
}

// trade makes a deal of several traders, wherever they are.
func (s *stall) trade(ctx context.Context, dice *rand.Rand) {
	d := pick(dice, s.next(), s.Traders)
	s.say(report{News: newsBegins, Deal: d.id, Who: d.who})
	err := trade.Do(ctx, s.srv, d.ids(), func(txs []*profile.Tx) error {
		err := d.do(txs)
		if err == nil {
			s.say(report{News: newsRuns, Deal: d.id})
		}
		return err
	}, &trade.Options{Wait: tradeTime})
	s.ends(d, s.judge(ctx, d, err), err)
}

func (s *stall) ends(d *deal, f fate, err error) {
	r := report{News: newsEnds, Deal: d.id, Fate: f}
	if err != nil {
		r.Text = err.Error()
	}
	s.say(r)
}

// judge returns what an error says of a deal.
func (s *stall) judge(ctx context.Context, d *deal, err error) fate {
	var outcome *profile.OutcomeError
	switch {
	case err == nil:
		return done
	case errors.As(err, &outcome):
		return s.find(ctx, outcome)
	case errors.Is(err, profile.ErrNotDurable):
		return unknown
	case errors.Is(err, errPoor), errors.Is(err, errUndo), d.kind == alone && away(err), d.kind != alone && given(err):
		return refused
	}
	s.wrong("deal", err)
	return unknown
}

// find waits for some time until it is known what became of a trade. That may take
// until somebody opens a trader whom a dead stall has.
func (s *stall) find(ctx context.Context, outcome *profile.OutcomeError) fate {
	ctx, cancel := context.WithTimeout(ctx, 2*leaseLength)
	defer cancel()
	happened, err := outcome.Find(ctx, s.srv)
	switch {
	case errors.Is(err, profile.ErrUnknownOutcome):
		return unknown
	case err != nil:
		s.wrong("find", err)
		return unknown
	case happened:
		return done
	}
	return refused
}

// given reports whether an error is one that the documentation of trades names for
// those that have not happened, and which these may end with.
func given(err error) bool {
	return errors.Is(err, trade.ErrTime) || errors.Is(err, session.ErrSuspended) || errors.Is(err, session.ErrClosed)
}

// away reports whether an error says that a trader is not here just now, or that
// the stall cannot change anybody.
func away(err error) bool {
	for _, known := range []error{profile.ErrBusy, session.ErrClosed, session.ErrLost, session.ErrSuspended, profile.ErrLeft} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

func (s *stall) wrong(what string, err error) {
	s.say(report{News: newsWrong, Text: fmt.Sprintf("%s: %v", what, err)})
}

// openStore opens a file of SQLite or a URL of PostgreSQL.
func openStore(ctx context.Context, where string) (*store.DB, error) {
	var drv driver.DB
	var err error
	if strings.HasPrefix(where, "postgres:") {
		drv, err = postgres.Open(ctx, where, nil)
	} else {
		drv, err = sqlite.Open(ctx, where, nil)
	}
	if err != nil {
		return nil, err
	}
	db, err := store.New(drv, &store.Options{Timeout: 3 * time.Second})
	if err != nil {
		return nil, errors.Join(err, drv.Close())
	}
	return db, nil
}

func openBus(ctx context.Context, url string) (*bus.Bus, error) {
	if strings.HasPrefix(url, "nats:") {
		return natsbus.Open(ctx, url, nil)
	}
	return pgbus.Open(ctx, url, nil)
}
