package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// Savers come from an older time. In some worlds a rollout is under way: servers of two
// versions of the game run side by side, and the newer one migrates savers: once for the
// account and once for each of his slots. Either gives him something and counts that in
// the same fields, so that the sum tells if one was made twice, or in part. The older
// version can go on with what the newer one has made, or not.
//
// In some worlds there is an older store too, which has savers and no players.

// What the migrations give, and what the older store has of a saver.
const (
	welcomeGift  = 7
	dowryGift    = 5
	importedGold = 100
	schemaField  = "~schema"
	importField  = "~import"
	welcomeName  = "a welcome"
	dowryName    = "a dowry for each slot"
)

var (
	welcomes = profile.Int("welcomes", 0)
	dowries  = profile.Int("dowries", 0, profile.PerSlot())
	// newerSavers are the schemas of the newer version, by whether the older one can go
	// on with what it has migrated.
	newerSavers = map[bool]*profile.Schema{false: migratingSavers(false), true: migratingSavers(true)}
)

func migratingSavers(compatible bool) *profile.Schema {
	gives := func(gift int64, into, counter string) func(*profile.Draft) error {
		return func(d *profile.Draft) error {
			var has, times int64
			_, err := d.Get(into, &has)
			_, err2 := d.Get(counter, &times)
			return errors.Join(err, err2, d.Set(into, has+gift), d.Set(counter, times+1))
		}
	}
	s := profile.NewSchema(saverKind, mintedOf, wallet, gold, welcomes, dowries)
	return s.WithSlots(slotRules).Migrate(
		profile.Migration{Name: welcomeName, Compatible: compatible, Run: gives(welcomeGift, "wallet", "welcomes")},
		profile.Migration{Name: dowryName, Compatible: compatible, PerSlot: true, Run: gives(dowryGift, goldField, "dowries")},
	)
}

// saverSchema returns the schema of savers of the server's version of the game.
func (in *instance) saverSchema() *profile.Schema {
	if in.newer {
		return newerSavers[in.w.shape.compatible]
	}
	return olderSavers
}

// drawVersion decides which version of the game a server runs. In the end savers must
// find one that can load them.
func (w *world) drawVersion() bool { return w.shape.migrates && (w.calm || w.chance(0.5)) }

// importOld asks the older store. It does not answer each server's first question. It
// takes its time, so that of two loads it is known which goes on first.
func (in *instance) importOld(ctx context.Context, key session.Key) (*profile.Imported, error) {
	in.wait(ctx, "the import of "+key.String(), true)
	s, _, _ := in.w.check.saverOf(key.String())
	if s == nil {
		return nil, nil
	}
	in.w.mu.Lock()
	in.asked++
	first := in.asked == 1
	in.w.mu.Unlock()
	if s.imported.Load() {
		in.w.report(fmt.Errorf("%s asks the older store for saver %s, who was imported", in.name, s.id))
	}
	if first && !in.w.quiet.Load() {
		return nil, errors.New("the older store is away")
	}
	if !s.older {
		return nil, nil
	}
	n := json.RawMessage(mustJSON(importedGold))
	return &profile.Imported{Fields: map[string]json.RawMessage{"minted": n, "wallet": n}}, nil
}

// movedOn checks what a new root of a saver tells of his migrations and his import.
func (c *checker) movedOn(s *saver, now *savedRoot) error {
	noted := strings.Contains(string(now.Schema), welcomeName)
	imported := s.stored.Import == nil && now.Import != nil // what is imported is older than any migration
	switch was := &s.stored; {
	case now.Welcomes < was.Welcomes || now.Welcomes > 1 || now.Welcomes == 1 && !noted:
		return fmt.Errorf("saver %s was welcomed %d times and is %d times now, noted: %v", s.id, was.Welcomes, now.Welcomes, noted)
	case was.Schema != nil && now.Schema == nil && !imported, was.Import != nil && now.Import == nil:
		return fmt.Errorf("of saver %s it is not noted any more that he was migrated or imported", s.id)
	case now.Import != nil && s.older && now.Minted < importedGold:
		return fmt.Errorf("saver %s was imported, and has %d", s.id, now.Minted)
	}
	s.imported.Store(now.Import != nil)
	return nil
}

// tooOld reports whether an error means that the older version of the game does not know
// what the newer one has made, and that this may be.
func (w *world) tooOld(err error) bool {
	return errors.Is(err, profile.ErrNewerSchema) && w.shape.migrates && !w.shape.compatible && !w.current.in.newer
}

// forgetful returns what a server is told of a saver's root that lacks a note.
func (pl *plant) forgetful(w *world, in *instance, e *driver.Entry) {
	if s, folder, _ := w.check.saverOf(e.Key); s == nil || folder != "" {
		return
	}
	data := member(e.Value, "data")
	switch {
	case pl.what == UnseenMigration && in.newer && member(data, schemaField) != nil:
		e.Value = withMember(e.Value, "data", withoutMember(data, schemaField))
	case pl.what == SecondImport && member(data, importField) != nil:
		e.Value = withMember(e.Value, "data", []byte("{}"))
	}
}

// withoutMember takes a member out of a JSON object.
func withoutMember(object []byte, name string) []byte {
	var o map[string]json.RawMessage
	if json.Unmarshal(object, &o) != nil {
		return object
	}
	delete(o, name)
	return mustJSON(o)
}
