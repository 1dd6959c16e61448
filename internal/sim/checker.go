package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// checker knows what every caller did and was told, sees every commit that the
// database applied, and says when the two do not fit.
//
// It keeps three things apart: what callers have in memory (the updates), what
// is durable (what the database applied, in journal or root), and what callers
// were told. The promises are relations between them, and each is checked at
// the event that could break it.
type checker struct {
	players   []*player
	byRoot    map[string]*player
	updates   map[int]*update
	numbers   int // of updates, given out so far
	groups    int
	trades    int // across servers
	gifts     []*gift
	purchases []*purchase
	beside    beside
	savers    map[string]*saver

	gemsErased   int // that erased players had
	gemsOfErased int // that came into the world by what is erased
	leases       map[string]*leaseState
	sessions     map[string]*taking
	hasty        map[driver.Version]bool // batches that write another's lease, and whether they judge it too early
	clock        *clock
	lease        time.Duration // length of every lease
}

// taking is how a session took its lock.
type taking struct {
	lease string
	last  *update // in its memory; at first what the root held
	lazy  int
	fresh bool // there was no root
	left  int  // if it released its player by itself: the root's writes by then
}

// leaseState is a lease and its journal as they are in the database.
type leaseState struct {
	taker   *instance
	gone    bool
	sealed  bool
	revoked []string  // sessions, ever
	renewal time.Time // the last that was applied
	stood   time.Time // since when it has not run out
	boot    string    // of the database's machine, at the last renewal
	journal []journalEntry
}

type journalEntry struct {
	number  uint64
	records []journalRecord
}

type journalRecord struct {
	session string
	update  *update // the last that it carries; nil: none
	whole   bool
	outbox  []storedWrite
	counted bool // it sets the counter
	counter int64
}

func newChecker(s *shape, cl *clock) *checker {
	c := &checker{
		hasty: make(map[driver.Version]bool), clock: cl, lease: s.lease,
		byRoot: make(map[string]*player), updates: make(map[int]*update),
		leases: make(map[string]*leaseState), sessions: make(map[string]*taking), beside: make(beside), savers: newSavers(),
	}
	for n := range s.players {
		p := newPlayer(n)
		c.players = append(c.players, p)
		c.byRoot[p.root] = p
	}
	return c
}

// dead reports whether a lock can never be used again.
func (c *checker) dead(lease, session string) bool {
	l := c.leases[lease]
	return l == nil || l.gone || l.sealed || slices.Contains(l.revoked, session)
}

// number returns the number of an update that may be made.
func (c *checker) number() int {
	c.numbers++
	return c.numbers
}

// make registers a new update on top of another.
func (c *checker) make(number int, on *update, changes []change) *update {
	u := on.next(number, changes)
	c.updates[u.id] = u
	return u
}

// join makes updates one group.
func (c *checker) join(us []*update) {
	c.groups++
	g := &group{id: c.groups, parts: us}
	for _, u := range us {
		u.group = g
	}
}

// find returns the update whose content a document has. It is an error if the
// document is not exactly what that update left.
func (c *checker) find(p *player, data []byte) (*update, content, error) {
	got, err := parseContent(data)
	if err != nil {
		return nil, got, err
	}
	u := p.origin
	if id := got.head(); id != 0 {
		if u = c.updates[id]; u == nil || u.p != p {
			return nil, got, fmt.Errorf("%v names update %d, which nobody made of it", p.key, id)
		}
	}
	if text := got.String(); text != u.text {
		return nil, got, fmt.Errorf("%v is not what update %v left:\n got %.600s\nwant %.600s", p.key, u, text, u.text)
	}
	return u, got, nil
}

// applied looks at a batch that the database has just applied.
func (c *checker) applied(in *instance, b *driver.Batch) error {
	touched, err := c.keep(b)
	if err == nil {
		err = c.exchanged(b)
	}
	if err == nil {
		err = c.saversWritten(b)
	}
	if err != nil {
		return err
	}
	for i := range b.Writes {
		w := &b.Writes[i]
		var ps []*player
		ps = nil
		switch p := c.byRoot[w.Key]; {
		case p != nil:
			err = c.rootWritten(in, p, w.Value)
			p.remember(b.ID)
			ps = p.touched()
		case strings.HasPrefix(w.Key, leasePrefix):
			ps, err = c.leaseWritten(in, b.ID, w)
		case strings.HasPrefix(w.Key, journalPrefix):
			ps, err = c.appended(w)
		}
		if err != nil {
			return err
		}
		touched = append(touched, ps...)
	}
	if len(touched) > 0 || len(c.rootsIn(b)) > 1 {
		if err := c.checkSwords(); err != nil {
			return err
		}
	}
	return c.checkBeside(touched)
}

