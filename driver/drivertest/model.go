package drivertest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

// The model is the contract written as plainly as possible: entries in a map,
// old versions in a slice that is looked through.
type model map[string]*modelEntry

type modelEntry struct {
	created time.Time
	recent  []driver.Version
	modelVersion
	old []modelVersion
}

type modelVersion struct {
	id       driver.Version
	value    string
	updated  driver.Moment
	marked   bool
	kept     bool
	replaced time.Time
}

// refusals returns the keys that refuse a batch.
func (m model) refusals(b driver.Batch) (keys []string) {
	at := func(key string) driver.Version {
		if e := m[key]; e != nil {
			return e.id
		}
		return driver.Version{}
	}
	for _, c := range b.Checks {
		if at(c.Key) != c.Version {
			keys = append(keys, c.Key)
		}
	}
	for _, w := range b.Writes {
		if w.Mode == driver.Expect && at(w.Key) != w.Version {
			keys = append(keys, w.Key)
		}
	}
	return keys
}

// apply carries out a batch that was applied at a time.
func (m model) apply(b driver.Batch, now driver.Moment) {
	for _, w := range b.Writes {
		e := m[w.Key]
		v := modelVersion{id: b.ID, value: string(w.Value), updated: now, marked: w.Mark}
		switch {
		case w.Delete:
			delete(m, w.Key)
		case e == nil:
			m[w.Key] = &modelEntry{created: now.Wall, recent: []driver.Version{b.ID}, modelVersion: v}
		case w.Mode != driver.Once:
			e.retire(w, now.Wall)
			e.recent = append([]driver.Version{b.ID}, e.recent...)
			e.recent = e.recent[:min(len(e.recent), driver.RecentVersions)]
			e.modelVersion = v
		}
	}
	for _, key := range b.Forget {
		if e := m[key]; e != nil {
			e.old = nil
		}
	}
}

// retire keeps the present version, or not, and thins out the old ones.
func (e *modelEntry) retire(w driver.Write, now time.Time) {
	s := w.Retain
	if s == nil {
		return
	}
	span := func(t time.Time) int64 { return t.UnixNano() / int64(max(s.Every, 1)) }
	last := s.Every == 0 || s.Every > 0 && span(e.updated.Wall) != span(now)
	if old := e.modelVersion; last || old.marked || w.Mark {
		old.kept, old.replaced = old.marked || w.Mark, now
		e.old = append(e.old, old)
	}
	e.old = slices.DeleteFunc(e.old, func(v modelVersion) bool {
		return !v.kept && s.For > 0 && now.Sub(v.replaced) >= s.For
	})
	for s.Max > 0 && len(e.old) > s.Max {
		i := max(slices.IndexFunc(e.old, func(v modelVersion) bool { return !v.kept }), 0)
		e.old = slices.Delete(e.old, i, i+1)
	}
}

// entry returns an entry as it ought to be read.
func (m model) entry(key string) driver.Entry {
	e := m[key]
	if e == nil {
		return driver.Entry{Key: key}
	}
	return driver.Entry{
		Key: key, Value: []byte(e.value), Version: e.id, Recent: e.recent,
		Created: e.created, Updated: e.updated, Marked: e.marked,
	}
}

// entries returns all entries as they ought to be listed.
func (m model) entries() (entries []driver.Entry) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		entries = append(entries, m.entry(key))
	}
	return entries
}

// versions returns the ids of an entry that ought to be readable.
func (m model) versions(key string) (ids []driver.Version) {
	e := m[key]
	if e == nil {
		return nil
	}
	for _, v := range e.old {
		ids = append(ids, v.id)
	}
	return append(ids, e.id)
}

// player makes random calls and compares them with the model. What it does
// follows from its seed alone.
type player struct {
	*env
	rand  *rand.Rand
	clock bool // time may be made to pass
	m     model
	ids   []driver.Version // of batches that were made
}

var modelKeys = []string{"a", "a/1", "a/2", "a/é", "b", "日本"}

