package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	strict "github.com/go-json-experiment/json"
	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// A restore gives a profile the data of an older version. It happens within the
// profile's session, like every change of it: it is a message of a topic that every
// server handles, and whoever has the player, or opens him for a moment, reads that
// version and makes one update that puts its data in place of those that are there. So
// it is in the journal whole and in the root whole, an owner's save never meets it from
// outside, and what the owner did before is in the version before it. What lies beside
// the data stays as it is: the lock, the journal's position, the birth, the revision
// (which goes on counting), the records of purchases, and what is noted of messages.
//
//	sent ──▶ waits ──▶ read: version, deeds since ──▶ refused: nothing has changed
//	                        │                   └───▶ restored, and noted, in one update
//	                        └── the disk does not answer: waits
//
// Between the reading and the update nothing else handles messages of the profile, so
// no purchase comes in between. A trade may: the session counts them, and then the
// restore is refused as if it had been read.

// DefaultRestoreLife is how long a restore may wait for whoever has the player, if
// RestoreOptions say nothing else.
const DefaultRestoreLife = 10 * time.Minute

// RestoreOptions say how Server.Restore restores. Reason must be set.
type RestoreOptions struct {
	// Reason says why, for the history and the audit log: 1 to audit.MaxReason bytes of
	// text.
	Reason string
	// Despite restores although the player has bought or traded since: what he has
	// bought is gone from his data and is not granted again, and what he gave away he
	// has again. Without it such a restore is refused.
	Despite bool
	// ID names the restore among the messages to the profile, as ChangeOptions.ID does.
	// Empty gives it an id of its own.
	ID string
	// Life is how long it may wait: what was not done by then never is. MinMessageLife
	// to MaxMessageLife. Zero means DefaultRestoreLife.
	Life time.Duration
}

// Restored is what came of a restore.
type Restored struct {
	// Changed is how many fields, and elements of fields that are objects in both, were
	// changed. 0: the data were those of the version already, and nothing was changed.
	Changed int
	// Revision is that of the profile right after it.
	Revision uint64
	// Before is the version with the data as they were when it began: to go back to it
	// takes the restore back.
	Before driver.Version
	// Deeds are what it did not undo, MaxDeeds at most, and More says that there are
	// others.
	Deeds []Deed
	More  bool
}

// DeedsError means that a restore was refused as the player has bought or traded since.
// It matches ErrDeeds.
type DeedsError struct {
	Key     session.Key
	Version driver.Version // that was to be restored
	Deeds   []Deed         // MaxDeeds at most, in the order of time
	More    bool           // there are others
}

func (e *DeedsError) Error() string {
	n, more := len(e.Deeds), ""
	if e.More {
		more = " or more"
	}
	return fmt.Sprintf("%v: %v: %d%s since %v", e.Key, ErrDeeds, n, more, e.Version)
}

// Is reports that the error is an ErrDeeds.
func (e *DeedsError) Is(target error) bool { return target == ErrDeeds }

// Restore gives the profile of an id the data of one of its versions, whether it is open
// here, open on another server, or nowhere. All fields go back, also those that no schema
// knows, and those that a layer keeps in them (mailbox.Received: what a grant gave goes
// back together with the note that it did). Of save slots the one goes back that was
// loaded in the version, loaded now or not; the others stay as they are. It blocks until that is on disk. It is always an
// operator's act in the audit log: by the one whose Server.As it is, else by the server.
//
// The error is a *DeedsError for purchases, refunds and trades since, unless Despite;
// driver.ErrNotFound if the profile has no such version, or has it no more; ErrOtherBirth
// if it is a version of what was kept under the id before an erasure; ErrWrongType if the
// schema of the server that restores cannot read it, document.ErrTooLarge or ErrTooDeep if
// it is over that server's limits, driver.ErrCorrupt or driver.ErrFormat if it cannot be
// read at all; session.ErrNotFound or session.ErrErased if there is no such profile;
// driver.ErrInvalid for options that are out of bounds: nothing was changed then. After a
// *PendingError it may yet be done; Restored tells.
func (srv *Server) Restore(ctx context.Context, id string, version driver.Version, o *RestoreOptions) (Restored, error) {
	if o == nil {
		o = &RestoreOptions{}
	}
	done, err := srv.restore(ctx, id, version, o)
	if err != nil {
		return Restored{}, fmt.Errorf("restore %v to %v: %w", srv.key(id), version, err)
	}
	return done, nil
}

