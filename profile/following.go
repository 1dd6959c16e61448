package profile

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

const (
	// followAgain is the time from one request to be told to the next.
	followAgain = 3 * time.Second
	// firstWait is the time to the next look right after the profile has left its
	// server; it doubles up to FollowOptions.Every.
	firstWait = 10 * time.Millisecond
	// lookTries is how often the profile is read in a row while it moves from
	// server to server.
	lookTries = 3
)

// following is one profile that this server follows, for all its followers. One
// goroutine changes the copy and tells:
//
//	unknown ──▶ alone ◀──▶ told
//	              └─▶ gone ◀─┘
//
// Alone, it reads the profile again and again. Told, it gets what becomes durable
// from the server that has the profile, and reads it only if a step may be missing.
// A read gives the state at some revision; steps up to that are then passed over.
type following struct {
	srv  *Server
	key  session.Key
	ctx  context.Context // ends with the last follower, or with the server
	stop context.CancelFunc
	bell chan struct{} // level: there is something to do
	live *Profile      // the copy

	mu        sync.Mutex // guards what follows
	followers []*Follower
	joining   []*Follower
	session   string // whose steps are taken; empty: nobody's
	steps     []step // not dealt with
	missed    bool   // some may be missing
	own       map[uint64]bool

	// What follows is the goroutine's own.
	raw      bool           // the copy was migrated here, and its profile was not: steps do not fit it
	known    bool           // the copy is what was there at some moment, and not gone since
	unfit    error          // a field's value in it is of another type
	trouble  error          // why new followers are refused, and the others were told; nil: nothing
	version  driver.Version // of the root that was read last
	revision uint64
	holder   *session.Holder // who tells; nil: nobody
	number   uint64          // of the last step
	due      time.Time       // of the next look, or request to be told
	wait     time.Duration
}

func newFollowing(srv *Server, key session.Key) (*following, error) {
	live, err := detached(srv, key, srv.emptyDocument())
	if err != nil {
		return nil, err
	}
	f := &following{srv: srv, key: key, live: live, bell: make(chan struct{}, 1), own: make(map[uint64]bool)}
	f.ctx, f.stop = context.WithCancel(srv.ctx)
	return f, nil
}

// ring has the goroutine look what there is to do.
func (f *following) ring() {
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

// take takes a step.
func (f *following) take(st step) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if st.Session != f.session {
		return
	}
	if len(f.steps) >= maxSteps {
		f.steps, f.missed = nil, true
	}
	f.steps = append(f.steps, st)
	f.ring()
}

// miss notes that steps may have been lost.
func (f *following) miss() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.missed = true
	f.ring()
}

// noteOwn notes that a revision is this server's own change.
func (f *following) noteOwn(revision uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.own) < maxOrigins {
		f.own[revision] = true
	}
}

// isOwn reports whether all that came after the copy's revision, up to another one,
// is this server's own, and forgets what was noted up to there.
func (f *following) isOwn(revision uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	own := revision > f.revision && revision-f.revision <= uint64(len(f.own))
	for r := f.revision + 1; own && r <= revision; r++ {
		own = f.own[r]
	}
	for r := range f.own {
		if r <= revision {
			delete(f.own, r)
		}
	}
	return own
}

func (f *following) run() {
	f.srv.mx.byID.follows.Inc()
	defer f.srv.mx.byID.follows.Dec()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-f.bell:
		case <-f.ctx.Done():
			f.end()
			return
		}
		f.round()
		t.Reset(time.Until(f.due))
	}
}

// round does what there is to do.
func (f *following) round() {
	missed := f.takeSteps()
	due := !time.Now().Before(f.due)
	if due && f.holder != nil && !missed {
		missed = !f.askAgain()
	}
	if missed || f.holder == nil && (due || !f.known && f.awaited()) {
		f.look()
	}
	f.welcome()
}

// awaited reports whether somebody waits for the state.
func (f *following) awaited() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.joining) > 0
}

// end tells the followers that are left that there is nothing more to come, and
// the profile's server likewise.
func (f *following) end() {
	f.mu.Lock()
	joining, followers := f.joining, f.followers
	f.mu.Unlock()
	for _, w := range joining {
		w.begun <- session.ErrClosed
	}
	if len(followers) > 0 {
		f.tell(Followed{Revision: f.revision, Err: session.ErrClosed}, false)
	}
	if f.holder != nil && f.srv.follows.idFor(f.key).IsZero() { // else others go on
		ctx, cancel := context.WithTimeout(f.srv.ctx, followWithin)
		defer cancel()
		f.ask(ctx, f.holder, true)
	}
}

