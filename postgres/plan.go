package postgres

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/lineage"
)

// change is one write of a batch, ready to be sent.
type change struct {
	*driver.Write
	key    []byte
	id     driver.Version
	sum    int64
	packed int16
	stored []byte
	// expected is the version that is replaced or deleted, zero if the entry
	// must be absent. For mode Always it is what was there when it was last
	// looked at.
	expected driver.Version
	recent   []driver.Version // of an entry that Always replaces
	quiet    bool             // it is supposed that its schedule does not keep what it replaces
}

// newChange packs a write of the batch id.
func newChange(id driver.Version, w *driver.Write) *change {
	c := &change{Write: w, key: []byte(w.Key), id: id, expected: w.Version}
	if !w.Delete {
		c.sum = int64(driver.Sum(w.Key, id, w.Value))
		c.packed, c.stored = pack(w.Value)
	}
	return c
}

// again reports whether the write puts a version that the entry has or had in
// its place once more, as an Always that is repeated does.
func (c *change) again() bool { return slices.Contains(c.recent, c.id) }

// plan is what one transaction does: the parts of several batches by kind. Every
// statement takes its keys sorted.
type plan struct {
	checks   map[string]driver.Version // entries that are only checked
	absent   map[string]driver.Version // keys that must be absent, each with some id
	replaces []*change
	creates  []*change
	deletes  []*change
	forgets  map[string]bool
	quiet    *schedule // of the quiet replaces; nil if there are none
}

func newPlan() *plan {
	return &plan{
		checks:  make(map[string]driver.Version),
		absent:  make(map[string]driver.Version),
		forgets: make(map[string]bool),
	}
}

// add adds a batch. It returns false if the batch and one that was added before
// contradict each other, so that at least one of them is refused.
func (p *plan) add(b *batch) bool {
	for _, c := range b.Checks {
		if c.Version.IsZero() {
			p.absent[c.Key] = b.ID
			continue
		}
		if v, ok := p.checks[c.Key]; ok && v != c.Version {
			return false
		}
		p.checks[c.Key] = c.Version
	}
	for _, c := range b.changes {
		switch {
		case c.Delete && c.expected.IsZero():
			p.absent[c.Key] = b.ID
		case c.Delete:
			p.deletes = append(p.deletes, c)
		case c.expected.IsZero():
			p.creates = append(p.creates, c)
		default:
			p.replaces = append(p.replaces, c)
		}
	}
	for _, key := range b.Forget {
		p.forgets[key] = true
	}
	return true
}

// mixed reports whether rows would be locked by more than one statement, each of
// which goes through its own keys in order.
func (p *plan) mixed() bool {
	kinds := 0
	for _, n := range []int{len(p.checks), len(p.replaces), len(p.deletes), len(p.forgets)} {
		if n > 0 {
			kinds++
		}
	}
	return kinds > 1 || len(p.forgets) > 0
}

// queue adds the statements that do the plan's work.
func (p *plan) queue(q *queue) {
	for _, list := range [][]*change{p.replaces, p.creates, p.deletes} {
		slices.SortFunc(list, func(a, b *change) int { return bytes.Compare(a.key, b.key) })
	}
	if p.mixed() {
		p.lock(q)
	} else {
		p.check(q)
	}
	p.unkeep(q)
	p.keep(q)
	p.replace(q)
	p.create(q)
	p.delete(q)
	p.vacate(q)
	p.forget(q)
}

// check holds the entries that are only checked.
func (p *plan) check(q *queue) {
	if len(p.checks) == 0 {
		return
	}
	keys, versions := p.held(p.checks)
	q.guarded(sqlCheck, keys, versions, int64(len(keys)))
}

// held returns keys in order, with their versions.
func (p *plan) held(entries map[string]driver.Version) (keys, versions [][]byte) {
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		v := entries[key]
		keys = append(keys, []byte(key))
		versions = append(versions, v[:])
	}
	return keys, versions
}

// lock locks every entry that the plan touches.
func (p *plan) lock(q *queue) {
	all := maps.Clone(p.checks)
	for key := range p.forgets {
		if _, ok := all[key]; !ok {
			all[key] = driver.Version{} // any
		}
	}
	for _, list := range [][]*change{p.replaces, p.deletes} {
		for _, c := range list {
			all[c.Key] = c.expected
		}
	}
	keys, low := p.held(all)
	high, strict := slices.Clone(low), len(keys)
	for i, v := range low {
		if driver.Version(v).IsZero() {
			high[i] = lastVersion[:]
			strict--
		}
	}
	q.guarded(sqlLock, keys, low, high, int64(strict))
}

