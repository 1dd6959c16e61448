package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

// transferer returns the database as one that can be moved, or skips the test.
func (e *env) transferer() driver.Transferer {
	e.Helper()
	return e.transfererOf(e.db)
}

func (e *env) transfererOf(db driver.DB) driver.Transferer {
	e.Helper()
	t, ok := db.(driver.Transferer)
	if !ok {
		e.Skip("the database is no driver.Transferer")
	}
	return t
}

// fresh closes the database and goes on with an empty one. A harness may make
// that of the same storage.
func (e *env) fresh() {
	e.Helper()
	e.close(e.db)
	db := e.h.Open(e.T)
	e.Cleanup(func() { e.close(db) })
	e.db = db
}

// move moves everything into an empty database, and goes on with that one.
func (e *env) move() seen {
	e.Helper()
	was := e.look()
	e.fresh()
	e.put(was.Records...)
	e.same(was)
	return was
}

// records reads everything, a page of limit versions at a time, and joins what
// came in several records.
func (e *env) records(limit int) (all []driver.Record) {
	e.Helper()
	q := driver.RecordQuery{Limit: limit}
	for {
		page, err := e.transferer().ReadRecords(e.ctx, q)
		if err != nil {
			e.Fatalf("ReadRecords(%+v): %v", q, err)
		}
		for _, r := range page.Records {
			if r.Skipped == 0 {
				r.More = false
				all = append(all, r)
				continue
			}
			last := &all[len(all)-1]
			if last.Key != r.Key || len(last.Retained) != r.Skipped || r.Present.Value != nil {
				e.Fatalf("ReadRecords(%+v) goes on with %q after %d versions and a value of %d bytes, want %q after %d",
					q, r.Key, r.Skipped, len(r.Present.Value), last.Key, len(last.Retained))
			}
			last.Retained = append(last.Retained, r.Retained...)
		}
		if !page.More {
			return all
		}
		if len(page.Records) == 0 || page.Next() == q.From {
			e.Fatalf("ReadRecords(%+v) has more, and comes no further", q)
		}
		q.From = page.Next()
	}
}

// put writes records, which must succeed.
func (e *env) put(rs ...driver.Record) {
	e.Helper()
	if refused, err := e.transferer().WriteRecords(e.ctx, driver.Transfer{Records: rs}); err != nil || refused != nil {
		e.Fatalf("WriteRecords of %d = %v, %v", len(rs), refused, err)
	}
}

// write writes records that ought to be an error.
func write(ctx context.Context, t driver.Transferer, rs []driver.Record) error {
	_, err := t.WriteRecords(ctx, driver.Transfer{Records: rs})
	return err
}

// seen is what a database told at one time, by every call.
type seen struct {
	Records  []driver.Record
	Entries  []driver.Entry
	Versions map[string][]driver.Version
}

// look reads everything.
func (e *env) look() seen {
	e.Helper()
	s := seen{Records: e.records(0), Entries: e.list(driver.Query{}).Entries, Versions: make(map[string][]driver.Version)}
	for i := range s.Entries {
		s.Versions[s.Entries[i].Key] = e.versions(s.Entries[i].Key)
	}
	return s
}

// same fails the test unless the database tells the same as one did.
func (e *env) same(want seen) {
	e.Helper()
	if diff := cmp.Diff(want, e.look(), equateDamage); diff != "" {
		e.Fatalf("what was moved (-from +to):\n%s", diff)
	}
}

// equateDamage lets errors be equal if they are of the same sort.
var equateDamage = cmp.Comparer(func(a, b error) bool {
	for _, target := range []error{driver.ErrCorrupt, driver.ErrFormat} {
		if errors.Is(a, target) != errors.Is(b, target) {
			return false
		}
	}
	return (a == nil) == (b == nil)
})

// grow fills the database with entries that have histories, marks and ends.
func (e *env) grow() {
	e.Helper()
	e.fill()
	for i := range 5 {
		e.save("deep", everyVersion)
		e.save("deep/é", &driver.Retention{Every: time.Hour, Max: 3})
		if i%2 == 0 {
			e.mark("deep", onlyMarked)
		}
	}
	for range driver.RecentVersions + 3 {
		e.save("often", nil)
	}
	e.mark("marked", onlyMarked)
	e.apply(always("empty", ""))
	e.apply(always("bytes", "\x00\xff\xfe'\"\\"))
	e.apply(always(strings.Repeat("k", driver.MaxKey-2)+"é", "long"))
	e.apply(driver.Write{Key: "gone", Mode: driver.Always, Value: []byte("x")})
	e.apply(driver.Write{Key: "gone", Mode: driver.Always, Delete: true})
}

