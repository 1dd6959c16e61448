package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// grantCmd shows and makes grants: mail for every player, once each.
type grantCmd struct {
	List   grantListCmd   `cmd:"" default:"withargs" help:"List the grants."`
	Create grantCreateCmd `cmd:"" help:"Give something to every player once."`
	Cancel grantCancelCmd `cmd:"" help:"End a grant. Who has got it keeps it."`
}

// kindFlag is part of every command for all players of a kind.
type kindFlag struct {
	Kind string `default:"player" placeholder:"KIND" help:"Of which kind of profiles (default player)."`
}

func (f *kindFlag) check() error {
	if err := (session.Key{Kind: f.Kind, ID: "x"}).Check(); err != nil {
		return usageError{fmt.Errorf("--kind: %w", err)}
	}
	return nil
}

// grantListCmd lists grants.
type grantListCmd struct {
	kindFlag
	jsonFlag
	timeoutFlag
}

// grantJSON is what grant writes of a grant with --json.
type grantJSON struct {
	ID        string         `json:"id"`
	Topic     string         `json:"topic,omitzero"`
	Body      jsontext.Value `json:"body,omitzero"`
	From      *time.Time     `json:"from,omitzero"`
	Until     *time.Time     `json:"until,omitzero"`
	Newcomers bool           `json:"newcomers,omitzero"`
	Reason    string         `json:"reason,omitzero"`
	Made      *time.Time     `json:"made,omitzero"`
	By        string         `json:"by,omitzero"`
	Cancelled *time.Time     `json:"cancelled,omitzero"`
	Why       string         `json:"why,omitzero"`
	Error     string         `json:"error,omitzero"`
}

func jsonGrant(g *mailbox.Grant, err error) grantJSON {
	return grantJSON{
		ID: g.ID, Topic: g.Topic, Body: jsontext.Value(g.Body), From: jsonTime(g.From), Until: jsonTime(g.Until),
		Newcomers: g.Newcomers, Reason: g.Reason, Made: jsonTime(g.Made), By: g.By, Cancelled: jsonTime(g.Cancelled), Why: g.Why,
		Error: errText(err),
	}
}

// Run runs the command.
func (c *grantListCmd) Run(ctx context.Context, e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	var rows [][]string
	bad := false
	for g, err := range mailbox.Grants(db.ctx, db.DB, c.Kind) {
		if err != nil && g.ID == "" {
			return db.why(err)
		}
		bad = bad || err != nil
		if !c.JSON {
			rows = append(rows, grantRow(&g, err))
		} else if err := writeJSON(e.out, jsonGrant(&g, err)); err != nil {
			return err
		}
	}
	if !c.JSON {
		header := []string{"ID", "TOPIC", "STATE", "FROM", "UNTIL", "FOR", "MADE BY", "NOTE"}
		if err := console.Table(e.out, header, rows); err != nil {
			return err
		}
	}
	if bad {
		return errSome
	}
	return nil
}

func grantRow(g *mailbox.Grant, err error) []string {
	if err != nil {
		return []string{"! " + g.ID, "", "", "", "", "", "", firstLine(err)}
	}
	now := time.Now()
	state, note := "over", g.Reason
	switch {
	case !g.Cancelled.IsZero():
		state, note = "cancelled", g.Why
	case g.Standing(now):
		state = "given"
	case g.From.After(now):
		state = "to come"
	}
	who := "who was there"
	if g.Newcomers {
		who = "everybody"
	}
	return []string{g.ID, g.Topic, state, console.Time(g.From), console.Time(g.Until), who, g.By, cutText(note)}
}

