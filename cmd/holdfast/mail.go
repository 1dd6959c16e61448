package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// mailCmd shows and sends players' mail.
type mailCmd struct {
	List    mailListCmd    `cmd:"" default:"withargs" help:"List the mail that waits for a player."`
	Dead    mailDeadCmd    `cmd:"" help:"List dead letters: mail that the game could not handle."`
	Send    mailSendCmd    `cmd:"" help:"Send mail to a player."`
	Resend  mailResendCmd  `cmd:"" help:"Send dead letters again."`
	Discard mailDiscardCmd `cmd:"" help:"Delete a dead letter for good."`
}

// mailListCmd lists mail that waits.
type mailListCmd struct {
	Key keyArg `arg:"" help:"The player, as kind/id: player/42."`
	jsonFlag
	timeoutFlag
}

// mailJSON is what mail writes of a message with --json.
type mailJSON struct {
	To     string         `json:"to"`
	ID     string         `json:"id"`
	Topic  string         `json:"topic,omitzero"`
	Body   jsontext.Value `json:"body,omitzero"`
	Sent   *time.Time     `json:"sent,omitzero"`
	Until  *time.Time     `json:"until,omitzero"`
	From   string         `json:"from,omitzero"`  // the server that sent it
	Giver  string         `json:"giver,omitzero"` // the player who did
	Slot   string         `json:"slot,omitzero"`  // the save slot that it is for
	Reason string         `json:"reason,omitzero"`
	Died   *time.Time     `json:"died,omitzero"`
	Why    string         `json:"why,omitzero"` // it died
	Error  string         `json:"error,omitzero"`
}

func jsonMail(to session.Key, m *profile.Message, err error) mailJSON {
	j := mailJSON{
		To: to.String(), ID: m.ID, Topic: m.Topic, Body: jsontext.Value(m.Body), Sent: jsonTime(m.Sent), Until: jsonTime(m.Until),
		From: m.From, Slot: m.Slot, Reason: m.Reason, Error: errText(err),
	}
	if m.Giver != (session.Key{}) {
		j.Giver = m.Giver.String()
	}
	return j
}

// sender says who sent a message.
func (j *mailJSON) sender() string {
	if j.Giver != "" {
		return j.Giver
	}
	return j.From
}

// Run runs the command.
func (c *mailListCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	all := func(yield func(mailJSON, error) bool) {
		for m, err := range profile.Messages(db.ctx, db.DB, c.Key.Key) {
			if !yield(jsonMail(c.Key.Key, &m, err), err) {
				return
			}
		}
	}
	return db.why(writeMail(e, c.JSON, all, []string{"ID", "TOPIC", "SENT", "UNTIL", "FROM", "BODY"}, func(m *mailJSON) []string {
		return []string{m.ID, m.Topic, stamp(m.Sent), stamp(m.Until), m.sender(), cutText(string(m.Body))}
	}))
}

// writeMail writes a listing. What cannot be read is told in its place.
func writeMail(e *env, asJSON bool, all iter.Seq2[mailJSON, error], header []string, row func(*mailJSON) []string) error {
	var rows [][]string
	bad := false
	for m, err := range all {
		switch {
		case err != nil && m.ID == "":
			return err
		case asJSON:
			if err := writeJSON(e.out, m); err != nil {
				return err
			}
		case err != nil:
			line := make([]string, len(header))
			line[0], line[len(line)-1] = "! "+m.ID, m.Error
			rows = append(rows, line)
		default:
			rows = append(rows, row(&m))
		}
		bad = bad || err != nil
	}
	if !asJSON {
		if err := console.Table(e.out, header, rows); err != nil {
			return err
		}
	}
	if bad {
		return errSome
	}
	return nil
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return console.Time(*t)
}

