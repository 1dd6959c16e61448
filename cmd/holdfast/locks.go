package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// locksCmd shows leases and who holds what.
type locksCmd struct {
	Players bool `help:"Show the players that are held, and by whom."`
	jsonFlag
	timeoutFlag
}

// Help is shown below the command's summary.
func (*locksCmd) Help() string {
	return "A server holds one lease for all its players. One that has expired is sealed by another server before it takes a player over; " +
		"until then its owner may still come back and renew it."
}

// leaseJSON is what locks writes of a lease with --json.
type leaseJSON struct {
	Lease    string     `json:"lease"`
	Server   string     `json:"server,omitzero"`
	LengthMS int64      `json:"length_ms,omitzero"`
	Taken    time.Time  `json:"taken"`
	Renewed  time.Time  `json:"renewed"`
	Expires  *time.Time `json:"expires,omitzero"` // none: it is sealed
	Sealed   bool       `json:"sealed"`
	SealedBy string     `json:"sealed_by,omitzero"`
	Reason   string     `json:"reason,omitzero"`
	Revoked  int        `json:"revoked"`
	Error    string     `json:"error,omitzero"`
}

// lockJSON is what locks writes of a player with --players --json.
type lockJSON struct {
	Key    string      `json:"key"`
	Holder *holderJSON `json:"holder"`
}

// Run runs the command.
func (c *locksCmd) Run(ctx context.Context, e *env) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	if c.Players {
		return db.why(c.players(db.ctx, e, db.reader()))
	}
	return db.why(c.leases(db.ctx, e, db.reader()))
}

func (c *locksCmd) leases(ctx context.Context, e *env, rd *session.Reader) error {
	var rows [][]string
	bad := false
	for l, err := range rd.Leases(ctx) {
		if err != nil {
			return err
		}
		bad = bad || l.Err != nil
		if c.JSON {
			if err := writeJSON(e.out, jsonLease(&l)); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, leaseRow(&l))
	}
	if !c.JSON {
		header := []string{"SERVER", "LEASE", "TAKEN", "LENGTH", "EXPIRES", "REVOKED", "SEALED"}
		if err := console.Table(e.out, header, rows); err != nil {
			return err
		}
	}
	if bad {
		return errSome
	}
	return nil
}

func jsonLease(l *session.LeaseInfo) leaseJSON {
	return leaseJSON{
		Lease: l.ID, Server: l.Server, LengthMS: l.Length.Milliseconds(), Taken: l.Taken.UTC(), Renewed: l.Renewed.UTC(),
		Expires: jsonTime(l.Expires), Sealed: l.SealedBy != "", SealedBy: l.SealedBy, Reason: l.Reason, Revoked: l.Revoked,
		Error: errText(l.Err),
	}
}

func leaseRow(l *session.LeaseInfo) []string {
	if l.Err != nil {
		return []string{"!", l.ID, console.Time(l.Taken), "", "", "", firstLine(l.Err)}
	}
	sealed := ""
	if l.SealedBy != "" {
		sealed = fmt.Sprintf("by %s: %s", l.SealedBy, l.Reason)
	}
	return []string{
		l.Server, l.ID, console.Time(l.Taken), console.Duration(l.Length), until(l.Expires), fmt.Sprint(l.Revoked), sealed,
	}
}

func (c *locksCmd) players(ctx context.Context, e *env, rd *session.Reader) error {
	var rows [][]string
	var bad error
	for info, err := range rd.Roots(ctx, nil) {
		switch {
		case err != nil:
			return err
		case info.Err != nil:
			fmt.Fprintf(e.err, "%v: %s\n", info.Key, console.Clean(firstLine(info.Err)))
			bad = errSome
		case info.Holder == nil:
		case c.JSON:
			if err := writeJSON(e.out, lockJSON{info.Key.String(), jsonHolder(info.Holder)}); err != nil {
				return err
			}
		default:
			h := info.Holder
			rows = append(rows, []string{info.Key.String(), describe(h), h.Lease, console.Time(h.Since), until(h.Expires)})
		}
	}
	if c.JSON {
		return bad
	}
	return errors.Join(console.Table(e.out, []string{"KEY", "SERVER", "LEASE", "SINCE", "LEASE EXPIRES"}, rows), bad)
}
