package mailbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// How long mail may wait to be handled, and a grant may stand.
const (
	MinLife = 2 * profile.MinMessageLife
	MaxLife = profile.MaxMessageLife - time.Hour
)

// Topic is one sort of mail, by its name of 1 to profile.MaxTopic bytes, with bodies
// of type T, which are stored as JSON of at most profile.MaxMessageBody bytes.
type Topic[T any] string

// Mail is a piece of mail in the hands of its handler.
type Mail[T any] struct {
	ID     string // unique to its receiver
	Body   T
	Giver  session.Key // whose update sent it; zero: a server sent it
	Server string      // the name of the server that sent it
	Grant  string      // the id of the grant that it is; empty: it is none
	Reason string      // as it was sent
	Sent   time.Time   // by the database's clock; of a grant, when it was made
}

// SendOptions say how mail is sent. Nil is the same as the zero value.
type SendOptions struct {
	// ID names the mail among those to its receiver, 1 to profile.MaxMessageID bytes
	// that do not begin with "~". Until its time is over, mail of the same id is the
	// same mail. Empty gives it an id of its own.
	ID string
	// Life is how long it may wait to be handled, MinLife to MaxLife. Zero means
	// profile.DefaultMessageLife.
	Life time.Duration
	// Reason says why, for the journal and the history: at most session.MaxReason
	// bytes.
	Reason string
	// Whoever allows to send to an id under which no profile is kept yet: whoever
	// comes gets it. Else there must be one, and only that one gets it.
	Whoever bool
	// Slot is the id of the save slot that it is for: it is handled while that is
	// loaded, and waits until then. Empty: whichever is loaded, or none.
	Slot string
}

// Handle has fn handle the topic's mail. It should be called before the first profile
// is opened. A second handler of a topic is refused as driver.ErrInvalid. Fn runs
// inside an update of the receiver, like a profile.Handler: it must be quick and use
// the profile through the Tx only. The package comment says what its error means.
func (t Topic[T]) Handle(b *Mailbox, fn func(tx *profile.Tx, m *Mail[T]) error) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("handle mail: %w", err)
	}
	return b.srv.Handle(string(t), func(tx *profile.Tx, m *profile.Message) (json.RawMessage, error) {
		mail, err := open[T](m)
		if err != nil {
			return nil, err
		}
		return nil, fn(tx, mail)
	})
}

// open decodes the body of a message.
func open[T any](m *profile.Message) (*Mail[T], error) {
	mail := &Mail[T]{ID: m.ID, Giver: m.Giver, Server: m.From, Grant: grantOf(m.ID), Reason: m.Reason, Sent: m.Sent}
	if len(m.Body) == 0 {
		return mail, nil
	}
	if err := json.Unmarshal(m.Body, &mail.Body); err != nil {
		return nil, fmt.Errorf("body of a message of topic %q: %w", m.Topic, err)
	}
	return mail, nil
}

// Send sends mail to a player, wherever he is, and returns its id. It blocks until
// that is on disk. It is session.ErrNotFound, session.ErrErased, profile.ErrFull,
// driver.ErrInvalid or document.ErrTooLarge, as profile.Server.Send is; nothing was
// sent then. With any other error it may have been sent: to send it again by the same
// id is safe.
func (t Topic[T]) Send(ctx context.Context, b *Mailbox, to string, body T, o *SendOptions) (id string, err error) {
	m, err := t.message(b, body, o)
	if err != nil {
		return "", fmt.Errorf("send mail to %v: %w", b.key(to), err)
	}
	return b.srv.Send(ctx, to, m, b.sendOptions(o))
}

// Give sends mail in exchange for what take takes from the giver: a player's gift.
// Both happen, or neither, also across any crash. Take runs inside an update of the
// giver; if it returns an error, nothing has happened and that is returned. The
// receiver's mailbox is looked at before: the errors are those of Send. Givers who give
// at one moment may exceed Options.Most by as many.
//
// Give returns when all is on disk. If ctx ends before that, it has happened in memory
// and the error is profile.ErrNotDurable, beside the id.
func (t Topic[T]) Give(ctx context.Context, b *Mailbox, giver *profile.Profile, to string, body T, o *SendOptions, take func(*profile.Tx) error) (id string, err error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("give from %v to %v: %w", giver.Key(), b.key(to), err)
	}
	m, err := t.message(b, body, o)
	if err != nil {
		return fail(err)
	}
	if m, err = b.srv.Address(ctx, to, m, b.sendOptions(o)); err != nil {
		return fail(err)
	}
	sent := false
	err = giver.Update(func(tx *profile.Tx) error {
		if err := take(tx); err != nil {
			return err
		}
		if m.Reason != "" {
			tx.Because(m.Reason)
		}
		_, err := tx.Send(b.key(to), m)
		sent = err == nil
		return err
	}, profile.Durable(ctx))
	switch {
	case err == nil:
		return m.ID, nil
	case sent && errors.Is(err, profile.ErrNotDurable):
		return m.ID, fmt.Errorf("give from %v to %v: %w", giver.Key(), b.key(to), err)
	}
	return fail(err)
}

func (t Topic[T]) check() error {
	if t == "" || len(t) > profile.MaxTopic || strings.HasPrefix(string(t), "~") {
		return fmt.Errorf("%w: topic %.60q, 1 to %d bytes that do not begin with ~", driver.ErrInvalid, string(t), profile.MaxTopic)
	}
	return nil
}

// message returns mail as a message.
func (t Topic[T]) message(b *Mailbox, body T, o *SendOptions) (profile.Message, error) {
	if o == nil {
		o = &SendOptions{}
	}
	m := profile.Message{ID: o.ID, Topic: string(t), Slot: o.Slot, Reason: o.Reason}
	if err := t.check(); err != nil {
		return m, err
	}
	if strings.HasPrefix(o.ID, "~") {
		return m, fmt.Errorf("%w: id %.60q begins with ~", driver.ErrInvalid, o.ID)
	}
	if o.Life != 0 {
		if o.Life < MinLife || o.Life > MaxLife {
			return m, fmt.Errorf("%w: life of %v, %v to %v allowed", driver.ErrInvalid, o.Life, MinLife, MaxLife)
		}
		m.Until = b.srv.Session().Now().Add(o.Life)
	}
	var err error
	m.Body, err = encode(body)
	return m, err
}

func encode(body any) (json.RawMessage, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: body: %w", driver.ErrInvalid, err)
	}
	return text, nil
}

func (b *Mailbox) sendOptions(o *SendOptions) *profile.SendOptions {
	return &profile.SendOptions{Whoever: o != nil && o.Whoever, Most: b.opts.Most}
}
