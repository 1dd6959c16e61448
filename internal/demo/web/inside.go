package web

import (
	"context"
	"strconv"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// inside is what the side panel shows of a hero: what the server has in memory, and
// what the database says.
type inside struct {
	Memory  uint64 `json:"memory"`  // the revision in memory
	Journal uint64 `json:"journal"` // the revision that would be there after a crash now: root and journal
	Saved   bool   `json:"saved"`   // the root alone has all of that
	Owner   string `json:"owner"`   // who holds the hero's lock, by the database
	Lease   string `json:"lease"`
	Session string `json:"session"`
	Since   int64  `json:"since_ms"` // that he has it
	Version string `json:"version"`  // of the root
	RootAge int64  `json:"root_age_ms"`
}

// save is one save of the root.
type save struct {
	Cause   string `json:"cause"`
	Version string `json:"version"`
	Bytes   int    `json:"bytes"`
	Took    int64  `json:"took_us"`
	Error   string `json:"error,omitempty"`
}

// slot is one of the hero's save slots.
type slot struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Loaded bool   `json:"loaded,omitempty"`
	Coins  string `json:"coins"`
}

// look looks into the database, as anybody may who has it, without a lock.
func (v *visit) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, insideEvery)
	defer cancel()
	memory := v.p.Revision()
	view, err := v.r.srv.Session().Peek(ctx, v.p.Key())
	if err != nil {
		return // the panel stays as it is, and grows old
	}
	now := v.r.srv.Session().Now()
	i := &inside{
		Memory: memory, Journal: view.Revision, Saved: view.Saved,
		Version: short(view.Version.String()), RootAge: now.Sub(view.Updated).Milliseconds(),
	}
	if h := view.Holder; h != nil {
		i.Owner, i.Lease, i.Session, i.Since = h.Server, short(h.Lease), short(h.Session), now.Sub(h.Since).Milliseconds()
	}
	v.tell(&telling{Inside: i})
}

// short is the end of an id, which tells ids apart that were made one after another.
func short(id string) string {
	return id[max(0, len(id)-6):]
}

// noteSave tells the page of a save.
func (v *visit) noteSave(s session.Saved) {
	n := &save{Cause: string(s.Cause), Version: short(s.Version.String()), Bytes: s.Bytes, Took: s.Took.Microseconds()}
	if s.Err != nil {
		n.Error, _ = say(s.Err)
	}
	v.tell(&telling{Save: n})
}

// slots returns the hero's save slots, deleted ones aside.
func slots(p *profile.Profile) []slot {
	var list []slot
	for _, s := range p.SaveSlots() {
		if !s.Deleted.IsZero() {
			continue
		}
		has := string(s.Summary[coins.Name()])
		if has == "" { // nothing is stored: it reads as its default
			has = strconv.Itoa(startCoins)
		}
		list = append(list, slot{s.ID, s.Name, s.Loaded, has})
	}
	return list
}