// exchanged looks at a batch that moves several roots: only a trade does. Its
// updates are in no journal before, and must stand on all that was durable.
func (c *checker) exchanged(b *driver.Batch) error {
	roots := c.rootsIn(b)
	if len(roots) < 2 {
		return nil
	}
	c.trades++
	var us []*update
	for _, w := range roots {
		p := c.byRoot[w.Key]
		r, err := parseRoot(p, w.Value)
		if err != nil {
			return err
		}
		u, _, err := c.find(p, r.Data)
		if err != nil {
			return fmt.Errorf("root: %w", err)
		}
		us = append(us, u)
		if u.parent != p.durable {
			return fmt.Errorf("trade: update %v does not stand on %v, which was durable", u, p.durable)
		}
		if err := p.keep(u); err != nil {
			return err
		}
	}
	for _, u := range us {
		if err := u.group.whole(); err != nil {
			return err
		}
	}
	return nil
}

// rootsIn returns a batch's writes of players' roots.
func (c *checker) rootsIn(b *driver.Batch) []*driver.Write {
	var roots []*driver.Write
	for i := range b.Writes {
		if c.byRoot[b.Writes[i].Key] != nil {
			roots = append(roots, &b.Writes[i])
		}
	}
	return roots
}

// keep notes the last durable update of a player.
func (p *player) keep(u *update) error {
	for v := u; v != nil && v != p.durable; v = v.parent {
		if v.never {
			return fmt.Errorf("update %v is durable, of which somebody was told that it never happens", v)
		}
		if v.order != nil {
			p.loosen()
		}
	}
	p.durable = u
	return nil
}

func parseRoot(p *player, value []byte) (r storedRoot, err error) {
	if err = json.Unmarshal(value, &r); err != nil {
		err = fmt.Errorf("read root %v: %w", p.key, err)
	}
	return r, err
}

// The names of system entries.
const (
	leasePrefix   = "~lease/"
	journalPrefix = "~journal/"
	confirmKey    = "~confirm"
	requestName   = "~request"
)

// leaseWritten follows a lease's life. It returns the players who are touched.
func (c *checker) leaseWritten(in *instance, batch driver.Version, w *driver.Write) ([]*player, error) {
	id := strings.TrimPrefix(w.Key, leasePrefix)
	l := c.leases[id]
	if l == nil {
		l = &leaseState{taker: in}
		c.leases[id] = l
	}
	if w.Delete {
		l.gone = true
		return c.checkLease(id)
	}
	var e storedLease
	if err := json.Unmarshal(w.Value, &e); err != nil {
		return nil, fmt.Errorf("read lease %s: %w", id, err)
	}
	if e.Sealed != nil && !l.sealed && c.hasty[batch] {
		return nil, fmt.Errorf("%s sealed the lease of %s, and its own had just run out", in.name, l.taker.name)
	}
	l.sealed = e.Sealed != nil
	if l.taker == in {
		c.renewed(id, l)
	}
	for _, r := range e.Revoked {
		if !slices.Contains(l.revoked, r.Session) {
			l.revoked = append(l.revoked, r.Session)
		}
	}
	return nil, nil
}

// renewed notes that a server has written its own lease.
func (c *checker) renewed(id string, l *leaseState) {
	if time.Since(l.renewal) > c.lease {
		l.stood = time.Now()
	}
	l.renewal, l.boot, l.taker.lease = time.Now(), c.clock.last().boot, id
}

// sent looks at a batch that is on its way for the first time: a server that
// writes another's lease may not judge it unless its own has stood for a lease
// length. Else not the other, but the database may have been away.
func (c *checker) sent(in *instance, b *driver.Batch) {
	if _, seen := c.hasty[b.ID]; seen {
		return
	}
	for i := range b.Writes {
		id, ok := strings.CutPrefix(b.Writes[i].Key, leasePrefix)
		own, l := c.leases[in.lease], c.leases[id]
		if ok && l != nil && own != nil && l.taker != in {
			c.hasty[b.ID] = l.boot == c.clock.last().boot && time.Since(own.stood) < c.lease
		}
	}
}

// rootWritten checks a player's root after a commit that wrote it: nobody has
// taken what another owns, and nothing durable is missing.
func (c *checker) rootWritten(in *instance, p *player, value []byte) error {
	r, err := parseRoot(p, value)
	if err != nil {
		return err
	}
	if r.Erased {
		return c.entombed(in, p, &r)
	}
	u, got, err := c.find(p, r.Data)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if err := c.unerased(p, u); err != nil {
		return err
	}
	old := p.stored
	if r.Lock == nil && old.session != "" && c.leases[old.lease].taker == in {
		if err := c.broughtAlong(p, u); err != nil {
			return err
		}
	}
	p.writes++
	p.stored = stored{exists: true, head: u, lazy: got.lazy(), counter: got.counter, played: got.played}
	back := u.restoredSince(old.head)
	if p.stored.lazy < old.lazy && !back {
		return fmt.Errorf("root of %v: lazy value %d was replaced by the older %d", p.key, old.lazy, p.stored.lazy)
	}
	if err := p.checkTime(old, back); err != nil {
		return err
	}
	if r.Lock != nil {
		p.stored.lease, p.stored.session, p.stored.position = r.Lock.Lease, r.Lock.Session, r.Lock.Position
	}
	if err := c.checkOwner(in, p, old); err != nil {
		return err
	}
	return c.checkReplay(p)
}

