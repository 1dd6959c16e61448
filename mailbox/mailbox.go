package mailbox

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/registry"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
	"github.com/prometheus/client_golang/prometheus"
)

// Options configure a Mailbox. A nil *Options is the same as the zero value.
type Options struct {
	// Most is how much mail may wait for one player, 1 to profile.MaxMessages. Zero
	// means 200.
	Most int
	// Poll is the time from one look at the grants to the next, besides those when
	// the bus tells that there is a new one. 1 s to 1 h. Zero means 30 s.
	Poll time.Duration
	// Logger gets what an operator should know. Nil discards it.
	Logger *slog.Logger
	// Metrics is where the mailbox's collectors are registered. Nil means nowhere.
	Metrics prometheus.Registerer
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Most == 0 {
		c.Most = 200
	}
	if c.Poll == 0 {
		c.Poll = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Most < 0 || c.Most > profile.MaxMessages:
		return c, fmt.Errorf("%w: mail for one player %d, 1 to %d allowed", driver.ErrInvalid, c.Most, profile.MaxMessages)
	case c.Poll < time.Second || c.Poll > time.Hour:
		return c, fmt.Errorf("%w: grants looked at every %v, 1s to 1h allowed", driver.ErrInvalid, c.Poll)
	}
	return c, nil
}

// Mailbox sends and handles the mail of one kind of profiles. All its methods are
// safe for concurrent use.
type Mailbox struct {
	srv *profile.Server
	*shared
}

// shared is what a mailbox has in common with those that As returns.
type shared struct {
	kind string
	opts Options
	mx   *registry.Set

	grants atomic.Pointer[[]*grant] // as they were read last, in the order of their creation

	looking sync.Mutex // held by who reads the grants
	wake    chan struct{}
	ctx     context.Context
	stop    context.CancelFunc
	done    chan struct{} // closed when the mailbox looks no more
}

// Open returns the mailbox of a server's profiles. It should be called before the
// first profile is opened, and once for each kind of profiles. It blocks to read the
// grants. The mailbox must be closed before the server.
func Open(ctx context.Context, srv *profile.Server, o *Options) (*Mailbox, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open mailbox: %w", err)
	}
	b := &Mailbox{srv, &shared{kind: srv.Schema().Kind(), opts: opts, wake: make(chan struct{}, 1), done: make(chan struct{})}}
	if srv.Schema().Field(Received.Name()) != profile.Field(Received) {
		return nil, fmt.Errorf("open mailbox of %q: %w", b.kind, ErrNoField)
	}
	if _, err := b.read(ctx); err != nil {
		return nil, fmt.Errorf("open mailbox of %q: %w", b.kind, err)
	}
	if b.mx, err = register(b); err != nil {
		return nil, fmt.Errorf("open mailbox of %q: %w", b.kind, err)
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	srv.Offer(b.offers)
	srv.Hear(newsOfGrants, b.lookSoon)
	go b.run()
	b.lookSoon() // for the profiles that are open already
	return b, nil
}

// As returns the mailbox for acts of an operator: what is sent, granted, cancelled, sent
// again and discarded by it is in the audit log under his name, and needs a reason. It
// shares everything with b, and is closed with it. See profile.Server.As.
func (b *Mailbox) As(operator string) *Mailbox { return &Mailbox{b.srv.As(operator), b.shared} }

// Close ends the looks at the grants, and returns when none is under way. Players who
// are loaded afterwards still get the grants that are known. Closing twice is
// ErrClosed.
func (b *Mailbox) Close() error {
	if b.ctx.Err() != nil {
		<-b.done
		return ErrClosed
	}
	b.stop()
	<-b.done
	b.mx.Unregister()
	return nil
}

func (b *Mailbox) db() *store.DB { return b.srv.Session().DB() }

func (b *Mailbox) key(id string) session.Key { return session.Key{Kind: b.kind, ID: id} }

// Room returns how much more mail may be sent to a player, 0 if his mailbox is full.
// It blocks to read.
func (b *Mailbox) Room(ctx context.Context, id string) (int, error) {
	waiting := 0
	for m, err := range b.Waiting(ctx, id) {
		if err != nil && m.ID == "" {
			return 0, fmt.Errorf("look for room: %w", err)
		}
		waiting++
	}
	return max(0, b.opts.Most-waiting), nil
}

// Waiting yields the mail that waits for a player, in the order in which it was
// sent: see profile.Messages.
func (b *Mailbox) Waiting(ctx context.Context, id string) iter.Seq2[profile.Message, error] {
	return b.srv.Messages(ctx, id)
}

// Dead yields a player's dead letters, in the order in which they died: see
// profile.DeadLetters.
func (b *Mailbox) Dead(ctx context.Context, id string) iter.Seq2[profile.DeadLetter, error] {
	return b.srv.DeadLetters(ctx, id)
}

// AllDead yields the dead letters of all players: see profile.AllDeadLetters, which
// says what that costs.
func (b *Mailbox) AllDead(ctx context.Context) iter.Seq2[profile.DeadLetter, error] {
	return profile.AllDeadLetters(ctx, b.db(), b.kind)
}

// Resend sends a dead letter again, under a new id, which it returns: see
// profile.Server.Resend.
func (b *Mailbox) Resend(ctx context.Context, id, letter, reason string) (string, error) {
	return b.srv.Resend(ctx, id, letter, reason)
}

// Discard deletes a dead letter for good, for a reason: see profile.Server.Discard.
func (b *Mailbox) Discard(ctx context.Context, id, letter, reason string) error {
	return b.srv.Discard(ctx, id, letter, reason)
}

// ResendAll sends again every dead letter, of all players, that match accepts (nil:
// each) and that has died before now, and yields it with what became of that. An error
// without a letter's ID ends it. It costs what AllDead does, and an update of each
// player.
func (b *Mailbox) ResendAll(ctx context.Context, reason string, match func(profile.DeadLetter) bool) iter.Seq2[profile.DeadLetter, error] {
	return func(yield func(profile.DeadLetter, error) bool) {
		began := b.srv.Session().Now()
		for d, err := range b.AllDead(ctx) {
			if err == nil && (d.Died.After(began) || match != nil && !match(d)) {
				continue
			}
			if err == nil {
				_, err = b.Resend(ctx, d.To.ID, d.ID, reason)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}