// record returns a record that may be written anywhere.
func (e *env) record(key, value string, retained ...string) driver.Record {
	e.Helper()
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	version := func(value string) driver.RecordVersion {
		v := driver.RecordVersion{Version: newID(), Value: []byte(value), Updated: driver.Moment{Wall: at}}
		v.Sum = driver.Sum(key, v.Version, v.Value)
		return v
	}
	r := driver.Record{Key: key, Created: at, Present: version(value)}
	r.Recent = []driver.Version{r.Present.Version}
	for _, text := range retained {
		v := version(text)
		v.Replaced = at.Add(time.Second)
		r.Retained = append(r.Retained, v)
	}
	return r
}

var transferFacts = []fact{
	{"AnEmptyDatabaseHasNoRecords", 0, func(e *env) {
		if got := e.records(0); got != nil {
			e.Errorf("ReadRecords = %v, want none", got)
		}
	}},
	{"RecordsTellWhatReadAndVersionsTell", 0, func(e *env) {
		e.transferer()
		e.grow()
		for _, r := range e.records(0) {
			entry := driver.Entry{
				Key: r.Key, Value: r.Present.Value, Version: r.Present.Version, Recent: r.Recent,
				Created: r.Created, Updated: r.Present.Updated, Marked: r.Present.Marked,
			}
			if diff := cmp.Diff(e.read(r.Key), entry); diff != "" {
				e.Errorf("record of %q (-Read +got):\n%s", r.Key, diff)
			}
			want := e.versions(r.Key)
			var got []driver.Version
			for _, v := range r.Retained {
				got = append(got, v.Version)
				old, err := e.db.ReadVersion(e.ctx, r.Key, v.Version)
				if err != nil || !bytes.Equal(old.Value, v.Value) || old.Updated != v.Updated || old.Marked != v.Marked || v.Replaced.IsZero() {
					e.Errorf("record of %q has %+v, ReadVersion = %+v, %v", r.Key, v, old, err)
				}
			}
			if diff := cmp.Diff(want, append(got, r.Present.Version)); diff != "" {
				e.Errorf("record of %q has other versions (-Versions +got):\n%s", r.Key, diff)
			}
		}
	}},
	{"PagesJoin", 0, func(e *env) {
		e.transferer()
		e.grow()
		want := e.records(0)
		for _, limit := range []int{1, 2, 3, 7} {
			if diff := cmp.Diff(want, e.records(limit)); diff != "" {
				e.Errorf("read %d versions at a time (-at once +got):\n%s", limit, diff)
			}
		}
	}},
	{"PagesEndByBytes", 0, func(e *env) {
		t := e.transferer()
		big := strings.Repeat("x", driver.PageBytes/4+1)
		e.put(e.record("a", big, big, big, big, big, big), e.record("b", big))
		page, err := t.ReadRecords(e.ctx, driver.RecordQuery{})
		if err != nil || len(page.Records) != 1 || len(page.Records[0].Retained) != 3 || !page.More || !page.Records[0].More {
			e.Fatalf("ReadRecords = %d records, more %v, %v, want one with 3 retained versions, and more", len(page.Records), page.More, err)
		}
		if all := e.records(0); len(all) != 2 || len(all[0].Retained) != 5 {
			e.Errorf("ReadRecords in pages = %d records, want two, of 5 and no retained versions", len(all))
		}
	}},
	{"BareRecordsHaveNoValues", 0, func(e *env) {
		t := e.transferer()
		e.grow()
		page, err := t.ReadRecords(e.ctx, driver.RecordQuery{Bare: true})
		if err != nil || page.More {
			e.Fatalf("ReadRecords = more %v, %v", page.More, err)
		}
		want := e.records(0)
		for i := range want {
			want[i].Present.Value = nil
			for j := range want[i].Retained {
				want[i].Retained[j].Value = nil
			}
		}
		if diff := cmp.Diff(want, page.Records); diff != "" {
			e.Errorf("bare records (-want +got):\n%s", diff)
		}
	}},
	{"AMovedDatabaseIsTheSame", 0, func(e *env) {
		e.transferer()
		e.grow()
		was := e.move()
		e.put(was.Records...)
		e.same(was)
	}},
	{"RecordsReplaceWhatIsThere", 0, func(e *env) {
		e.transferer()
		e.grow()
		was := e.look()
		for range 3 {
			e.save("deep", everyVersion)
			e.mark("often", everyVersion)
		}
		e.apply(driver.Write{Key: "marked", Mode: driver.Always, Delete: true})
		e.put(was.Records...)
		e.same(was)
	}},
	{"RecordsInPartsJoin", 0, func(e *env) {
		t := e.transferer()
		whole := e.record("k", "now", "1", "2", "3", "4")
		first, second := whole, whole
		first.Retained = whole.Retained[:2]
		second.Present.Value, second.Skipped, second.Retained = nil, 2, whole.Retained[2:]
		e.put(first)
		e.put(second)
		e.put(second)
		if diff := cmp.Diff(whole.Retained, e.records(0)[0].Retained, equateTicks); diff != "" {
			e.Errorf("retained versions (-want +got):\n%s", diff)
		}
		e.holds("k", "now")
		again := second
		again.Retained = whole.Retained[1:2]
		other := second
		other.Present.Version = newID()
		other.Recent = []driver.Version{other.Present.Version}
		beyond := second
		beyond.Skipped = 5
		absent := second
		absent.Key = "other"
		for name, r := range map[string]driver.Record{
			"a version that was skipped": again, "another present version": other, "more skipped than are there": beyond, "no entry": absent,
		} {
			if name == "no entry" {
				r.Retained = nil
			}
			if err := write(e.ctx, t, []driver.Record{r}); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("WriteRecords of a part with %s: %v, want ErrInvalid", name, err)
			}
		}
		e.retains("k", whole.Retained[0].Version, whole.Retained[1].Version, whole.Retained[2].Version, whole.Retained[3].Version, whole.Present.Version)
	}},
	{"VersionsStayFences", 0, func(e *env) {
		e.transferer()
		stale := e.save("k", everyVersion)
		lost := batch(e.saving("k", everyVersion))
		e.applied(lost)
		now := e.save("k", everyVersion)
		was := e.move()
		states := e.refused(batch(expect("k", stale, "late")), "k")
		if diff := cmp.Diff(was.Entries[0].Recent, states[0].Recent); diff != "" {
			e.Errorf("recent versions of the refusal (-want +got):\n%s", diff)
		}
		e.refused(lost, "k")
		next := e.save("k", everyVersion)
		e.retains("k", stale, lost.ID, now, next)
	}},
	{"TheScheduleGoesOn", 0, func(e *env) {
		e.transferer()
		a, b, c := e.save("k", everyVersion), e.save("k", everyVersion), e.save("k", everyVersion)
		marked := e.mark("k", everyVersion)
		d := e.save("k", onlyMarked)
		e.retains("k", a, b, c, marked, d)
		e.move()
		// The version before the marked one is kept with it, as the marked one is.
		last := e.save("k", &driver.Retention{Max: 3})
		e.retains("k", c, marked, d, last)
		end := e.save("k", &driver.Retention{Every: -1, Max: 2})
		e.retains("k", c, marked, end)
	}},
	{"RecordsSurviveReopening", needsReopen, func(e *env) {
		e.transferer()
		e.grow()
		was := e.move()
		e.reopen()
		e.same(was)
	}},
	{"DamageIsMovedAsItIs", needsDamage, func(e *env) {
		e.transferer()
		e.apply(always("fine", "value"))
		e.apply(always("bad", "value"))
		e.h.Damage(e.T, e.db, "bad")
		all := e.records(0)
		if !errors.Is(all[0].Present.Damaged, driver.ErrCorrupt) || all[1].Present.Damaged != nil {
			e.Fatalf("ReadRecords found damage %v and %v, want one of the two", all[0].Present.Damaged, all[1].Present.Damaged)
		}
		unsaid := slices.Clone(all)
		unsaid[0].Present.Damaged = nil
		if err := write(e.ctx, e.transferer(), unsaid); !errors.Is(err, driver.ErrCorrupt) {
			e.Errorf("WriteRecords of damage that is not said: %v, want ErrCorrupt", err)
		}
		untrue := slices.Clone(all)
		untrue[1].Present.Damaged = all[0].Present.Damaged
		if err := write(e.ctx, e.transferer(), untrue); !errors.Is(err, driver.ErrCorrupt) {
			e.Errorf("WriteRecords of damage that is none: %v, want ErrCorrupt", err)
		}
		e.move()
	}},
	{"ChecksRefuseAllRecords", 0, func(e *env) {
		t := e.transferer()
		v := e.save("mark", nil)
		moved := e.save("moved", nil)
		transfer := driver.Transfer{Records: []driver.Record{e.record("a", "1"), e.record("z", "1")}}
		for name, c := range map[string][]driver.Check{
			"another version": {{Key: "mark", Version: moved}}, "an absent one": {{Key: "mark", Version: v}, {Key: "none", Version: v}},
			"one that is there": {{Key: "mark"}},
		} {
			transfer.Checks = c
			refused, err := t.WriteRecords(e.ctx, transfer)
			if err != nil || len(refused) != 1 || refused[0].Key != c[len(c)-1].Key {
				e.Errorf("WriteRecords with a check of %s = %v, %v, want refused for it", name, refused, err)
			}
			e.holds("a", "-")
			e.holds("z", "-")
		}
		transfer.Checks = []driver.Check{{Key: "mark", Version: v}, {Key: "none"}}
		if refused, err := t.WriteRecords(e.ctx, transfer); err != nil || refused != nil {
			e.Errorf("WriteRecords with checks that hold = %v, %v", refused, err)
		}
		e.holds("z", "1")
		for name, checks := range map[string][]driver.Check{
			"a check of its own": {{Key: "z"}}, "a check of no key": {{}}, "too many checks": make([]driver.Check, driver.MaxBatch+1),
		} {
			transfer.Checks = checks
			if _, err := t.WriteRecords(e.ctx, transfer); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("WriteRecords with %s: %v, want ErrInvalid", name, err)
			}
		}
	}},
	{"ACheckExcludesACommitThatMovesIt", 0, func(e *env) {
		e.transferer()
		t := e.transfererOf(e.second())
		// Each checks that the other has not been: at most one of them is.
		for i := range 40 {
			mark, record := fmt.Sprintf("mark/%d", i), e.record(fmt.Sprintf("moved/%d", i), "1")
			var moved, marked bool
			var wg sync.WaitGroup
			wg.Go(func() {
				refused, err := t.WriteRecords(e.ctx, driver.Transfer{Checks: []driver.Check{{Key: mark}}, Records: []driver.Record{record}})
				for errors.Is(err, driver.ErrUnavailable) {
					refused, err = t.WriteRecords(e.ctx, driver.Transfer{Checks: []driver.Check{{Key: mark}}, Records: []driver.Record{record}})
				}
				if moved = refused == nil; err != nil {
					e.Errorf("WriteRecords: %v", err)
				}
			})
			wg.Go(func() {
				b := batch(driver.Write{Key: mark, Value: []byte("1")})
				b.Checks = []driver.Check{{Key: record.Key}}
				var err error
				if marked, err = settle(e.ctx, e.db, b); err != nil {
					e.Errorf("Commit: %v", err)
				}
			})
			wg.Wait()
			if moved && marked {
				e.Fatalf("round %d: both were applied, of which each checked that the other was not", i)
			}
		}
	}},
	{"BadRecordsAreInvalid", 0, func(e *env) {
		t := e.transferer()
		good := e.record("k", "value", "old")
		for name, change := range map[string]func(r *driver.Record){
			"no present version":         func(r *driver.Record) { r.Present.Version = driver.Version{} },
			"no recent versions":         func(r *driver.Record) { r.Recent = nil },
			"other recent versions":      func(r *driver.Record) { r.Recent = []driver.Version{newID()} },
			"a recent version twice":     func(r *driver.Record) { r.Recent = append(r.Recent, r.Recent[0]) },
			"too many recent versions":   func(r *driver.Record) { r.Recent = append(r.Recent, make([]driver.Version, driver.RecentVersions)...) },
			"a zero recent version":      func(r *driver.Record) { r.Recent = append(r.Recent, driver.Version{}) },
			"a retained version twice":   func(r *driver.Record) { r.Retained = append(r.Retained, r.Retained[0]) },
			"the present one retained":   func(r *driver.Record) { r.Retained[0].Version = r.Present.Version },
			"a retained one without id":  func(r *driver.Record) { r.Retained[0].Version = driver.Version{} },
			"a negative skip":            func(r *driver.Record) { r.Skipped = -1 },
			"a skip and a value":         func(r *driver.Record) { r.Skipped = 1 },
			"a time before all":          func(r *driver.Record) { r.Created = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
			"a time after all":           func(r *driver.Record) { r.Retained[0].Replaced = time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC) },
			"a boot that is no text":     func(r *driver.Record) { r.Present.Updated.Boot = "\xff" },
			"a boot with NUL":            func(r *driver.Record) { r.Present.Updated.Boot = "a\x00" },
			"a boot with a long name":    func(r *driver.Record) { r.Present.Updated.Boot = strings.Repeat("b", driver.MaxBoot+1) },
			"a value beyond its limit":   func(r *driver.Record) { r.Present.Value = make([]byte, driver.MaxValue+1) },
			"a retained one beyond that": func(r *driver.Record) { r.Retained[0].Value = make([]byte, driver.MaxValue+1) },
		} {
			r := good
			r.Recent, r.Retained = slices.Clone(good.Recent), slices.Clone(good.Retained)
			change(&r)
			if err := write(e.ctx, t, []driver.Record{r}); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("WriteRecords of a record with %s: %v, want ErrInvalid", name, err)
			}
		}
		for name, key := range badKeys {
			r := e.record(key, "value")
			if err := write(e.ctx, t, []driver.Record{r}); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("WriteRecords under a key that is %s: %v, want ErrInvalid", name, err)
			}
		}
		for name, rs := range map[string][]driver.Record{
			"none": nil, "unsorted": {e.record("b", "1"), e.record("a", "1")}, "a key twice": {e.record("a", "1"), e.record("a", "1")},
			"too many": make([]driver.Record, driver.MaxRead+1),
		} {
			if err := write(e.ctx, t, rs); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("WriteRecords of records that are %s: %v, want ErrInvalid", name, err)
			}
		}
		wrong := good
		wrong.Present.Sum++
		if err := write(e.ctx, t, []driver.Record{e.record("a", "1"), wrong}); !errors.Is(err, driver.ErrCorrupt) {
			e.Errorf("WriteRecords of a record that does not verify: %v, want ErrCorrupt", err)
		}
		if got := e.records(0); got != nil {
			e.Errorf("what was refused left %d records", len(got))
		}
	}},
	{"BadPlacesAreInvalid", 0, func(e *env) {
		t := e.transferer()
		for name, q := range map[string]driver.RecordQuery{
			"a negative limit": {Limit: -1}, "too high a limit": {Limit: driver.MaxRead + 1},
			"a negative skip": {From: driver.Place{After: "k", Skip: -1}}, "a skip of no key": {From: driver.Place{Skip: 1}},
			"a key that is not text": {From: driver.Place{After: "\xff"}},
		} {
			if _, err := t.ReadRecords(e.ctx, q); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("ReadRecords with %s: %v, want ErrInvalid", name, err)
			}
		}
	}},
	{"AnEndedContextIsUnavailable", 0, func(e *env) {
		e.transferer()
		e.apply(always("k", "1"))
		ctx, stop := context.WithCancelCause(e.ctx)
		stop(errStopped)
		for name, call := range e.transferCalls(ctx) {
			if err := call(); !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, errStopped) {
				e.Errorf("%s: %v, want ErrUnavailable and %v", name, err, errStopped)
			}
		}
		e.holds("k", "1")
	}},
	{"ClosedIsErrClosed", 0, func(e *env) {
		e.transferer()
		if err := e.db.Close(); err != nil {
			e.Fatalf("Close: %v", err)
		}
		for name, call := range e.transferCalls(e.ctx) {
			if err := call(); !errors.Is(err, driver.ErrClosed) {
				e.Errorf("%s after Close: %v, want ErrClosed", name, err)
			}
		}
	}},
}

