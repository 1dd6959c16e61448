package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// actFlags are part of every command that is an operator's act.
type actFlags struct {
	Reason string `required:"" placeholder:"TEXT" help:"Why: for the audit log and the list of versions."`
	By     string `placeholder:"NAME" help:"Who does it, for the audit log (default: your user name and this machine's)."`
}

// checkAct checks the flags, and fills in who does it.
func (f *actFlags) checkAct() error {
	f.By = cmp.Or(f.By, operator())
	a := audit.Act{By: f.By, What: "x", Reason: f.Reason}
	if err := a.Check(); err != nil {
		return usageError{fmt.Errorf("--reason or --by: %w", err)}
	}
	return nil
}

// operator names who runs the command, as far as the machine knows: the environment
// may say anything, so it is cut and cleaned.
func operator() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname()
	return audit.Clean(cmp.Or(audit.Clean(name, 50), "unknown")+"@"+cmp.Or(audit.Clean(host, 48), "unknown"), audit.MaxBy)
}

// act returns the act of a command on somebody, with details as JSON; what is too large
// for the log is left out of it.
func (f *actFlags) act(what string, key session.Key, details any) (audit.Act, error) {
	a := audit.Act{By: f.By, What: what, Key: key, Reason: f.Reason}
	if details == nil {
		return a, nil
	}
	text, err := json.Marshal(details)
	if err != nil {
		return a, fmt.Errorf("encode the act: %w", err)
	}
	if len(text) <= audit.MaxDetails {
		a.Details = []byte(text)
	}
	return a, nil
}

// acted returns the entries of an act, for a commit of a command's server.
func acted(db *store.DB, srv *session.Server, a audit.Act) ([]driver.Write, error) {
	if err := a.Prepare(db, srv.Now(), srv.Name()); err != nil {
		return nil, err
	}
	return a.Writes()
}

// momentArg is a time on the command line: a date, or how long ago.
type momentArg struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *momentArg) UnmarshalText(text []byte) error {
	s := string(text)
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(form, s, time.UTC); err == nil {
			m.Time = t
			return nil
		}
	}
	return fmt.Errorf("%.60q is no time: give 2006-01-02T15:04:05Z, or how long ago, as 90m", s)
}

// yesFlag is part of every command that asks before it changes much.
type yesFlag struct {
	Yes bool `short:"y" help:"Do it without asking."`
}

// errUnconfirmed means that nobody has said yes.
var errUnconfirmed = errors.New("nothing was changed: it was not confirmed")

// confirm asks whether to go on. If nobody can be asked, it is refused.
func (f *yesFlag) confirm(ctx context.Context, e *env, question string) error {
	if f.Yes {
		return nil
	}
	if !e.asks {
		return usageError{fmt.Errorf("%w, and there is no terminal to ask at: say --yes", errUnconfirmed)}
	}
	fmt.Fprintf(e.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line := make([]byte, 100)
		n, _ := e.in.Read(line)
		answer <- strings.ToLower(strings.TrimSpace(string(line[:n])))
	}()
	select {
	case said := <-answer:
		if said == "y" || said == "yes" {
			return nil
		}
		return errUnconfirmed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnconfirmed, context.Cause(ctx))
	}
}
