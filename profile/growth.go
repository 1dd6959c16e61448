package profile

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/holdfast-games/holdfast/document"
)

// Growth says that a profile, or one field of it, has come near its limit, or has
// moved away from it again.
type Growth struct {
	Profile *Profile
	// Of is what has grown.
	Of GrowthOf
	// Field is the field that has grown, if Of is GrowthOfLength; else nil.
	Field Field
	// Used is how much it has now, and Limit how much it may have.
	Used, Limit int
	// Percent is the highest step that it has reached, 50, 80 or 95 percent of the
	// limit; 0: none.
	Percent int
	// Before is what Percent was when it was last told.
	Before int
}

// GrowthOf says what has grown.
type GrowthOf string

// What grows.
const (
	GrowthOfSize   GrowthOf = "size"   // the encoded profile, in bytes, against Limits.Size
	GrowthOfCount  GrowthOf = "count"  // its fields and elements, against Limits.Fields
	GrowthOfLength GrowthOf = "length" // one field with a MaxLen, against that
)

// growthSteps are the parts of a limit, in percent, at which growth is told: when
// one is reached, and again when what has grown is a twentieth of the limit below
// it. So something that goes to and fro about a step is told of once.
var growthSteps = [...]int{50, 80, 95}

// slack is how far below a step, in percent, it is left again.
const slack = 5

func (g Growth) String() string {
	what := string(g.Of)
	if g.Field != nil {
		what = fmt.Sprintf("field %q", g.Field.Name())
	}
	return fmt.Sprintf("%s: %d of %d", what, g.Used, g.Limit)
}

// gauge is one quantity that is watched. Only its two bounds are compared with it at
// each update.
type gauge struct {
	limit    int
	level    uint8 // how many of growthSteps it has reached
	up, down int   // it is another level from up, and below down
}

// newGauge returns a gauge that has measured nothing.
func newGauge(limit int) gauge {
	g := gauge{limit: limit}
	g.setBounds()
	return g
}

func (g *gauge) setBounds() {
	g.up, g.down = int(^uint(0)>>1), 0
	if int(g.level) < len(growthSteps) {
		g.up = share(g.limit, growthSteps[g.level])
	}
	if g.level > 0 {
		g.down = share(g.limit, growthSteps[g.level-1]-slack)
	}
}

// share returns so many percent of a limit, rounded up.
func share(limit, percent int) int { return int((int64(limit)*int64(percent) + 99) / 100) }

// moved reports whether a value is at another level, without changing anything.
func (g *gauge) moved(n int) bool { return n >= g.up || n < g.down }

// move goes to the level of a value, and returns the one before.
func (g *gauge) move(n int) (before uint8) {
	before = g.level
	for n >= g.up {
		g.level++
		g.setBounds()
	}
	for n < g.down {
		g.level--
		g.setBounds()
	}
	return before
}

func (g *gauge) percent(level uint8) int {
	if level == 0 {
		return 0
	}
	return growthSteps[level-1]
}

// growth is how far a profile has grown. The profile's lock guards it.
type growth struct {
	size, count gauge
	fields      map[*field]*gauge // of those with a MaxLen that have reached a level
	counted     atomic.Int32      // the size's level in the metrics; -1: the profile has ended
}

// OnGrowth calls fn when the profile, or a field of it with a MaxLen, has reached
// 50, 80 or 95 percent of its limit, or is well below that again: once for each, not
// with every update. What has been reached by the load is told to who listens in
// Options.OnOpen. Fn is called like other listeners. It returns a function that
// ends this.
func (p *Profile) OnGrowth(fn func(Growth)) (cancel func()) {
	return p.listen(&listener{growth: fn})
}

// measurable is a field whose length is bounded by MaxLen: it returns that of what
// is stored, and costs no decoding of what an update has just written.
type measurable interface {
	length(sl *slot, d *document.Document) int
}

func (f *object) length(_ *slot, d *document.Document) int { return d.ElementCount(f.name) }

func (f *StringField) length(sl *slot, d *document.Document) int { return len(*f.current(sl, d)) }
func (f *BytesField) length(sl *slot, d *document.Document) int  { return len(*f.current(sl, d)) }
func (f *ListField[T]) length(sl *slot, d *document.Document) int {
	return len(*f.current(sl, d))
}

// current returns the value in a slot, decoded now if it was not before.
func (f *boxed[T]) current(sl *slot, d *document.Document) *T {
	if box := sl.ref.Load(); box != nil {
		return (*box).(*T)
	}
	value, _ := d.Get(f.path)
	v := f.value(value)
	return &v
}