// broughtAlong notes what was in no journal before its session released the player: it
// stands on all that was durable, and is not part of what happened to others as well.
func (c *checker) broughtAlong(p *player, u *update) error {
	if u.within(p.durable) {
		return nil
	}
	if !p.durable.within(u) {
		return fmt.Errorf("%v was released with update %v, which does not stand on %v, which was durable", p.key, u, p.durable)
	}
	before := p.durable
	if err := p.keep(u); err != nil {
		return err
	}
	for v := u; v != nil && v != before; v = v.parent {
		if err := v.group.whole(); err != nil {
			return err
		}
	}
	return nil
}

// checkOwner checks that whoever wrote a root was allowed to.
func (c *checker) checkOwner(in *instance, p *player, old stored) error {
	now := p.stored
	if now.session != "" && now.session != old.session {
		if _, ok := c.sessions[now.session]; ok {
			return fmt.Errorf("two owners: session %s had lost %v and wrote it again", now.session, p.key)
		}
		c.sessions[now.session] = &taking{lease: now.lease, last: now.head, lazy: now.lazy, fresh: !old.exists}
	}
	if old.session == "" || now.session == old.session {
		return nil
	}
	if now.session == "" && c.leases[old.lease].taker == in {
		c.sessions[old.session].left = p.writes
	}
	if c.dead(old.lease, old.session) {
		return nil
	}
	if now.session != "" {
		return fmt.Errorf("two owners: session %s took %v from session %s, which lives", now.session, p.key, old.session)
	}
	if c.leases[old.lease].taker != in {
		return fmt.Errorf("%s released %v, which session %s of another server holds", in.name, p.key, old.session)
	}
	return nil
}

// checkReplay checks that a crash at this moment would lose nothing durable:
// the root and what is in the journal for its lock give the last update that is.
func (c *checker) checkReplay(p *player) error {
	if !p.stored.exists {
		return nil
	}
	got := p.stored.head
	if !got.within(p.durable) {
		return fmt.Errorf("the root of %v holds update %v, which is not in the journal (%v is)", p.key, got, p.durable)
	}
	if l := c.leases[p.stored.lease]; l != nil {
		for _, e := range l.journal {
			for _, r := range e.records {
				if r.session == p.stored.session && e.number > p.stored.position && r.update != nil {
					got = r.update
				}
			}
		}
	}
	if got != p.durable {
		return fmt.Errorf("lost: root and journal of %v give update %v, but %v was durable", p.key, got, p.durable)
	}
	return c.checkCounter(p)
}

// checkLease checks all players that a lease's sessions hold, and returns them.
func (c *checker) checkLease(id string) (held []*player, err error) {
	for _, p := range c.players {
		if p.stored.lease == id {
			if err := c.checkReplay(p); err != nil {
				return nil, err
			}
			held = append(held, p)
		}
	}
	return held, nil
}

// appended checks a new journal entry: its records are of sessions that hold
// their players, and groups are in it whole. It returns the players.
func (c *checker) appended(w *driver.Write) ([]*player, error) {
	lease, number, err := journalPlace(w.Key)
	if err != nil || w.Delete {
		return nil, err
	}
	rs, err := splitRecords(w.Value)
	if err != nil {
		return nil, fmt.Errorf("read journal entry %s: %w", w.Key, err)
	}
	rs = c.ofPlayers(rs)
	l := c.leases[lease]
	if l == nil {
		return nil, fmt.Errorf("append to the journal of lease %s, which never was", lease)
	}
	e := journalEntry{number: number}
	var fresh []*update
	for i := range rs {
		u, err := c.recordOf(&rs[i])
		if err != nil {
			return nil, err
		}
		e.records = append(e.records, journalRecord{rs[i].session, u, rs[i].whole, rs[i].outbox, rs[i].counted, rs[i].counter})
		if u == nil || u.within(u.p.durable) {
			continue // a whole state, or a late delivery of what was saved since
		}
		if err := checkRecord(u, lease, rs[i].session); err != nil {
			return nil, err
		}
		for v := u; v != nil && v != u.p.durable; v = v.parent {
			fresh = append(fresh, v)
		}
		if err := u.p.keep(u); err != nil {
			return nil, err
		}
	}
	l.journal = append(l.journal, e)
	slices.SortFunc(l.journal, func(a, b journalEntry) int { return cmp.Compare(a.number, b.number) })
	for _, u := range fresh {
		if err := u.group.whole(); err != nil {
			return nil, err
		}
	}
	return c.checkRecords(rs)
}

