package inventory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// MaxDuplicates is how many duplicated instances one Audit looks into.
const MaxDuplicates = 100_000

// AuditOptions say more of an Audit. Nil stands for the zero value.
type AuditOptions struct {
	// Progress, unless nil, is told now and then how many entries were read so far.
	// When instances were found twice, the database is read once more.
	Progress func(entries int64)
	// Unreadable, unless nil, is told of each entry that cannot be read, with its key
	// in the database. It goes on with the others.
	Unreadable func(key string, err error)
}

// AuditReport is what an Audit has found.
type AuditReport struct {
	Profiles   int64 // that were read
	Instances  int64 // that stand in them, each place of a duplicated one counted
	Unreadable int64 // entries that could not be read
	// Duplicates are the instances that stand in several places, in the order of
	// their ids.
	Duplicates []Duplicate
	// Moving are suspected instances whose players kept changing, so that it is not
	// known whether they are duplicated.
	Moving []driver.Version
	// More says that there were more than MaxDuplicates, and that the others were not
	// looked into.
	More bool
}

// Duplicate is an instance that stands in several places.
type Duplicate struct {
	ID     driver.Version
	Places []Standing
}

// Standing is one place in which an instance stands.
type Standing struct {
	Key  session.Key // of the profile
	Slot string      // the save slot, if it is in one that was not loaded; else empty
	Path string      // within the profile's data: the names of field and element, parted by '/'
	Item string
}

// String returns the place as "player/42 bag/sword#…".
func (s Standing) String() string {
	where := s.Key.String()
	if s.Slot != "" {
		where = store.JoinKey(s.Key.Kind, s.Key.ID, slotFolder, s.Slot)
	}
	return where + " " + s.Path
}

// slotFolder is where the save slots lie that are not loaded, under a player's key.
const slotFolder = "slot"

// Audit looks for instances that stand in two profiles, or in one of them twice, over
// a whole database, and needs no schema: it knows instances by their keys and their
// form, in profiles of every kind and in save slots that are not loaded.
//
// It reads page by page, each in a transaction of its own, so writers go on, and keeps
// 11 to 22 bytes for each instance, half of that more while the table grows: 25 MB at
// most for a million. What it finds twice it reads again, together with the journal, until it
// has seen all places at one moment: an instance that was only on its way from one
// player to another is none. One that moves while the database is read may be missed,
// as may one that lies in the journal only, and in messages nobody looks.
//
// The error is that of the database, or of ctx; that instances were found is none. The
// db stays the caller's, and may be one that was opened for reading alone.
func Audit(ctx context.Context, db *store.DB, o *AuditOptions) (*AuditReport, error) {
	if o == nil {
		o = &AuditOptions{}
	}
	a := &audit{ctx: ctx, db: db, o: o, report: new(AuditReport), twice: make(map[uint64][]Standing)}
	if err := a.scan(true, a.note); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	a.seen = idSet{}
	if len(a.twice) == 0 {
		return a.report, nil
	}
	if err := a.scan(false, a.collect); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := a.confirm(); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return a.report, nil
}

type audit struct {
	ctx     context.Context
	db      *store.DB
	o       *AuditOptions
	report  *AuditReport
	entries int64
	seen    idSet                 // of shortID
	twice   map[uint64][]Standing // what was seen again; where, after the second reading
}

// shortID is half of an id, the half that was chosen at random. Two ids that share it
// are told apart when they are looked into.
func shortID(id driver.Version) uint64 { return binary.BigEndian.Uint64(id[8:]) }

// note notes an instance at the first reading.
func (a *audit) note(_ location, f found) {
	a.report.Instances++
	short := shortID(f.id)
	if a.seen.add(short) {
		return
	}
	if _, ok := a.twice[short]; !ok && len(a.twice) >= MaxDuplicates {
		a.report.More = true
		return
	}
	a.twice[short] = nil
}

// collect collects at the second reading who has what was seen twice.
func (a *audit) collect(l location, f found) {
	short := shortID(f.id)
	places, ok := a.twice[short]
	if ok && len(places) < maxPlaces {
		a.twice[short] = append(places, Standing{Key: l.key, Slot: l.slot, Path: f.at.path(), Item: f.item})
	}
}