// grantCreateCmd makes a grant.
type grantCreateCmd struct {
	ID        string    `arg:"" help:"Its id, by which it is seen in lists: season-3-reset. Run again with the same id and content, the command changes nothing."`
	Topic     string    `required:"" placeholder:"NAME" help:"What the game's handler for it is registered under."`
	Body      string    `placeholder:"JSON" help:"What the handler gets; - reads it from standard input."`
	From      time.Time `placeholder:"TIME" help:"When it begins, as 2006-01-02T15:04:05Z (default: now)."`
	Until     time.Time `placeholder:"TIME" help:"When it ends: who has not been loaded by then does not get it (default: after 30 days)."`
	Newcomers bool      `help:"Give it also to players whose profiles begin after now."`
	actFlags
	Wait time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for the database (default 10s)."`
	kindFlag
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*grantCreateCmd) Help() string {
	return "One entry is written, however many players there are. Each gets it with his next load; who is playing gets it within half a minute. " +
		"The game's servers must use the package mailbox."
}

// Run runs the command.
func (c *grantCreateCmd) Run(ctx context.Context, e *env) error {
	if err := errors.Join(c.check(), c.checkAct(), checkTopic(c.Topic)); err != nil {
		return err
	}
	if c.ID == "" || len(c.ID) > mailbox.MaxGrantID {
		return usageError{fmt.Errorf("id %.60q: 1 to %d bytes allowed", c.ID, mailbox.MaxGrantID)}
	}
	body, err := readBody(c.Body, e.in)
	if err != nil {
		return err
	}
	g := mailbox.Grant{ID: c.ID, Topic: c.Topic, Body: body, From: c.From, Until: c.Until, Newcomers: c.Newcomers, Reason: c.Reason}
	return e.withBox(ctx, "grant create", c.Kind, c.Wait, c.timeoutFlag, func(ctx context.Context, b *mailbox.Mailbox) error {
		made, err := b.As(c.By).Grant(ctx, g)
		if err != nil {
			return err
		}
		return reportGrant(e, c.JSON, &made)
	})
}

// withBox runs fn with the mailbox of a kind of profiles.
func (e *env) withBox(ctx context.Context, command, kind string, wait time.Duration, t timeoutFlag, fn func(context.Context, *mailbox.Mailbox) error) error {
	if wait <= 0 {
		return usageError{fmt.Errorf("--wait %v: give a time above zero", wait)}
	}
	return e.withPost(ctx, command, kind, limitFlags{}, t, func(ctx context.Context, _ *database, srv *profile.Server) error {
		b, err := mailbox.Open(ctx, srv, &mailbox.Options{Logger: e.log})
		if err != nil {
			return err
		}
		defer func() { _ = b.Close() }()
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		return fn(ctx, b)
	})
}

func reportGrant(e *env, asJSON bool, g *mailbox.Grant) error {
	if asJSON {
		return writeJSON(e.out, jsonGrant(g, nil))
	}
	text := fmt.Sprintf("Grant %s is given from %s until %s.", g.ID, console.Time(g.From), console.Time(g.Until))
	if !g.Cancelled.IsZero() {
		text = fmt.Sprintf("Grant %s was cancelled %s.", g.ID, console.Time(g.Cancelled))
	}
	_, err := fmt.Fprintln(e.out, console.Clean(text))
	return err
}

// grantCancelCmd cancels a grant.
type grantCancelCmd struct {
	ID string `arg:"" help:"Which grant."`
	actFlags
	Wait time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for the database (default 10s)."`
	kindFlag
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*grantCancelCmd) Help() string {
	return "Servers that have not heard of it yet give it for half a minute more. Its id stays taken until it would have ended."
}

// Run runs the command.
func (c *grantCancelCmd) Run(ctx context.Context, e *env) error {
	if err := errors.Join(c.check(), c.checkAct()); err != nil {
		return err
	}
	return e.withBox(ctx, "grant cancel", c.Kind, c.Wait, c.timeoutFlag, func(ctx context.Context, b *mailbox.Mailbox) error {
		g, err := b.As(c.By).Cancel(ctx, c.ID, c.Reason)
		if err != nil {
			return err
		}
		return reportGrant(e, c.JSON, &g)
	})
}