var modelSchedules = []*driver.Retention{
	nil, nil, {}, {Max: 2}, {Every: -1}, {Every: -1, Max: 1},
	{Every: time.Hour, For: 5 * time.Hour, Max: 4}, {Every: time.Minute}, {For: time.Hour},
}

func (p *player) key() string { return modelKeys[p.rand.IntN(len(modelKeys))] }

// version returns the version of key in most cases, and otherwise another one.
func (p *player) version(key string) driver.Version {
	switch {
	case p.rand.IntN(8) > 0:
		return p.m.entry(key).Version
	case p.rand.IntN(2) > 0 && len(p.ids) > 0:
		return p.ids[p.rand.IntN(len(p.ids))]
	}
	return driver.Version{}
}

// write makes a write of key.
func (p *player) write(key string) driver.Write {
	w := driver.Write{Key: key, Mode: driver.Mode(p.rand.IntN(5))}
	if w.Mode > driver.Once {
		w.Mode = driver.Expect
	}
	if w.Mode == driver.Expect {
		w.Version = p.version(key)
	}
	if w.Mode != driver.Once && p.rand.IntN(10) == 0 {
		w.Delete = true
		return w
	}
	w.Value = []byte(strings.Repeat(fmt.Sprint(p.rand.IntN(1000)), p.rand.IntN(4)))
	w.Retain = modelSchedules[p.rand.IntN(len(modelSchedules))]
	w.Mark = w.Retain != nil && p.rand.IntN(5) == 0
	return w
}

// group makes a group of batches that share the keys among them.
func (p *player) group() (g driver.Group) {
	keys := slices.Clone(modelKeys)
	p.rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	take := func() string {
		key := keys[0]
		keys = keys[1:]
		return key
	}
	for n := 1 + p.rand.IntN(3); n > 0 && len(keys) > 0; n-- {
		b := batch(p.write(take()))
		for len(keys) > 0 && p.rand.IntN(3) == 0 {
			b.Writes = append(b.Writes, p.write(take()))
		}
		if len(keys) > 0 && p.rand.IntN(3) == 0 {
			key := take()
			b.Checks = append(b.Checks, driver.Check{Key: key, Version: p.version(key)})
		}
		if p.rand.IntN(8) == 0 {
			b.Forget = append(b.Forget, b.Writes[0].Key)
		}
		g.Batches = append(g.Batches, b)
	}
	return g
}

