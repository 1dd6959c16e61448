package mailbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// Limits of grants.
const (
	MaxGrantID = 50  // bytes
	MaxGrants  = 100 // that stand at one time for one kind of profiles, cancelled ones included
)

// Grant is mail for every player of a kind, once each.
type Grant struct {
	// ID names the grant among those of its kind, 1 to MaxGrantID bytes of text. As
	// long as it stands, to make another of the same id and content changes nothing.
	ID string
	// Topic says which handler it is for, and Body is what that gets, as JSON.
	Topic string
	Body  json.RawMessage
	// From and Until are when it is given, by the database's clock. From zero means
	// from now, Until zero profile.DefaultMessageLife after that. It may stand for
	// MinLife to MaxLife from now.
	From, Until time.Time
	// Newcomers says that players get it too whose profiles began after it was made,
	// by the clocks of the servers that did both.
	Newcomers bool
	// Reason says why, for the journal and the history of each player: at most
	// session.MaxReason bytes.
	Reason string

	// Made is when it was made, and By the name of the server that made it. Making
	// it sets them.
	Made time.Time
	By   string
	// Cancelled is when it was cancelled, and Why. Zero: it was not.
	Cancelled time.Time
	Why       string
}

// Standing reports whether the grant is given at a moment.
func (g *Grant) Standing(now time.Time) bool {
	return g.Cancelled.IsZero() && !now.Before(g.From) && now.Before(g.Until)
}

const grantFormat = 1