// takeSteps deals with the steps that have come, and reports whether one may be
// missing.
func (f *following) takeSteps() (missed bool) {
	f.mu.Lock()
	steps, missed := f.steps, f.missed
	f.steps, f.missed = nil, false
	f.mu.Unlock()
	for i := range steps {
		st := &steps[i]
		if f.holder == nil || st.Number <= f.number {
			continue
		}
		missed = missed || st.Number > f.number+1
		f.number = st.Number
		switch {
		case st.Ended:
			f.detach()
			missed = true
		case !missed:
			missed = !f.apply(st)
		}
	}
	return missed
}

// look reads the profile, tells what is new, and sees to it that whoever has the
// profile tells from now on. It does so before it reads again, so that nothing
// comes in between.
func (f *following) look() {
	for range lookTries {
		f.takeNone()
		v, err := f.srv.ss.Peek(f.ctx, f.key)
		switch {
		case !f.read(v, err) || v.Holder == nil:
			f.detach()
			f.later()
			return
		case f.holder != nil && f.holder.Session == v.Holder.Session:
			return // he is asked again when it is due, however often this is read meanwhile
		case !f.attach(v.Holder):
			f.later()
			return
		}
	}
	f.detach()
	f.later()
}

// takeNone passes over the steps that have come: what they tell is in what is
// read from now on.
func (f *following) takeNone() {
	f.mu.Lock()
	steps := f.steps
	f.steps, f.missed = nil, false
	f.mu.Unlock()
	for i := range steps {
		f.number = max(f.number, steps[i].Number)
		if steps[i].Ended {
			f.detach()
		}
	}
}

// later sets the time of the next look.
func (f *following) later() {
	every := time.Duration(0)
	f.mu.Lock()
	for _, w := range append(slices.Clone(f.followers), f.joining...) {
		if every == 0 || w.every < every {
			every = w.every
		}
	}
	f.mu.Unlock()
	if f.wait == 0 || f.wait > every {
		f.wait = every
	}
	f.due = time.Now().Add(f.wait)
	f.wait = 2 * f.wait
}

// detach takes steps from nobody any more.
func (f *following) detach() {
	if f.holder == nil {
		return
	}
	f.holder, f.wait = nil, firstWait
	f.takeFrom("")
}

// takeFrom has steps of one session taken from now on.
func (f *following) takeFrom(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session, f.steps, f.missed = id, nil, false
}

// attach asks who has the profile to tell from now on, and reports whether he will.
func (f *following) attach(h *session.Holder) bool {
	f.detach()
	f.takeFrom(h.Session)
	a, ok := f.ask(f.ctx, h, false)
	if !ok {
		f.takeFrom("")
		return false
	}
	f.holder, f.number = h, a.Number
	f.due = time.Now().Add(followAgain)
	return true
}

// askAgain asks again who tells, and reports whether nothing was missed.
func (f *following) askAgain() bool {
	a, ok := f.ask(f.ctx, f.holder, false)
	if !ok {
		f.detach()
		return false
	}
	f.due = time.Now().Add(followAgain)
	missed := f.takeSteps() || f.holder == nil || !a.Known || a.Number > f.number
	f.number = max(f.number, a.Number) // what is missing is read
	return !missed
}

// ask asks a server to tell, or to end that.
func (f *following) ask(ctx context.Context, h *session.Holder, end bool) (a followAnswer, ok bool) {
	id, err := driver.ParseVersion(h.Session)
	if err != nil {
		return a, false
	}
	fs := &f.srv.follows
	fs.mu.Lock()
	q, hears := followQuestion{Key: f.key.String(), Session: id, Follower: fs.id, End: end}, fs.hears
	fs.mu.Unlock()
	if h.Lease == f.srv.ss.LeaseID() {
		a = f.srv.admitFollower(ctx, q)
	} else if err = errors.New("no bus"); hears {
		a, err = f.srv.askToFollow(ctx, h.Lease, q)
	}
	if err != nil || a.Refused != "" {
		f.srv.log.Debug("nobody tells of a profile that is followed", "key", f.key.String(), "holder", h.String(), "refused", a.Refused, "err", err)
		return a, false
	}
	return a, true
}

func (c *common) askToFollow(ctx context.Context, lease string, q followQuestion) (a followAnswer, err error) {
	body, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	answer, err := c.ss.Ask(ctx, lease, verbFollow, body)
	if err == nil {
		err = json.Unmarshal(answer, &a)
	}
	return a, err
}