func (srv *Server) restore(ctx context.Context, id string, version driver.Version, o *RestoreOptions) (Restored, error) {
	key := srv.key(id)
	if err := key.Check(); err != nil {
		return Restored{}, err
	}
	if version.IsZero() {
		return Restored{}, fmt.Errorf("%w: no version is named", driver.ErrInvalid)
	}
	body, err := json.Marshal(restoreBody{version, o.Despite})
	if err != nil {
		return Restored{}, err
	}
	m := Message{ID: o.ID, Topic: topicRestore, Body: body, Reason: o.Reason, Until: srv.ss.Now().Add(o.life())}
	details, err := json.Marshal(restoreDetails{version, o.Despite, o.ID})
	if err != nil {
		return Restored{}, err
	}
	m.Audit = &audit.Act{By: srv.by, What: session.OriginRestore, Details: details}
	out, err := srv.sendAndDeliver(ctx, id, m, false)
	if err != nil {
		return Restored{}, err
	}
	return decodeRestored(key, out)
}

func (o *RestoreOptions) life() time.Duration {
	if o.Life == 0 {
		return DefaultRestoreLife
	}
	return o.Life
}

// Restored returns what came of a restore that was asked for under an id, as Changed
// does of a change: it has it done if it still waits. ErrGone means that it was never
// done and never will be, or that its outcome is not kept any more.
func (srv *Server) Restored(ctx context.Context, id, message string) (done Restored, err error) {
	key := srv.key(id)
	if err = errors.Join(key.Check(), checkText("id", message, MaxMessageID)); err == nil {
		var out Outcome
		if out, err = srv.delivered(ctx, id, message); err == nil {
			done, err = decodeRestored(key, out)
		}
	}
	if err != nil {
		return Restored{}, fmt.Errorf("restore %v: %w", key, err)
	}
	return done, nil
}

const topicRestore = "~restore"

// restoreBody is the body of a message that asks for a restore.
type restoreBody struct {
	Version driver.Version `json:"version"`
	Despite bool           `json:"despite,omitempty"`
}

// restoreDetails are what the audit log tells of a restore: it is found there by the id
// that it was given, also when the message's outcome is kept no more.
type restoreDetails struct {
	Version driver.Version `json:"version"`
	Despite bool           `json:"despite,omitempty"`
	ID      string         `json:"id,omitempty"`
}

// restoreResult is its result. Servers of several versions read it.
type restoreResult struct {
	Version driver.Version `json:"version"`
	Changed int            `json:"changed,omitempty"`
	Before  driver.Version `json:"before,omitzero"`
	Deeds   []storedDeed   `json:"deeds,omitempty"`
	More    bool           `json:"more,omitempty"`
	Unmade  bool           `json:"unmade,omitempty"` // it was refused because of the deeds
	Refused *refusedChange `json:"refused,omitempty"`
}