// checkRecords checks the players of whom there are new records, and returns them.
func (c *checker) checkRecords(rs []storedRecord) ([]*player, error) {
	var ps []*player
	for i := range rs {
		p := c.byRoot[rs[i].key]
		if err := c.checkReplay(p); err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// recordOf returns the last update that a record carries, or nil if it carries
// none.
func (c *checker) recordOf(r *storedRecord) (*update, error) {
	id, ok, err := r.head()
	if err != nil {
		return nil, fmt.Errorf("journal record of %s: %w", r.key, err)
	}
	p, u := c.byRoot[r.key], c.updates[id]
	switch {
	case p != nil && !ok:
		return nil, nil
	case p != nil && id == 0:
		return p.origin, nil
	case p == nil || u == nil || u.p != p:
		return nil, fmt.Errorf("journal record of %s carries update %d, which nobody made of it", r.key, id)
	}
	return u, nil
}

// checkRecord checks that an update was appended by who owns its player, and
// stands on everything that was durable.
func checkRecord(u *update, lease, session string) error {
	p := u.p
	switch {
	case p.stored.lease != lease || p.stored.session != session:
		return fmt.Errorf("update %v was appended by session %s, but session %q holds it", u, session, p.stored.session)
	case !p.durable.within(u):
		return fmt.Errorf("update %v was appended, which does not stand on %v, which was durable", u, p.durable)
	}
	return nil
}

// whole checks that all or none of a group is durable.
func (g *group) whole() error {
	if g == nil {
		return nil
	}
	n := 0
	for _, u := range g.parts {
		if u.erased > 0 || u.within(u.p.durable) {
			n++
		}
	}
	if n != 0 && n != len(g.parts) {
		return fmt.Errorf("group %d of %v was torn: %d of them are durable", g.id, g.parts, n)
	}
	return nil
}

// deleted follows a deletion of entries by range, which is of one lease.
func (c *checker) deleted(from, to string) error {
	id, _, _ := strings.Cut(strings.TrimPrefix(from, journalPrefix), "/")
	l := c.leases[id]
	if l == nil || !strings.HasPrefix(from, journalPrefix) {
		return nil
	}
	l.journal = slices.DeleteFunc(l.journal, func(e journalEntry) bool {
		key := fmt.Sprintf("%s%s/%016x", journalPrefix, id, e.number)
		return from <= key && key < to
	})
	held, err := c.checkLease(id)
	if err != nil {
		return err
	}
	return c.checkBeside(held)
}

// lossExcused reports whether a session could be lost: it was taken away by
// sealing its lease or revoking it, or one that it changed a player with; or it
// has released its player, and so many commits came before its answer that the
// root no longer tells.
func (c *checker) lossExcused(p *player, t *taking) bool {
	l := c.leases[t.lease]
	if l.sealed || l.gone || len(l.revoked) > 0 {
		return true
	}
	return t.left > 0 && p.writes-t.left >= driver.RecentVersions
}

// kept checks what a caller was told: that an update is on disk.
func (c *checker) kept(u *update, what string) error {
	if u.erased == 0 && !u.within(u.p.durable) {
		return fmt.Errorf("%s was told that update %v is kept, but %v is the last that is", what, u, u.p.durable)
	}
	return nil
}

// saved checks that an update is in the root on disk.
func (c *checker) saved(u *update, what string) error {
	if h := u.p.stored.head; u.erased == 0 && u != u.p.origin && (h == nil || !u.within(h)) {
		return fmt.Errorf("%s was told that update %v is saved, but the root holds %v", what, u, h)
	}
	return c.kept(u, what)
}

// released checks that a session that ended well has left its player with all
// its changes in the root, and without its lock.
func (c *checker) released(u *update, session, what string) error {
	if u.p.stored.session == session && u.erased == 0 {
		return fmt.Errorf("%s was told that %v is released, but session %s still holds it", what, u.p.key, session)
	}
	return c.saved(u, what)
}

// journalPlace splits the key of a journal entry.
func journalPlace(key string) (lease string, number uint64, err error) {
	lease, text, ok := strings.Cut(strings.TrimPrefix(key, journalPrefix), "/")
	if !ok {
		return "", 0, fmt.Errorf("journal key %q", key)
	}
	if number, err = strconv.ParseUint(text, 16, 64); err != nil {
		return "", 0, fmt.Errorf("journal key %q: %w", key, err)
	}
	return lease, number, nil
}
