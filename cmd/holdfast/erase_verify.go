package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/internal/console"
	"github.com/holdfast-games/holdfast/session"
)

// traceJSON is something that was found of somebody who was erased.
type traceJSON struct {
	Where session.Remains `json:"where"`
	Entry string          `json:"entry"`
	What  string          `json:"what,omitzero"`
	Until *time.Time      `json:"until,omitzero"`
}

// verifiedJSON is what verify writes of each player with --json.
type verifiedJSON struct {
	Key    string      `json:"key"`
	Erased *time.Time  `json:"erased,omitzero"`
	Clean  bool        `json:"clean"`
	Traces []traceJSON `json:"traces"`
}

// errRemains means that something is left of somebody, and that this was said.
var errRemains = errors.New("not everything is gone")

// verifyEvery is the time from one look to the next.
const verifyEvery = time.Second

// verify looks whether anything is left of players who were erased.
func (c *eraseCmd) verify(ctx context.Context, e *env, list *eraseList) error {
	db, err := e.openDatabase(ctx, reading, c.timeoutFlag)
	if err != nil {
		return err
	}
	defer db.close()
	deadline := time.Now().Add(c.Wait)
	for {
		all, err := db.reader().VerifyErased(db.ctx, list.keys...)
		if err != nil {
			return db.why(err)
		}
		left := time.Until(deadline)
		if clean(all) || left <= 0 {
			return errors.Join(c.reportVerified(e, all, list), stillThere(all, list))
		}
		select {
		case <-time.After(min(left, verifyEvery)):
		case <-ctx.Done():
			return fmt.Errorf("wait until nothing is left: %w", context.Cause(ctx))
		}
	}
}

func clean(all []session.Verification) bool {
	for i := range all {
		if len(all[i].Traces) > 0 {
			return false
		}
	}
	return true
}

func stillThere(all []session.Verification, list *eraseList) error {
	if clean(all) && len(list.refused) == 0 {
		return nil
	}
	return errRemains
}

func (c *eraseCmd) reportVerified(e *env, all []session.Verification, list *eraseList) error {
	if c.JSON {
		for i := range all {
			if err := writeJSON(e.out, jsonVerified(&all[i])); err != nil {
				return err
			}
		}
		return nil
	}
	players := table{header: []string{"KEY", "ERASED", "LEFT"}}
	traces := table{header: []string{"KEY", "LEFT IN", "ENTRY", "UNTIL", "NOTE"}}
	for i := range all {
		v := &all[i]
		at := ""
		if !v.At.IsZero() {
			at = console.Time(v.At)
		}
		players.rows = append(players.rows, []string{v.Key.String(), at, fmt.Sprint(len(v.Traces))})
		for _, t := range v.Traces {
			gone := ""
			if !t.Until.IsZero() {
				gone = console.Time(t.Until)
			}
			traces.rows = append(traces.rows, []string{v.Key.String(), string(t.Where), t.Entry, gone, t.What})
		}
	}
	return writeTables(e, players, traces, refusedTable(list.refused))
}

func jsonVerified(v *session.Verification) verifiedJSON {
	j := verifiedJSON{Key: v.Key.String(), Erased: jsonTime(v.At), Clean: len(v.Traces) == 0, Traces: []traceJSON{}}
	for _, t := range v.Traces {
		j.Traces = append(j.Traces, traceJSON{t.Where, t.Entry, t.What, jsonTime(t.Until)})
	}
	return j
}