// equateTicks leaves the clocks of machines out of a comparison.
var equateTicks = cmp.Comparer(func(a, b driver.Moment) bool { return a.Wall.Equal(b.Wall) })

// transferCalls are the calls of a Transferer.
func (e *env) transferCalls(ctx context.Context) map[string]func() error {
	t := e.transferer()
	r := e.record("k", "late")
	return map[string]func() error{
		"ReadRecords":  func() error { _, err := t.ReadRecords(ctx, driver.RecordQuery{}); return err },
		"WriteRecords": func() error { return write(ctx, t, []driver.Record{r}) },
	}
}

// moveEach is how many random calls are made between two moves.
const moveEach = 40

// playMoving plays with the model, and moves everything into another database
// now and then: it must go on there as it would have here.
func playMoving(seed uint64) func(e *env) {
	return func(e *env) {
		e.transferer()
		p := &player{env: e, rand: rand.New(rand.NewPCG(seed, 1)), m: model{}}
		for i := range playSteps {
			p.step()
			if (i+1)%moveEach == 0 {
				if was := e.look(); len(was.Records) > 0 {
					was.Records = e.records(1 + p.rand.IntN(9))
					e.fresh()
					e.put(was.Records...)
					e.same(was)
				}
				p.compare()
			}
		}
	}
}

// movingFacts play with the model.
var movingFacts = func() (facts []fact) {
	for seed := range uint64(3) {
		facts = append(facts, fact{fmt.Sprintf("AgreesWithTheModelAfterMoving/%d", seed), 0, playMoving(seed)})
	}
	return facts
}()