// maxPlaces bounds the places of one instance.
const maxPlaces = 1000

// location is which entry of the database is read.
type location struct {
	key  session.Key
	slot string // empty: the root
}

// locate returns what a database key is of, and false for what holds no inventories.
func locate(key string) (l location, ok bool) {
	parts, err := store.SplitKey(key)
	if err != nil || strings.HasPrefix(key, "~") || len(parts) < 2 {
		return l, false
	}
	l.key = session.Key{Kind: parts[0], ID: parts[1]}
	switch {
	case len(parts) == 2:
		return l, true
	case len(parts) == 4 && parts[2] == slotFolder:
		l.slot = parts[3]
		return l, true
	}
	return l, false
}

// auditPage is how many entries are read at a time.
const auditPage = 256

// scan reads all entries that may hold inventories, and calls fn with each instance.
func (a *audit) scan(first bool, fn func(location, found)) error {
	for page, err := range a.pages() {
		if err != nil {
			return err
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			l, ok := locate(e.Key)
			if !ok {
				continue
			}
			if first && l.slot == "" {
				a.report.Profiles++
			}
			if err := instancesOf(e, func(f found) { fn(l, f) }); err != nil && first {
				a.report.Unreadable++
				if a.o.Unreadable != nil {
					a.o.Unreadable(e.Key, err)
				}
			}
		}
		a.entries += int64(len(page.Entries))
		if a.o.Progress != nil {
			a.o.Progress(a.entries)
		}
	}
	return nil
}

// instancesOf calls fn with each instance in an entry of the database.
func instancesOf(e *driver.Entry, fn func(found)) error {
	if e.Damaged != nil {
		return e.Damaged
	}
	if !jsontext.Value(e.Value).IsValid(jsontext.AllowDuplicateNames(true)) {
		return fmt.Errorf("%w: no JSON", driver.ErrCorrupt)
	}
	if !walk(e.Value, fn) {
		return fmt.Errorf("%w: objects inside of objects, more than %d", driver.ErrCorrupt, maxWalk)
	}
	return nil
}

// pages yields the database page by page, the next one being read meanwhile.
func (a *audit) pages() func(yield func(driver.Snapshot, error) bool) {
	type result struct {
		page driver.Snapshot
		err  error
	}
	return func(yield func(driver.Snapshot, error) bool) {
		ctx, cancel := context.WithCancel(a.ctx)
		next := make(chan result)
		read := func(after string) {
			page, err := a.db.List(ctx, driver.Query{After: after, Limit: auditPage})
			next <- result{page, err}
		}
		defer cancel()
		go read("")
		for {
			r := <-next
			if r.err != nil || !r.page.More {
				yield(r.page, r.err)
				return
			}
			go read(following(r.page.Entries))
			if !yield(r.page, nil) {
				cancel()
				<-next
				return
			}
		}
	}
}

// following returns the key after which the next page begins. The system's own entries,
// such as those of purchases, are left out: they begin with '~', and there may be many.
func following(page []driver.Entry) string {
	last := page[len(page)-1].Key
	if strings.HasPrefix(last, "~") {
		return "~\x7f"
	}
	return last
}

// errMoving means that profiles kept changing while they were looked at.
var errMoving = errors.New("profiles keep changing")

// confirm looks into what was found twice.
func (a *audit) confirm() error {
	byID := make(map[driver.Version][]session.Key)
	for _, places := range a.twice {
		for _, s := range places {
			if id, ok := idOf(s.Path); ok && !slices.Contains(byID[id], s.Key) {
				byID[id] = append(byID[id], s.Key)
			}
		}
	}
	a.twice = nil
	for id, keys := range byID {
		places, err := a.places(id, keys)
		switch {
		case errors.Is(err, errMoving):
			a.report.Moving = append(a.report.Moving, id)
		case err != nil:
			return err
		case len(places) > 1:
			a.report.Duplicates = append(a.report.Duplicates, Duplicate{id, places})
		}
	}
	slices.SortFunc(a.report.Duplicates, func(x, y Duplicate) int { return slices.Compare(x.ID[:], y.ID[:]) })
	slices.SortFunc(a.report.Moving, func(x, y driver.Version) int { return slices.Compare(x[:], y[:]) })
	return nil
}