// commit commits a random group.
func (p *player) commitGroup() {
	p.Helper()
	g := p.group()
	for i, out := range p.commit(g.Batches...) {
		b := g.Batches[i]
		want := p.m.refusals(b)
		var got []string
		for _, s := range out.Refused {
			got = append(got, s.Key)
			if diff := cmp.Diff(p.m.entry(s.Key).Recent, s.Recent); diff != "" {
				p.Fatalf("Recent of the refusal of %q (-model +got):\n%s", s.Key, diff)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			p.Fatalf("Commit of %+v refused for (-model +got):\n%s", b, diff)
		}
		if want == nil {
			p.m.apply(b, out.Updated)
			p.ids = append(p.ids, b.ID)
		}
	}
}

// step makes one random call.
func (p *player) step() {
	p.Helper()
	switch n := p.rand.IntN(100); {
	case n < 80:
		p.commitGroup()
	case n < 85 && p.clock:
		p.advance(time.Duration(p.rand.Int64N(int64(2 * time.Hour))))
	case n < 90 && p.h.Reopen != nil && p.rand.IntN(10) == 0:
		p.reopen()
	case n < 92:
		p.deleteRange()
	case n < 96:
		p.count()
	default:
		p.page()
	}
}

func (p *player) deleteRange() {
	p.Helper()
	from, to := p.key(), p.key()
	want := 0
	for key := range maps.Clone(p.m) {
		if from <= key && key < to {
			delete(p.m, key)
			want++
		}
	}
	if n, err := p.db.DeleteRange(p.ctx, from, to); n != want || err != nil {
		p.Fatalf("DeleteRange(%q, %q) = %d, %v, want %d", from, to, n, err, want)
	}
}

// count compares what Count says of a part.
func (p *player) count() {
	p.Helper()
	from, to, limit := p.key(), p.key(), 1+p.rand.IntN(4)
	want, wantNext := 0, ""
	for _, e := range p.m.entries() {
		switch {
		case e.Key < from || e.Key >= to:
		case want < limit:
			want++
		case wantNext == "":
			wantNext = e.Key
		}
	}
	if n, next, err := p.db.Count(p.ctx, from, to, limit); n != want || next != wantNext || err != nil {
		p.Fatalf("Count(%q, %q, %d) = %d, %q, %v, want %d and %q", from, to, limit, n, next, err, want, wantNext)
	}
}

// page compares a listing of a part.
func (p *player) page() {
	p.Helper()
	q := driver.Query{Prefix: []string{"", "a", "a/"}[p.rand.IntN(3)], After: p.key(), Limit: 1 + p.rand.IntN(4), Reverse: p.rand.IntN(3) == 0}
	want := slices.DeleteFunc(p.m.entries(), func(e driver.Entry) bool {
		past := e.Key <= q.After
		if q.Reverse {
			past = e.Key >= q.After
		}
		return past || !strings.HasPrefix(e.Key, q.Prefix)
	})
	if q.Reverse {
		slices.Reverse(want)
	}
	got := p.list(q)
	if more := len(want) > q.Limit; got.More != more {
		p.Fatalf("List(%+v) says more %v, want %v", q, got.More, more)
	}
	want = want[:min(len(want), q.Limit)]
	if diff := cmp.Diff(want, got.Entries, equateEmpty); diff != "" {
		p.Fatalf("List(%+v) (-model +got):\n%s", q, diff)
	}
}

// equateEmpty lets a value that is nil equal one without bytes.
var equateEmpty = cmp.Comparer(func(a, b []driver.Entry) bool {
	return slices.EqualFunc(a, b, func(a, b driver.Entry) bool {
		a.Value, b.Value = append([]byte{}, a.Value...), append([]byte{}, b.Value...)
		return cmp.Equal(a, b)
	})
})

// compare compares everything.
func (p *player) compare() {
	p.Helper()
	if diff := cmp.Diff(p.m.entries(), p.list(driver.Query{}).Entries, equateEmpty); diff != "" {
		p.Fatalf("List (-model +got):\n%s", diff)
	}
	for _, key := range modelKeys {
		if diff := cmp.Diff(p.m.versions(key), p.versions(key)); diff != "" {
			p.Fatalf("Versions(%q) (-model +got):\n%s", key, diff)
		}
		if e := p.m[key]; e != nil && len(e.old) > 0 {
			p.compareVersion(key, e.old[p.rand.IntN(len(e.old))])
		}
	}
}

func (p *player) compareVersion(key string, v modelVersion) {
	p.Helper()
	got, err := p.db.ReadVersion(p.ctx, key, v.id)
	if err != nil || string(got.Value) != v.value || got.Updated != v.updated || got.Marked != v.marked || got.Damaged != nil {
		p.Fatalf("ReadVersion(%q, %v) = %+v, %v, want value %q of %v", key, v.id, got, err, v.value, v.updated)
	}
}

// playSteps is how many random calls a seed makes. After each compareEach of
// them everything is compared; what a commit refuses is compared at once.
const (
	playSteps   = 240
	compareEach = 8
)

func play(seed uint64, clock bool) func(e *env) {
	return func(e *env) {
		p := &player{env: e, rand: rand.New(rand.NewPCG(seed, 0)), clock: clock, m: model{}}
		for i := range playSteps {
			p.step()
			if (i+1)%compareEach == 0 {
				p.compare()
			}
		}
	}
}

// modelFacts play with the clock where there is one.
var modelFacts = func() (facts []fact) {
	for seed := range uint64(4) {
		facts = append(facts,
			fact{fmt.Sprintf("AgreesWithTheModel/%d", seed), 0, play(seed, false)},
			fact{fmt.Sprintf("AgreesWithTheModelAsTimePasses/%d", seed), needsClock, play(100+seed, true)})
	}
	return facts
}()