// welcome tells the state to those who have come, or why there is none.
func (f *following) welcome() {
	if !f.known && f.trouble == nil {
		return // not yet
	}
	f.mu.Lock()
	joining := f.joining
	f.joining = nil
	if f.trouble == nil {
		f.followers = append(slices.Clone(f.followers), joining...)
	}
	f.mu.Unlock()
	for _, w := range joining {
		if f.trouble != nil {
			w.begun <- f.trouble
			continue
		}
		w.call(Followed{Profile: f.live, Revision: f.revision})
		w.begun <- nil
	}
}

// tell tells the followers. What is this server's own is told only to those who
// want that.
func (f *following) tell(now Followed, own bool) {
	if len(now.Changes) == 0 && now.Err == nil {
		return
	}
	now.Profile = f.live
	f.mu.Lock()
	followers := f.followers
	f.mu.Unlock()
	for _, w := range followers {
		if !own || w.own {
			w.call(now)
		}
	}
}

func (w *Follower) call(now Followed) {
	if !w.off.Load() {
		w.fn(now)
	}
}

// apply makes a step in the copy and tells of it. It returns false if the profile
// must be read.
func (f *following) apply(st *step) bool {
	switch {
	case st.Before != st.After && st.After <= f.revision:
		return true // it was read
	case st.Before == st.After && st.After < f.revision:
		return false // what came after it was read, perhaps of the same lazy fields
	case st.Fetch || st.Before > f.revision || f.raw:
		return false
	}
	delta, err := document.DecodeDelta(st.Delta, f.srv.limits())
	if slices.ContainsFunc(delta, func(c document.Change) bool { return c.Path == schemaPath || c.Path == slotSchemaPath }) {
		return false // it is in another form from here on
	}
	var changes []Change
	var unfit error
	if err == nil {
		changes, unfit, err = f.live.step(delta)
	}
	if err != nil {
		f.srv.log.Warn("a step of a profile that is followed does not fit: it is read", "key", f.key.String(), "revision", f.revision, "step", st.After, "err", err)
		return false
	}
	own := f.isOwn(st.After) || !st.By.IsZero() && st.By == f.srv.follows.idFor(f.key)
	f.revision, f.unfit = max(f.revision, st.After), unfit
	if st.Before == st.After {
		f.version = driver.Version{} // it may be older than what was read at this revision
	}
	f.told("told", changes, own)
	f.judge(unfit)
	return true
}

func (f *following) told(how string, changes []Change, own bool) {
	changes = slices.DeleteFunc(changes, func(c Change) bool { return reserved(c.Path.Field) })
	if len(changes) > 0 {
		f.srv.mx.byID.steps.WithLabelValues(how).Inc()
		f.live.announce(changes)
	}
	f.tell(Followed{Revision: f.revision, Changes: changes}, own)
}

// read deals with what was read, and reports whether there is a profile.
func (f *following) read(v *session.View, err error) bool {
	switch {
	case err == nil:
		f.show(v)
		f.judge(f.unfit)
	case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrErased):
		f.vanish(err)
	case certain(err):
		f.judge(err)
	default:
		f.srv.log.Debug("a profile that is followed could not be read", "key", f.key.String(), "err", err)
	}
	return err == nil
}

// show makes the copy what was read.
func (f *following) show(v *session.View) {
	if f.known && v.Version == f.version && v.Revision == f.revision {
		return
	}
	var changes []Change
	own := f.isOwn(v.Revision)
	doc, unfit := f.migrated(v.Document)
	changes, f.unfit = f.live.replace(doc)
	f.unfit = firstError(unfit, f.unfit)
	f.known, f.version, f.revision = true, v.Version, v.Revision
	f.told("read", changes, own)
}

// migrated returns what was read in the form of this server's schema; or as it is,
// with the reason, if it cannot be brought into that.
func (f *following) migrated(d *document.Document) (*document.Document, error) {
	due, err := f.srv.schema.due(f.key, d)
	if f.raw = len(due) > 0 || err != nil; !f.raw || err != nil {
		return d, err
	}
	c := d.Clone()
	if _, err := f.srv.schema.migrateDocument(f.key, c, f.srv.migrator()); err != nil {
		return d, err
	}
	return c, nil
}

// vanish deals with a profile that is not there, or not any more.
func (f *following) vanish(err error) {
	if f.known {
		var changes []Change
		changes, f.unfit = f.live.replace(f.srv.emptyDocument())
		f.known, f.revision, f.version = false, 0, driver.Version{}
		f.live.announce(changes)
		f.tell(Followed{Changes: changes, Err: err}, false)
	}
	f.trouble = err
}

// judge notes that the profile cannot be read, which is told once, or that it can.
func (f *following) judge(err error) {
	before := f.trouble
	f.trouble = err
	if err != nil && (before == nil || before.Error() != err.Error()) {
		f.tell(Followed{Revision: f.revision, Err: err}, false)
	}
}
