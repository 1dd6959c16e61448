package rollback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// State says what became of a player.
type State string

// The states.
const (
	Restored  State = "restored"   // or would be, if it is a dry run
	Unchanged State = "unchanged"  // he has what he had at the moment
	BornLater State = "born later" // he was not there at the moment
	NoVersion State = "no version" // none of that time is kept
	Erased    State = "erased"     // only a tombstone is left
	Refused   State = "refused"    // he has bought or traded since
	Failed    State = "failed"     // Player.Err says why
)

// States are all states, in the order of reports.
var States = []State{Restored, Unchanged, BornLater, NoVersion, Erased, Refused, Failed}

// Player is what became of one player.
type Player struct {
	Key     session.Key
	State   State
	Version driver.Version // to which he is restored; zero: to none
	At      time.Time      // when that was written
	Changed int            // fields and elements
	Deeds   []profile.Deed // what is not undone, or why it is refused
	More    bool           // there are others
	Lost    []string       // ids of save slots that stay as they are: see profile.Restored
	Err     error
}

// one does with a player what the run is for.
func (r *run) one(ctx context.Context, key session.Key) *Player {
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Wait, fmt.Errorf("no answer for %v", r.opts.Wait))
	defer cancel()
	p := &Player{Key: key}
	if err := r.restore(ctx, p); err != nil {
		p.State, p.Err = Failed, err
	}
	return p
}

// restore restores a player, or says why not.
func (r *run) restore(ctx context.Context, p *Player) error {
	if r.again {
		switch done, err := r.did(ctx, p); {
		case err != nil:
			return err
		case done:
			p.State = Restored
			return nil
		}
	}
	now, old, err := r.look(ctx, p)
	if err != nil || p.State != "" {
		return err
	}
	plan, err := r.srv.PlanRestore(ctx, now, old)
	if err != nil {
		return err
	}
	// A run that was killed may have restored him in its journal only, with the entry in
	// the audit log: then he is taken over from it, and both are written.
	journalled := r.again && !now.Saved
	p.Changed, p.Lost = plan.Changed, plan.Lost
	if plan.Changed == 0 && !journalled {
		p.State = Unchanged
		return nil
	}
	if p.Deeds, p.More, err = r.srv.Deeds(ctx, p.Key.ID, old.Version); err != nil {
		return err
	}
	switch {
	case len(p.Deeds) > 0 && !r.plan.Despite:
		p.State = Refused
		return nil
	case r.dry:
		p.State = Restored
		return nil
	}
	o := &profile.RestoreOptions{ID: r.message(), Reason: r.plan.Reason, Despite: r.plan.Despite, If: []driver.Check{{Key: r.key(), Version: r.at}}}
	done, err := r.srv.Restore(ctx, p.Key.ID, old.Version, o)
	var deeds *profile.DeedsError
	switch {
	case errors.As(err, &deeds):
		p.State, p.Deeds, p.More = Refused, deeds.Deeds, deeds.More
		return nil
	case errors.Is(err, store.ErrConflict):
		return fmt.Errorf("%w: %w", ErrElsewhere, err)
	case err != nil:
		return err
	}
	if p.State, p.Changed, p.Deeds, p.More, p.Lost = Restored, done.Changed, done.Deeds, done.More, done.Lost; done.Changed == 0 {
		p.State = Unchanged
	}
	return nil
}

// look reads what a player has, and what he had at the moment. It sets the state of one
// who is not to be restored.
func (r *run) look(ctx context.Context, p *Player) (now *session.View, old *session.VersionView, err error) {
	now, err = r.rd.Peek(ctx, p.Key)
	switch {
	case errors.Is(err, session.ErrErased):
		p.State = Erased
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	list, err := r.rd.Versions(ctx, p.Key)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range list {
		if !v.Updated.After(r.plan.Before) {
			p.Version, p.At = v.Version, v.Updated
		}
	}
	switch {
	case now.Created.After(r.plan.Before):
		p.State, p.Version, p.At = BornLater, driver.Version{}, time.Time{}
		return now, nil, nil
	case p.Version.IsZero():
		p.State = NoVersion
		return now, nil, nil
	}
	old, err = r.rd.ReadVersion(ctx, p.Key, p.Version)
	if errors.Is(err, session.ErrErased) || err == nil && old.Birth != now.Birth {
		p.State, p.Version, p.At = BornLater, driver.Version{}, time.Time{} // who was there then was erased
		return now, nil, nil
	}
	return now, old, err
}

// message is the id of the run's message to each player.
func (r *run) message() string { return "~rollback/" + r.id }

// did reports whether the audit log tells that the run has restored a player before.
func (r *run) did(ctx context.Context, p *Player) (bool, error) {
	o := &audit.LogOptions{Key: p.Key, What: session.OriginRestore, Since: r.state.Begun.Add(-time.Hour)} // clocks differ
	for a, err := range audit.Log(ctx, r.srv.Session().DB(), o) {
		if err != nil {
			return false, err
		}
		var details struct {
			ID string `json:"id"`
		}
		refused := strings.HasPrefix(a.Result, "refused") || strings.HasPrefix(a.Result, "failed")
		if json.Unmarshal(a.Details, &details) == nil && details.ID == r.message() && !refused {
			return true, nil
		}
	}
	return false, nil
}

// anySize are limits that refuse nothing that is stored.
var anySize = document.Limits{Size: math.MaxInt, Depth: math.MaxInt, Fields: math.MaxInt}
