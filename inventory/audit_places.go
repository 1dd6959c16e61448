package inventory

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// What is found twice is looked at so often, with such pauses, until all of its players
// have stood still for a moment.
const (
	maxLooks  = 20
	lookPause = 100 * time.Millisecond
)

// state is where a profile stood when it was read.
type state struct {
	version  driver.Version
	revision uint64
}

// places returns where an instance stands in some profiles at one moment, or nothing if
// it was only on its way. All are read, and all read again. If none has changed in
// between, then all that the second reading saw was there when the first had ended; and
// the save slots, which change only with the root, were read while that stood.
func (a *audit) places(id driver.Version, keys []session.Key) ([]Standing, error) {
	for range maxLooks {
		before, _, err := a.look(id, keys)
		if err == nil {
			var after []state
			var places []Standing
			after, places, err = a.look(id, keys)
			switch {
			case err == nil && len(places) < 2:
				return nil, nil
			case err == nil && slices.Equal(before, after):
				return places, nil
			}
		}
		if err != nil && !errors.Is(err, errMoving) {
			return nil, err
		}
		select {
		case <-time.After(lookPause):
		case <-a.ctx.Done():
			return nil, context.Cause(a.ctx)
		}
	}
	return nil, errMoving
}

// look reads some profiles, and returns where an instance stands in them and where they
// stand themselves.
func (a *audit) look(id driver.Version, keys []session.Key) (states []state, places []Standing, err error) {
	for _, key := range keys {
		st, found, err := a.lookAt(id, key)
		if err != nil {
			return nil, nil, err
		}
		states, places = append(states, st), append(places, found...)
	}
	return states, places, nil
}

// anySize are limits that refuse nothing that is stored.
var anySize = document.Limits{Size: math.MaxInt, Depth: math.MaxInt, Fields: math.MaxInt}

// lookAt returns where an instance stands in one profile. It is errMoving if there are
// save slots beside the root, and the journal may hold newer ones.
func (a *audit) lookAt(id driver.Version, key session.Key) (state, []Standing, error) {
	slots, err := a.slots(id, key)
	if err != nil {
		return state{}, nil, err
	}
	v, err := session.NewReader(a.db, anySize).Peek(a.ctx, key)
	switch {
	case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrErased), errors.Is(err, driver.ErrCorrupt), errors.Is(err, driver.ErrFormat):
		return state{}, nil, nil // it went meanwhile, or was reported as unreadable
	case err != nil:
		return state{}, nil, err
	case len(slots) > 0 && !v.Saved:
		return state{}, nil, errMoving
	}
	var places []Standing
	walk(v.Document.AppendJSON(nil), func(f found) {
		if f.id == id {
			places = append(places, Standing{Key: key, Path: f.at.path(), Item: f.item})
		}
	})
	return state{v.Version, v.Revision}, append(places, slots...), nil
}

// slots returns where an instance stands in the save slots that are not loaded.
func (a *audit) slots(id driver.Version, key session.Key) (places []Standing, err error) {
	q := driver.Query{Prefix: store.JoinKey(key.Kind, key.ID, slotFolder) + "/"}
	for {
		page, err := a.db.List(a.ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			l, ok := locate(e.Key)
			if !ok {
				continue
			}
			// What cannot be read was reported.
			_ = instancesOf(e, func(f found) {
				if f.id == id {
					places = append(places, Standing{Key: key, Slot: l.slot, Path: f.at.path(), Item: f.item})
				}
			})
		}
		if !page.More {
			return places, nil
		}
		q.After = page.Entries[len(page.Entries)-1].Key
	}
}