// storedDeed is a deed as it is told.
type storedDeed struct {
	What     string         `json:"what"`
	ID       string         `json:"id,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	At       time.Time      `json:"at"`
	Revision uint64         `json:"revision,omitempty"`
	Version  driver.Version `json:"version,omitzero"`
}

// tell notes deeds in a result, as many as fit into an outcome.
func (r *restoreResult) tell(deeds []Deed, more bool) {
	r.More, r.Deeds = more, make([]storedDeed, len(deeds))
	for i, d := range deeds {
		r.Deeds[i] = storedDeed(d)
	}
	for len(r.Deeds) > 0 {
		if text, err := strict.Marshal(r); err == nil && len(text) <= MaxMessageBody/2 {
			return
		}
		r.Deeds, r.More = r.Deeds[:len(r.Deeds)-1], true
	}
}

// refuse returns a refusal with what the result says.
func (r *restoreResult) refuse(cause error) error {
	text, err := strict.Marshal(r)
	if err != nil {
		return errors.Join(cause, err)
	}
	return &refusal{cause, text}
}

func decodeRestored(key session.Key, out Outcome) (Restored, error) {
	var r restoreResult
	if err := strict.Unmarshal(out.Result, &r); err != nil {
		return Restored{}, fmt.Errorf("its outcome is not that of a restore: %w: %w", document.ErrInvalid, err)
	}
	deeds := make([]Deed, len(r.Deeds))
	for i, d := range r.Deeds {
		deeds[i] = Deed(d)
	}
	switch {
	case r.Unmade:
		return Restored{}, &DeedsError{key, r.Version, deeds, r.More}
	case r.Refused != nil:
		return Restored{}, r.Refused.err(key)
	}
	return Restored{Changed: r.Changed, Revision: out.Revision, Before: r.Before, Deeds: deeds, More: r.More}, nil
}

// restoring is what was read for a restore.
type restoring struct {
	restoreBody
	old     *document.Document
	before  driver.Version
	origins uint64 // of the session before anything was read
	deeds   []Deed
	more    bool
	refused error

	// What is parked of the slot that was loaded in the version, if that is not loaded
	// now, and with which stamp.
	parked *document.Document
	stamp  uint64
}

// prepareRestore reads the version and the deeds since. In between it saves what the
// session has not saved, so that the history tells that, and so that there is a version
// to go back to: not before, as the schedule may let go of a version for the next one.
func prepareRestore(ctx context.Context, p *Profile, m *Message) (any, error) {
	r := &restoring{origins: p.s.Origins()}
	if err := json.Unmarshal(m.Body, &r.restoreBody); err != nil {
		return nil, fmt.Errorf("order not understood: %w", err)
	}
	v, err := p.srv.reader().ReadVersion(ctx, p.key, r.Version)
	switch {
	case err == nil && v.Birth != p.s.Birth():
		r.refused = ErrOtherBirth
		return r, nil
	case errors.Is(err, driver.ErrUnavailable) || ctx.Err() != nil:
		return nil, err
	case err != nil:
		r.refused = err
		return r, nil
	}
	if !p.srv.opts.Tool { // here, as the game's migrations may take long, and updates do not wait for them
		if _, r.refused = p.schema.migrateDocument(p.key, v.Document, p.srv.migrator()); r.refused != nil {
			return r, nil
		}
	}
	if err := p.s.Save(ctx); err != nil {
		return nil, fmt.Errorf("save before a restore: %w: %w", driver.ErrUnavailable, err) // it waits until that can be done
	}
	r.old, r.before = v.Document, p.s.Version()
	r.readParked(ctx, p)
	r.deeds, r.more, err = p.srv.deedsSince(ctx, p.key, v)
	return r, err
}

// readParked reads the slot that was loaded in the version, if it is parked now. One that
// cannot be read is one that the restore changes.
func (r *restoring) readParked(ctx context.Context, p *Profile) {
	p.begin()
	apart, err := slotApart(p.openDocument(), r.old, p.schema)
	p.closeDocument()
	p.end()
	if err != nil || apart == nil || !apart.kept {
		return
	}
	if r.stamp, err = p.stampOf(apart.id); err != nil || r.stamp == 0 {
		return
	}
	if r.parked, err = p.readParked(ctx, apart.id, r.stamp); err != nil {
		r.parked = nil
	}
}

// handleRestore makes the update that a restore is.
func handleRestore(tx *Tx, m *Message) (json.RawMessage, error) {
	r, ok := m.Prepared().(*restoring)
	if !ok {
		return nil, fmt.Errorf("message %q was not prepared", m.ID)
	}
	result := &restoreResult{Version: r.Version, Before: r.before}
	w, ok := tx.w.(*session.Tx)
	switch {
	case !ok:
		return nil, tx.noOutbox("restore")
	case r.refused != nil:
		result.Refused = refuse(r.refused)
		return nil, result.refuse(r.refused)
	case r.missed(w):
		r.deeds = append(r.deeds, Deed{What: session.OriginTrade, Reason: "at this very moment", At: tx.p.srv.ss.Now(), Revision: tx.Revision() - 1})
	}
	result.tell(r.deeds, r.more)
	if len(r.deeds) > 0 && !r.Despite {
		result.Unmade = true
		return nil, result.refuse(ErrDeeds)
	}
	var err error
	if result.Changed, err = restoreInto(tx, r); err != nil {
		result.Deeds, result.Refused = nil, refuse(err)
		return nil, result.refuse(err)
	}
	if result.Changed == 0 {
		m.came = "nothing to change"
	} else {
		tx.Origin(session.OriginRestore)
	}
	return strict.Marshal(result)
}

// missed reports whether there was a deed after the history was read. An exchange that
// was read there may have come into the session's memory later.
func (r *restoring) missed(w *session.Tx) bool {
	came := w.Origins() - r.origins
	if slices.ContainsFunc(r.deeds, func(d Deed) bool { return d.Version == w.Version() }) && came > 0 {
		came--
	}
	return came > 0
}

// restoreInto puts the data of an old version in place of the profile's, in an update,
// and returns how many paths it has changed. If it fails the update fails, and nothing
// has changed.
//
// What was noted of migrations (~schema) goes back with the data; those that were due
// of it have been run on it by now. The list of save slots stays, as it says where other
// entries are, and so does the slot that is loaded: if it is another one than was
// loaded in the version, the version's slot is put where it is parked.
func restoreInto(tx *Tx, r *restoring) (changed int, err error) {
	now, p := tx.w.Document(), tx.p
	apart, err := slotApart(now, r.old, p.schema)
	if err != nil {
		return 0, err
	}
	target, err := restored(now, r.old, apart, p.srv.limits())
	if err != nil {
		return 0, err
	}
	if _, err := detached(p.srv, p.key, target); err != nil {
		return 0, err
	}
	delta := document.Diff(now, target)
	if err := tx.replay(delta); err != nil || apart == nil {
		return len(delta), err
	}
	parked, err := r.restoreParked(tx, apart)
	return len(delta) + parked, err
}

// restoreParked puts the version's slot where it is parked, unless that is what is parked
// there, and returns how many of its fields it has changed. One that the player has
// deleted gets it too, for as long as it can be undeleted. One that is gone stays gone.
func (r *restoring) restoreParked(tx *Tx, apart *apartSlot) (changed int, err error) {
	if !apart.kept {
		return 0, nil
	}
	b, err := tx.slotBook()
	if err != nil {
		return 0, err
	}
	s := b.index.slot(apart.id)
	fields, err := fieldsOf(r.old, apart.fields, tx.p.srv.limits())
	if err == nil {
		err = tx.p.fits(fields)
	}
	if err != nil {
		return 0, tx.p.slotErr(s.ID, err)
	}
	changed = len(document.Diff(new(document.Document), fields))
	if r.parked != nil && r.stamp == s.Stamp {
		if changed = len(document.Diff(r.parked, fields)); changed == 0 {
			return 0, nil
		}
	}
	if err := b.store(s, fields); err != nil {
		return 0, tx.p.slotErr(s.ID, err)
	}
	return max(changed, 1), tx.keepSlots(b)
}

func (p *Profile) slotErr(id string, err error) error {
	return &SlotError{Key: p.key, Slot: id, Err: err}
}

// apartSlot is the save slot that was loaded in a version, if it is not loaded now: its
// fields must not come into another one's.
type apartSlot struct {
	id     string   // empty: none was loaded
	kept   bool     // it is there now, or can be undeleted
	fields []string // that are per slot, now or then
}

// slotApart returns the slot of an old document, or nil if it is loaded now, or there are
// no slots. A document from before there were slots has the first one's.
func slotApart(now, old *document.Document, s *Schema) (*apartSlot, error) {
	x, err := readSlots(now, s)
	if x == nil || err != nil {
		return nil, err
	}
	y, err := readSlots(old, s)
	if err != nil {
		return nil, err
	}
	apart := &apartSlot{id: FirstSlot, fields: append([]string{slotSchemaPath.Field}, x.rules.Fields...)}
	if y != nil {
		apart.id, apart.fields = y.loaded, append(apart.fields, y.rules.Fields...)
	}
	if apart.id == x.loaded {
		return nil, nil
	}
	apart.kept = x.slot(apart.id) != nil
	return apart, nil
}

// PlanRestore returns what a restore would change of a document, migrations aside: to
// show it before. Neither document changes. If another save slot is loaded now than was
// in the old one, it returns the id of that one too, whose fields would be put where it
// is parked.
func PlanRestore(now, old *document.Document) (delta document.Delta, parked string, err error) {
	apart, err := slotApart(now, old, nil)
	if err != nil {
		return nil, "", err
	}
	target, err := restored(now, old, apart, &anySize)
	if err != nil {
		return nil, "", err
	}
	if apart != nil && apart.kept {
		parked = apart.id
	}
	return document.Diff(now, target), parked, nil
}

// staying are the fields that a restore leaves as they are: they do not say what the
// player has, but where other entries of his are.
var staying = []string{slotsField}

// restored returns the document that a restore of old makes of now, within the limits of
// today. Of a slot that is apart nothing comes into it.
func restored(now, old *document.Document, apart *apartSlot, l *document.Limits) (*document.Document, error) {
	target, err := document.Parse(old.AppendJSON(nil), l)
	if err != nil {
		return nil, err
	}
	stay := staying
	if apart != nil {
		stay = append(slices.Clone(staying), apart.fields...)
	}
	for _, name := range stay {
		path := document.Field(name)
		if value, ok := now.Get(path); !ok {
			target.Delete(path)
		} else if _, err := target.Set(path, value); err != nil {
			return nil, err
		}
	}
	return target, nil
}

// resultOf is what the audit log says of a message that has come to its end.
func (m *Message) resultOf(o *storedOutcome) string {
	switch {
	case o.Error != "":
		return audit.Clean("failed: "+o.Error, audit.MaxResult)
	case o.refused != "":
		return audit.Clean("refused: "+strings.ReplaceAll(o.refused, "\n", " "), audit.MaxResult)
	case m.came != "":
		return m.came
	}
	return audit.Done
}