// cutText shortens a text for a table.
func cutText(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// whoseArg is a player on the command line (player/42), or all of a kind (player).
type whoseArg struct {
	session.Key        // without an ID: all of the kind
	text        string // as it was given
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *whoseArg) UnmarshalText(text []byte) error {
	o, err := rootsOptions(string(text))
	if err != nil {
		return err
	}
	w.Key, w.text = session.Key{Kind: o.Kind, ID: o.ID}, string(text)
	if o.Kind == "" || o.ID == "" && strings.Contains(w.text, "/") {
		return fmt.Errorf("%q is no player (player/42) and no kind (player)", w.text)
	}
	return nil
}

// dead yields the dead letters of whom the argument names.
func (w *whoseArg) dead(ctx context.Context, db *database) iter.Seq2[profile.DeadLetter, error] {
	if w.ID == "" {
		return profile.AllDeadLetters(ctx, db.DB, w.Kind)
	}
	return profile.DeadLetters(ctx, db.DB, w.Key)
}

// mailDeadCmd lists dead letters.
type mailDeadCmd struct {
	Whose whoseArg `arg:"" help:"A player, as kind/id (player/42), or a kind (player) for all of them: that goes over all keys."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*mailDeadCmd) Help() string {
	return "The game's handler of such mail returned an error, or crashed. Nothing of what it did was kept, and the mail stays here until it is sent again or discarded."
}

// Run runs the command.
func (c *mailDeadCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	all := func(yield func(mailJSON, error) bool) {
		for d, err := range c.Whose.dead(db.ctx, db) {
			j := jsonMail(d.To, &d.Message, err)
			j.Died, j.Why = jsonTime(d.Died), d.Reason
			if !yield(j, err) {
				return
			}
		}
	}
	return db.why(writeMail(e, c.JSON, all, []string{"TO", "ID", "TOPIC", "DIED", "FROM", "WHY"}, func(m *mailJSON) []string {
		return []string{m.To, m.ID, m.Topic, stamp(m.Died), m.sender(), cutText(m.Why)}
	}))
}

// mailFlags are part of every command that sends something.
type mailFlags struct {
	actFlags
	Wait time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait until it is done by whoever holds the player (default 10s)."`
	limitFlags
	jsonFlag
	timeoutFlag
}

func (f *mailFlags) check() error {
	if f.Wait <= 0 {
		return usageError{fmt.Errorf("--wait %v: give a time above zero", f.Wait)}
	}
	return f.checkAct()
}

// post is a server of profiles for commands that send something. It knows no field
// of them, handles no mail of the game's, and keeps them as they are.
func (e *env) post(db *database, command, kind string, f limitFlags) (*profile.Server, error) {
	o := &profile.Options{Autosave: -1, OnLoadError: profile.RefusePlayer, Tool: true}
	o.Session = session.Options{Name: serverName(command), Lease: lease, Feed: session.FeedIfKept, Limits: f.limits(), Logger: e.log}
	return profile.Open(db.ctx, db.DB, profile.NewSchema(kind, mailbox.Received), o)
}

// withPost runs fn with such a server.
func (e *env) withPost(ctx context.Context, command, kind string, l limitFlags, t timeoutFlag, fn func(context.Context, *database, *profile.Server) error) (err error) {
	db, err := e.openDatabase(ctx, editing, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	srv, err := e.post(db, command, kind, l)
	if err != nil {
		return db.why(err)
	}
	defer func() { err = errors.Join(err, db.retireProfiles(srv)) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(db.ctx, func() { cancel(context.Cause(db.ctx)) })()
	return db.why(fn(ctx, db, srv))
}

// mailSendCmd sends mail.
type mailSendCmd struct {
	Key     keyArg        `arg:"" help:"The player, as kind/id: player/42."`
	Topic   string        `required:"" placeholder:"NAME" help:"What the game's handler for it is registered under."`
	Body    string        `placeholder:"JSON" help:"What the handler gets; - reads it from standard input."`
	ID      string        `name:"id" placeholder:"ID" help:"Its id: mail of the same id is the same mail, so that the command can be run again. Without it, it gets one of its own."`
	Life    time.Duration `default:"720h" placeholder:"TIME" help:"How long it may wait to be handled (default 720h)."`
	Whoever bool          `help:"Send it also if no such player exists yet: whoever comes gets it."`
	Slot    string        `placeholder:"ID" help:"The save slot that it is for: it is handled while that is loaded, and waits until then."`
	mailFlags
}

// Help is shown below the command's summary.
func (*mailSendCmd) Help() string {
	return "The game handles it: at once if the player is online, else when he is loaded next. Nobody is asked to give him up."
}

// sentJSON is what send and resend write with --json.
type sentJSON struct {
	To    string `json:"to"`
	ID    string `json:"id"`             // that the mail has now
	State string `json:"state,omitzero"` // "handled", "waits", "dead letter"
	Was   string `json:"was,omitzero"`   // of the dead letter
	Error string `json:"error,omitzero"` // it was not sent again
}

// Run runs the command.
func (c *mailSendCmd) Run(ctx context.Context, e *env) error {
	if err := errors.Join(c.check(), checkTopic(c.Topic)); err != nil {
		return err
	}
	if c.Life < mailbox.MinLife || c.Life > mailbox.MaxLife {
		return usageError{fmt.Errorf("--life %v: %v to %v allowed", c.Life, mailbox.MinLife, mailbox.MaxLife)}
	}
	if strings.HasPrefix(c.ID, "~") || len(c.ID) > profile.MaxMessageID {
		return usageError{fmt.Errorf("--id %.60q: at most %d bytes that do not begin with ~", c.ID, profile.MaxMessageID)}
	}
	if err := profile.CheckSlot(c.Slot); c.Slot != "" && err != nil {
		return usageError{err}
	}
	body, err := readBody(c.Body, e.in)
	if err != nil {
		return err
	}
	return e.withPost(ctx, "mail send", c.Key.Kind, c.limitFlags, c.timeoutFlag, func(ctx context.Context, _ *database, srv *profile.Server) error {
		ctx, cancel := context.WithTimeout(ctx, c.Wait)
		defer cancel()
		m := profile.Message{ID: c.ID, Topic: c.Topic, Body: body, Slot: c.Slot, Reason: c.Reason, Until: srv.Session().Now().Add(c.Life)}
		id, err := srv.As(c.By).Send(ctx, c.Key.ID, m, &profile.SendOptions{Whoever: c.Whoever})
		if err != nil {
			return err
		}
		state, err := c.follow(ctx, srv, id)
		if c.JSON {
			return errors.Join(writeJSON(e.out, sentJSON{To: c.Key.String(), ID: id, State: state}), err)
		}
		_, failed := fmt.Fprintf(e.out, "Sent to %v as %s: %s.\n", c.Key, console.Clean(id), state)
		return errors.Join(failed, err)
	})
}

// follow says what has become of mail that was sent. If a server has the player, that
// is told of it, and waited for.
func (c *mailSendCmd) follow(ctx context.Context, srv *profile.Server, id string) (state string, err error) {
	owner, err := srv.Session().Owner(ctx, c.Key.Key)
	if err == nil && owner.Holder != nil {
		_, err = srv.Deliver(ctx, c.Key.ID, id)
		if err == nil {
			return "handled", nil
		}
	}
	if _, dead := errors.AsType[*profile.DeadError](err); dead {
		return "dead letter", err
	}
	return "waits", nil // it is on disk, whatever keeps it from being handled
}

func checkTopic(topic string) error {
	if topic == "" || len(topic) > profile.MaxTopic || topic[0] == '~' {
		return usageError{fmt.Errorf("--topic %.60q: 1 to %d bytes that do not begin with ~", topic, profile.MaxTopic)}
	}
	return nil
}

// readBody reads a body from the command line, or with - from standard input.
func readBody(text string, in io.Reader) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	limits := &document.Limits{Size: profile.MaxMessageBody}
	raw := []byte(text)
	if text == "-" {
		var err error
		if raw, err = readText(in, limits); err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
	}
	body, err := document.Compact(raw, nil)
	switch {
	case err != nil:
		return nil, usageError{fmt.Errorf("the body is no JSON (text needs quotes: '\"text\"'): %w", err)}
	case len(body) > profile.MaxMessageBody:
		return nil, usageError{fmt.Errorf("a body of %d bytes, at most %d", len(body), profile.MaxMessageBody)}
	}
	return body, nil
}

// mailResendCmd sends dead letters again.
type mailResendCmd struct {
	Whose whoseArg `arg:"" help:"A player, as kind/id (player/42), or a kind (player) for all of them: that goes over all keys."`
	ID    string   `arg:"" optional:"" help:"Which one. Without it, all."`
	Topic string   `placeholder:"NAME" help:"Only those of this topic."`
	mailFlags
}

// Help is shown below the command's summary.
func (*mailResendCmd) Help() string {
	return "Each gets a new id and is handled once more, by the game. It is taken from the dead letters by the server that holds the player; if nobody holds him, this command does it."
}

// Run runs the command.
func (c *mailResendCmd) Run(ctx context.Context, e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.ID != "" && (c.Whose.ID == "" || c.Topic != "") {
		return usageError{errors.New("mail resend: an ID needs a player, and no --topic")}
	}
	return e.withPost(ctx, "mail resend", c.Whose.Kind, c.limitFlags, c.timeoutFlag, func(ctx context.Context, db *database, srv *profile.Server) error {
		if c.ID != "" {
			return c.resend(ctx, e, srv, c.Whose.Key, c.ID)
		}
		began, bad := srv.Session().Now(), false
		for d, err := range c.Whose.dead(ctx, db) {
			if err != nil && d.ID == "" {
				return err
			}
			if err == nil && (d.Died.After(began) || c.Topic != "" && d.Topic != c.Topic) {
				continue
			}
			if err == nil {
				err = c.resend(ctx, e, srv, d.To, d.ID)
			}
			if err != nil {
				bad = true
				fmt.Fprintf(e.err, "%v: %s\n", d.To, console.Clean(firstLine(err)))
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		if bad {
			return errors.New("not everything was sent again")
		}
		return nil
	})
}

func (c *mailResendCmd) resend(ctx context.Context, e *env, srv *profile.Server, to session.Key, letter string) error {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	id, err := srv.As(c.By).Resend(ctx, to.ID, letter, c.Reason)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return writeJSON(e.out, sentJSON{To: to.String(), ID: id, Was: letter})
	}
	_, err = fmt.Fprintf(e.out, "Sent %s to %v again, as %s.\n", console.Clean(letter), to, id)
	return err
}

// mailDiscardCmd deletes a dead letter.
type mailDiscardCmd struct {
	Key keyArg `arg:"" help:"The player, as kind/id: player/42."`
	ID  string `arg:"" help:"Which dead letter."`
	mailFlags
}

// Help is shown below the command's summary.
func (*mailDiscardCmd) Help() string {
	return "Whatever it was to give is gone. The version of the player that this makes is kept, with the reason."
}

// Run runs the command.
func (c *mailDiscardCmd) Run(ctx context.Context, e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	return e.withPost(ctx, "mail discard", c.Key.Kind, c.limitFlags, c.timeoutFlag, func(ctx context.Context, _ *database, srv *profile.Server) error {
		ctx, cancel := context.WithTimeout(ctx, c.Wait)
		defer cancel()
		if err := srv.As(c.By).Discard(ctx, c.Key.ID, c.ID, c.Reason); err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(e.out, mailJSON{To: c.Key.String(), ID: c.ID, Reason: c.Reason})
		}
		_, err := fmt.Fprintf(e.out, "Discarded %s of %v.\n", console.Clean(c.ID), c.Key)
		return err
	})
}