// storedGrant is a grant as it is stored, under ~grant/<kind>/<id>.
type storedGrant struct {
	Format    int             `json:"format"`
	Birth     driver.Version  `json:"birth"` // which no other grant of the id ever has
	Topic     string          `json:"topic"`
	Body      json.RawMessage `json:"body,omitempty"`
	From      time.Time       `json:"from"`
	Until     time.Time       `json:"until"`
	Newcomers bool            `json:"newcomers,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Made      time.Time       `json:"made"`
	By        string          `json:"by,omitempty"`
	Cancelled time.Time       `json:"cancelled,omitzero"`
	Why       string          `json:"why,omitempty"`
}

// grant is a grant with what tells it from another one of the same id.
type grant struct {
	Grant
	birth driver.Version
	at    driver.Version // of its entry
}

func grantFolder(kind string) string { return store.SystemKey("grant", kind) + "/" }

func grantKey(kind, id string) string { return store.SystemKey("grant", kind, id) }

func (g *grant) encode() ([]byte, error) {
	text, err := json.Marshal(storedGrant{
		Format: grantFormat, Birth: g.birth, Topic: g.Topic, Body: g.Body, From: g.From, Until: g.Until, Newcomers: g.Newcomers,
		Reason: g.Reason, Made: g.Made, By: g.By, Cancelled: g.Cancelled, Why: g.Why,
	})
	if err != nil {
		return nil, fmt.Errorf("encode grant %q: %w", g.ID, err)
	}
	return text, nil
}

// decodeGrant reads the entry of a grant.
func decodeGrant(e *driver.Entry) (*grant, error) {
	fail := func(err error) (*grant, error) { return nil, fmt.Errorf("read grant %q: %w", e.Key, err) }
	parts, err := store.SplitKey(e.Key)
	switch {
	case e.Damaged != nil:
		return fail(e.Damaged)
	case err != nil || len(parts) != 3:
		return fail(fmt.Errorf("%w: not a grant's key", driver.ErrCorrupt))
	}
	var head struct {
		Format int `json:"format"`
	}
	var st storedGrant
	if err := json.Unmarshal(e.Value, &head); err == nil && head.Format > grantFormat {
		return fail(fmt.Errorf("%w: format %d, this program reads up to %d", driver.ErrFormat, head.Format, grantFormat))
	}
	if err := json.Unmarshal(e.Value, &st); err != nil || st.Format != grantFormat || st.Birth.IsZero() {
		return fail(fmt.Errorf("%w: format %d: %w", driver.ErrCorrupt, st.Format, errors.Join(err)))
	}
	return &grant{Grant{
		ID: parts[2], Topic: st.Topic, Body: st.Body, From: st.From, Until: st.Until, Newcomers: st.Newcomers, Reason: st.Reason,
		Made: st.Made, By: st.By, Cancelled: st.Cancelled, Why: st.Why,
	}, st.Birth, e.Version}, nil
}

// Grant makes a grant with a body of the topic's type, in place of g.Topic and
// g.Body: see Mailbox.Grant.
func (t Topic[T]) Grant(ctx context.Context, b *Mailbox, body T, g Grant) (Grant, error) {
	if err := t.check(); err != nil {
		return Grant{}, fmt.Errorf("grant %q: %w", g.ID, err)
	}
	text, err := encode(body)
	if err != nil {
		return Grant{}, fmt.Errorf("grant %q: %w", g.ID, err)
	}
	g.Topic, g.Body = string(t), text
	return b.Grant(ctx, g)
}

// Grant makes a grant, and returns it as it is stored. It blocks until it is on disk;
// then every player gets it who has a profile, or will have one if it says so: on this
// server from now on, on others as soon as they have heard of it. To make the same
// grant again is no error. It is ErrTaken if another one has that id, ErrTooMany if
// MaxGrants stand, and driver.ErrInvalid or document.ErrTooLarge if it breaks a limit.
// Servers that make grants at one moment may exceed MaxGrants by as many. With any
// other error it may have been made: to make it again is safe.
func (b *Mailbox) Grant(ctx context.Context, g Grant) (Grant, error) {
	fail := func(err error) (Grant, error) { return Grant{}, fmt.Errorf("grant %q: %w", g.ID, err) }
	made, err := b.prepare(g)
	if err != nil {
		return fail(err)
	}
	if err := b.roomForGrant(ctx, g.ID); err != nil {
		return fail(err)
	}
	value, err := made.encode()
	if err != nil {
		return fail(err)
	}
	act, err := b.granting(ctx, made)
	if err != nil {
		return fail(err)
	}
	key := grantKey(b.kind, g.ID)
	attempt := driver.Batch{ID: made.at, Writes: append(act, driver.Write{Key: key, Mode: driver.Once, Value: value})}
	if _, err := b.db().Commit(ctx, store.Attempt{Batch: attempt, Lane: store.Waited}); err != nil {
		return fail(err)
	}
	there, err := b.stored(ctx, g.ID)
	if err != nil {
		return fail(err)
	}
	if there.birth != made.birth && !same(&there.Grant, &g) {
		return fail(fmt.Errorf("%w: it was made at %v by %q", ErrTaken, there.Made, there.By))
	}
	b.changed(ctx)
	return there.Grant, nil
}

// granting returns the entry of the operator's act that it is to make a grant; none if
// nobody is named for it (profile.Server.As), or one of that id is there.
func (b *Mailbox) granting(ctx context.Context, g *grant) ([]driver.Write, error) {
	if b.srv.Operator() == "" {
		return nil, nil
	}
	if _, err := b.stored(ctx, g.ID); !errors.Is(err, ErrNoGrant) {
		return nil, err
	}
	return b.acted("grant", g.ID, g.Reason)
}

// acted returns the entry of an operator's act on a grant, if somebody is named for it.
func (b *Mailbox) acted(what, id, reason string) ([]driver.Write, error) {
	details, err := json.Marshal(map[string]string{"kind": b.kind, "grant": id})
	if err != nil {
		return nil, fmt.Errorf("encode the act: %w", err)
	}
	return b.srv.Acted(audit.Act{What: what, Reason: reason, Details: details})
}

// prepare checks a grant and fills in what was left out.
func (b *Mailbox) prepare(g Grant) (*grant, error) {
	ss := b.srv.Session()
	now := ss.Now().UTC().Round(time.Millisecond)
	if g.From.IsZero() {
		g.From = now
	}
	if g.Until.IsZero() {
		g.Until = g.From.Add(profile.DefaultMessageLife)
	}
	g.From, g.Until = g.From.UTC().Round(time.Millisecond), g.Until.UTC().Round(time.Millisecond)
	g.Made, g.By, g.Cancelled, g.Why = now, ss.Name(), time.Time{}, ""
	if err := checkGrant(&g, now); err != nil {
		return nil, err
	}
	if len(g.Body) > 0 {
		body, err := document.Compact(g.Body, nil)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		g.Body = body
	}
	made := &grant{Grant: g}
	var err error
	if made.birth, err = b.db().NewVersion(); err == nil {
		made.at, err = b.db().NewVersion()
	}
	return made, err
}

func checkGrant(g *Grant, now time.Time) error {
	if err := checkText("id", g.ID, MaxGrantID); err != nil {
		return err
	}
	if err := checkText("topic", g.Topic, profile.MaxTopic); err != nil {
		return err
	}
	life := g.Until.Sub(now)
	switch {
	case strings.HasPrefix(g.Topic, "~"):
		return fmt.Errorf("%w: topic %q begins with ~", driver.ErrInvalid, g.Topic)
	case life < MinLife || life > MaxLife:
		return fmt.Errorf("%w: a grant until %v, %v to %v from now allowed", driver.ErrInvalid, g.Until, MinLife, MaxLife)
	case !g.From.Before(g.Until):
		return fmt.Errorf("%w: a grant from %v until %v", driver.ErrInvalid, g.From, g.Until)
	case g.From.Year() < 0:
		return fmt.Errorf("%w: a grant from %v", driver.ErrInvalid, g.From)
	case len(g.Reason) > session.MaxReason || !utf8.ValidString(g.Reason):
		return fmt.Errorf("%w: reason of %d bytes, at most %d of UTF-8", driver.ErrInvalid, len(g.Reason), session.MaxReason)
	case len(g.Body) > profile.MaxMessageBody:
		return fmt.Errorf("%w: body of %d bytes, at most %d", document.ErrTooLarge, len(g.Body), profile.MaxMessageBody)
	}
	return nil
}

func checkText(what, s string, most int) error {
	switch {
	case s == "" || len(s) > most:
		return fmt.Errorf("%w: %s of %d bytes, 1 to %d allowed: %.60q", driver.ErrInvalid, what, len(s), most, s)
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%w: %s %q is not UTF-8 text without NUL", driver.ErrInvalid, what, s)
	}
	return nil
}

// same reports whether a grant is what somebody wants to make: what he left out may
// be anything.
func same(there, wanted *Grant) bool {
	body, err := document.Compact(wanted.Body, nil)
	if len(wanted.Body) == 0 {
		body, err = nil, nil
	}
	at := func(t time.Time) time.Time { return t.UTC().Round(time.Millisecond) }
	return err == nil && there.Topic == wanted.Topic && bytes.Equal(there.Body, body) &&
		there.Newcomers == wanted.Newcomers && there.Reason == wanted.Reason && there.Cancelled.IsZero() &&
		(wanted.From.IsZero() || there.From.Equal(at(wanted.From))) && (wanted.Until.IsZero() || there.Until.Equal(at(wanted.Until)))
}

// roomForGrant reports ErrTooMany if as many grants stand as may, and this is not
// one of them.
func (b *Mailbox) roomForGrant(ctx context.Context, id string) error {
	others := 0
	for g, err := range Grants(ctx, b.db(), b.kind) {
		switch {
		case err != nil && g.ID == "":
			return err
		case g.ID == id:
			return nil
		}
		others++
	}
	if others >= MaxGrants {
		return fmt.Errorf("%w: %d stand", ErrTooMany, others)
	}
	return nil
}

func (b *Mailbox) stored(ctx context.Context, id string) (*grant, error) {
	snap, err := b.db().Read(ctx, grantKey(b.kind, id))
	switch {
	case err != nil:
		return nil, err
	case !snap.Entries[0].Found():
		return nil, ErrNoGrant
	}
	return decodeGrant(&snap.Entries[0])
}

// Cancel ends a grant, for a reason of 1 to session.MaxReason bytes. Who has got it
// keeps it. It blocks until that is on disk; other servers may give it until they have
// heard of that, Options.Poll at most. To cancel it again changes nothing. It is
// ErrNoGrant if there is none.
func (b *Mailbox) Cancel(ctx context.Context, id, reason string) (Grant, error) {
	fail := func(err error) (Grant, error) { return Grant{}, fmt.Errorf("cancel grant %q: %w", id, err) }
	if err := errors.Join(checkText("id", id, MaxGrantID), checkText("reason", reason, session.MaxReason)); err != nil {
		return fail(err)
	}
	for {
		g, err := b.stored(ctx, id)
		if err != nil {
			return fail(err)
		}
		if !g.Cancelled.IsZero() {
			return g.Grant, nil
		}
		g.Cancelled, g.Why = b.srv.Session().Now().UTC().Round(time.Millisecond), reason
		act, err := b.acted("cancel grant", id, reason)
		if err != nil {
			return fail(err)
		}
		err = b.replace(ctx, g, act...)
		if errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUncertain) {
			continue
		}
		if err != nil {
			return fail(err)
		}
		b.changed(ctx)
		return g.Grant, nil
	}
}

func (b *Mailbox) replace(ctx context.Context, g *grant, with ...driver.Write) error {
	value, err := g.encode()
	if err != nil {
		return err
	}
	id, err := b.db().NewVersion()
	if err != nil {
		return err
	}
	w := driver.Write{Key: grantKey(b.kind, g.ID), Version: g.at, Value: value}
	_, err = b.db().Commit(ctx, store.Attempt{Batch: driver.Batch{ID: id, Writes: append(with, w)}, Lane: store.Waited})
	return err
}

// Grants yields the grants of a kind of profiles, those included that are cancelled or
// have not begun, in the order of their ids. Some that are over are kept for an hour or
// more. One that cannot be read comes with an error and its database key as its ID, and
// the next ones follow; an error with an empty ID ends the listing. It blocks to read,
// and needs no server.
func Grants(ctx context.Context, db *store.DB, kind string) iter.Seq2[Grant, error] {
	return func(yield func(Grant, error) bool) {
		if err := (session.Key{Kind: kind, ID: "x"}).Check(); err != nil {
			yield(Grant{}, err)
			return
		}
		for e, err := range grantEntries(ctx, db, kind) {
			if err != nil {
				yield(Grant{}, fmt.Errorf("list grants: %w", err))
				return
			}
			g, err := decodeGrant(e)
			if err != nil {
				g = &grant{Grant: Grant{ID: e.Key}}
			}
			if !yield(g.Grant, err) {
				return
			}
		}
	}
}

func grantEntries(ctx context.Context, db *store.DB, kind string) iter.Seq2[*driver.Entry, error] {
	return func(yield func(*driver.Entry, error) bool) {
		q := driver.Query{Prefix: grantFolder(kind)}
		for {
			page, err := db.List(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Entries {
				if !yield(&page.Entries[i], nil) {
					return
				}
			}
			if !page.More {
				return
			}
			q.After = page.Entries[len(page.Entries)-1].Key
		}
	}
}