// lastVersion is the last in the order of versions.
var lastVersion = driver.Version(bytes.Repeat([]byte{0xff}, len(driver.Version{})))

// unkeep takes versions that are written once more out of the history.
func (p *plan) unkeep(q *queue) {
	var keys, ids [][]byte
	for _, c := range p.replaces {
		if c.again() {
			keys = append(keys, c.key)
			ids = append(ids, c.id[:])
		}
	}
	if len(keys) > 0 {
		q.plain(sqlUnkeep, keys, ids)
	}
}

// schedule is a write's schedule as the statements take it.
type schedule struct {
	every     int64 // nanoseconds
	age, most int64 // microseconds; versions
}

// scheduled returns a write's schedule, nil if it has none or if the write
// replaces itself.
func (c *change) scheduled() *schedule {
	s := c.Retain
	if s == nil || c.expected == c.id {
		return nil
	}
	// The server's times have whole microseconds: whoever is not older than a
	// part of one is not older than the whole.
	age := (max(s.For, 0) + time.Microsecond - 1) / time.Microsecond
	return &schedule{every: int64(s.Every), age: int64(age), most: int64(max(s.Max, 0))}
}

// keep copies what is replaced into the history.
func (p *plan) keep(q *queue) {
	var keys, versions [][]byte
	var every, age, most []int64
	var marks []bool
	for _, c := range p.replaces {
		s := c.scheduled()
		if s == nil || c.quiet {
			continue
		}
		keys, versions = append(keys, c.key), append(versions, c.expected[:])
		every, age, most = append(every, s.every), append(age, s.age), append(most, s.most)
		marks = append(marks, c.Mark)
	}
	if len(keys) > 0 {
		q.kept(sqlKeep, keys, versions, every, marks, age, most, int64(len(keys)))
	}
}

// mostBytes is how many bytes of values one statement carries, if it carries
// more than one value. The protocol's limit for an argument is 1 GB.
const mostBytes = 64 << 20

// portions yields a list in portions of at most mostBytes.
func portions(list []*change) func(func([]*change) bool) {
	return func(yield func([]*change) bool) {
		for len(list) > 0 {
			n, size := 0, 0
			for n < len(list) && (n == 0 || size+len(list[n].stored) <= mostBytes) {
				size += len(list[n].stored)
				n++
			}
			if !yield(list[:n]) {
				return
			}
			list = list[n:]
		}
	}
}

// columns are the arrays that statements take for changes.
type columns struct {
	keys, ids, expected, recent, values [][]byte
	every                               []*int64
	marks, quiet                        []bool
	sums                                []int64
	sizes                               []int32
	packed                              []int16
}

func (a *columns) add(c *change) {
	a.keys, a.ids, a.expected = append(a.keys, c.key), append(a.ids, c.id[:]), append(a.expected, c.expected[:])
	a.marks, a.sums = append(a.marks, c.Mark), append(a.sums, c.sum)
	a.sizes, a.packed, a.values = append(a.sizes, int32(len(c.Value))), append(a.packed, c.packed), append(a.values, c.stored)
	var recent []byte
	if c.again() {
		recent = lineage.Encode(c.id, c.recent)
	}
	a.recent = append(a.recent, recent)
	var every *int64
	if s := c.scheduled(); s != nil && !c.quiet {
		every = &s.every
	}
	a.every, a.quiet = append(a.every, every), append(a.quiet, c.quiet)
}

// replace replaces entries.
func (p *plan) replace(q *queue) {
	quiet := p.quiet
	if quiet == nil {
		quiet = &schedule{}
	}
	for list := range portions(p.replaces) {
		var a columns
		for _, c := range list {
			a.add(c)
		}
		q.replaced(sqlReplace, a.keys, a.expected, a.ids, a.recent, a.every, a.marks, a.sums, a.sizes, a.packed, a.values,
			int32(driver.Format), int64(len(list)), a.quiet, quiet.every, quiet.age, quiet.most)
	}
}