// measureAll measures a profile that has just been loaded. Its document is locked.
func (p *Profile) measureAll(d *document.Document) {
	limits := d.Limits()
	p.grown.size, p.grown.count = newGauge(limits.Size), newGauge(limits.Fields)
	p.grown.size.move(d.Size())
	p.grown.count.move(d.Count())
	for i, f := range p.schema.fields {
		c := f.common()
		if c.settings.maxLen == nil {
			continue
		}
		// Whatever it is, it is not longer than its encoding.
		if value, ok := d.Get(c.path); ok && len(value) >= share(*c.settings.maxLen, growthSteps[0]) {
			p.measureField(i, d)
		}
	}
	p.countLevel()
}

// measured is what an update looks at before it is over, in case that something has
// grown by it.
type measured struct{ size, count int }

func (tx *Tx) measure() measured {
	d := tx.w.Document()
	return measured{d.Size(), d.Count()}
}

// grow notes what an update has done to the size of things, and tells of it. It
// costs four comparisons, and some more if a field with a MaxLen was written. The
// profile is locked.
func (p *Profile) grow(tx *Tx, m measured) {
	g := &p.grown
	if p.failed != nil || !g.size.moved(m.size) && !g.count.moved(m.count) && len(tx.bounded) == 0 {
		return
	}
	var all []Growth
	if g.size.moved(m.size) {
		before := g.size.move(m.size)
		all = append(all, p.growthOf(GrowthOfSize, nil, &g.size, m.size, before))
		p.countLevel()
	}
	if g.count.moved(m.count) {
		before := g.count.move(m.count)
		all = append(all, p.growthOf(GrowthOfCount, nil, &g.count, m.count, before))
	}
	if len(tx.bounded) > 0 {
		d := p.openDocument()
		for _, at := range tx.bounded {
			if told, ok := p.measureField(at, d); ok {
				all = append(all, told)
			}
		}
		p.closeDocument()
	}
	p.tellGrowth(all)
}

// countLevel brings the metrics up to date with the profile's size.
func (p *Profile) countLevel() {
	level := int32(p.grown.size.level)
	for {
		before := p.grown.counted.Load()
		if before < 0 {
			return // it has ended
		}
		if p.grown.counted.CompareAndSwap(before, level) {
			p.srv.mx.grewBy(int(before), int(level))
			return
		}
	}
}

// uncountLevel takes a profile that has ended out of the metrics.
func (p *Profile) uncountLevel() {
	if before := p.grown.counted.Swap(-1); before > 0 {
		p.srv.mx.grewBy(int(before), 0)
	}
}

// wrote notes that a field was written whose length is bounded.
func (tx *Tx) wrote(f *field) {
	at := tx.p.schema.position(f)
	if at >= 0 && !slices.Contains(tx.bounded, at) {
		tx.bounded = append(tx.bounded, at)
	}
}

func (p *Profile) growthOf(of GrowthOf, f Field, g *gauge, n int, before uint8) Growth {
	return Growth{Profile: p, Of: of, Field: f, Used: n, Limit: g.limit, Percent: g.percent(g.level), Before: g.percent(before)}
}

// measureField measures one field, and returns what is to be told if it has moved.
func (p *Profile) measureField(at int, d *document.Document) (told Growth, moved bool) {
	f := p.schema.fields[at]
	m, ok := f.(measurable)
	if !ok {
		return told, false
	}
	c := f.common()
	n, g := m.length(&p.slots[at], d), p.grown.fields[c]
	if g == nil {
		fresh := newGauge(*c.settings.maxLen)
		g = &fresh
	}
	if !g.moved(n) {
		return told, false
	}
	before := g.move(n)
	if p.grown.fields == nil {
		p.grown.fields = make(map[*field]*gauge)
	}
	p.grown.fields[c] = g
	if g.level == 0 {
		delete(p.grown.fields, c)
	}
	return p.growthOf(GrowthOfLength, f, g, n, before), true
}

// reached returns what a load has found grown already.
func (p *Profile) reached() (all []Growth) {
	p.rlock()
	defer p.mu.RUnlock()
	d := p.openDocument()
	defer p.closeDocument()
	g := &p.grown
	if g.size.level > 0 {
		all = append(all, p.growthOf(GrowthOfSize, nil, &g.size, d.Size(), 0))
	}
	if g.count.level > 0 {
		all = append(all, p.growthOf(GrowthOfCount, nil, &g.count, d.Count(), 0))
	}
	for i, f := range p.schema.fields {
		if fg := g.fields[f.common()]; fg != nil {
			all = append(all, p.growthOf(GrowthOfLength, f, fg, f.(measurable).length(&p.slots[i], d), 0))
		}
	}
	return all
}

// tellGrowth tells what has grown. It does not wait for who listens.
func (p *Profile) tellGrowth(all []Growth) {
	for _, g := range all {
		if g.Percent > g.Before && g.Percent >= growthSteps[1] {
			p.srv.log.Warn("a profile comes near a limit", "key", p.key.String(), "what", g.String(), "percent", g.Percent)
		}
		p.post(event{growth: &g})
	}
}