// create creates entries, and takes for a moment the keys that must be absent:
// so nobody else can create them.
func (p *plan) create(q *queue) {
	list := slices.Clone(p.creates)
	for key := range p.absent {
		list = append(list, &change{Write: &driver.Write{Key: key, Delete: true}, key: []byte(key)})
	}
	slices.SortFunc(list, func(a, b *change) int { return bytes.Compare(a.key, b.key) })
	for list := range portions(list) {
		var a columns
		keys, once := make([][]byte, len(list)), [][]byte{}
		for i, c := range list {
			keys[i] = c.key
			if !c.Delete {
				a.add(c)
			}
			if c.Mode == driver.Once {
				once = append(once, c.key)
			}
		}
		q.guarded(sqlCreate, keys, a.keys, a.ids, a.marks, a.sums, a.sizes, a.packed, a.values,
			int32(driver.Format), once, int64(len(list)-len(once)))
	}
}

// delete deletes entries and their history.
func (p *plan) delete(q *queue) {
	if len(p.deletes) == 0 {
		return
	}
	var keys, versions [][]byte
	for _, c := range p.deletes {
		keys, versions = append(keys, c.key), append(versions, c.expected[:])
	}
	q.guarded(sqlDelete, keys, versions, int64(len(keys)))
	q.plain(sqlDeleteHistory, keys)
}

// vacate gives back the keys of what was deleted and of what must be absent.
func (p *plan) vacate(q *queue) {
	keys := octets(slices.Collect(maps.Keys(p.absent)))
	for _, c := range p.deletes {
		keys = append(keys, c.key)
	}
	if len(keys) > 0 {
		slices.SortFunc(keys, bytes.Compare)
		q.plain(sqlVacate, keys)
	}
}

// forget deletes the history of entries.
func (p *plan) forget(q *queue) {
	if len(p.forgets) == 0 {
		return
	}
	keys := octets(slices.Sorted(maps.Keys(p.forgets)))
	q.plain(sqlDeleteHistory, keys)
	q.plain(sqlForget, keys)
}

// pruning returns the replacements of keys that are to be pruned, in order.
func (p *plan) pruning(keys []string) (list []*change) {
	named := make(map[string]bool, len(keys))
	for _, key := range keys {
		named[key] = true
	}
	for _, c := range p.replaces { // which are sorted
		if named[c.Key] {
			list = append(list, c)
		}
	}
	return list
}

// queue is the statements of one transaction, which are sent together.
type queue struct {
	batch pgx.Batch
	reads []func(pgx.BatchResults) error // the answers', in their order
	now   time.Time                      // of the transaction
	prune []string                       // keys whose history is to be thinned out
	back  []string                       // those of them whose clock was set back
}

// plain adds a statement whose answer says nothing.
func (q *queue) plain(sql string, args ...any) {
	q.batch.Queue(sql, args...)
	q.reads = append(q.reads, func(r pgx.BatchResults) error {
		_, err := r.Exec()
		return err
	})
}

// guarded adds a statement that fails if it did not touch as many rows as it
// should, and tells the time.
func (q *queue) guarded(sql string, args ...any) {
	q.batch.Queue(sql, args...)
	q.reads = append(q.reads, func(r pgx.BatchResults) error {
		var one int64
		return r.QueryRow().Scan(&one, &q.now)
	})
}

// kept adds the statement that copies versions into the history.
func (q *queue) kept(sql string, args ...any) {
	q.batch.Queue(sql, args...)
	q.reads = append(q.reads, func(r pgx.BatchResults) error {
		var one int64
		var prune, back [][]byte
		err := r.QueryRow().Scan(&one, &q.now, &prune, &back)
		q.prune, q.back = texts(prune), texts(back)
		return err
	})
}

// replaced adds the statement that replaces entries.
func (q *queue) replaced(sql string, args ...any) {
	q.batch.Queue(sql, args...)
	q.reads = append(q.reads, func(r pgx.BatchResults) error {
		var one int64
		var prune [][]byte
		err := r.QueryRow().Scan(&one, &q.now, &prune)
		q.prune = append(q.prune, texts(prune)...)
		return err
	})
}

// commit adds the end of the transaction.
func (q *queue) commit() {
	q.batch.Queue("COMMIT")
	q.reads = append(q.reads, func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		if err == nil && !strings.EqualFold(tag.String(), "COMMIT") {
			err = errCut
		}
		return err
	})
}

func texts(keys [][]byte) []string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = string(key)
	}
	return list
}
