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
	// If are entries that must be at these versions when the restore is asked for, for
	// layers over this package. If one is not, the error is store.ErrConflict, and nothing
	// was asked for.
	If []driver.Check
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
	// Lost are the ids of save slots that stayed as they are, as nothing is kept of what was
	// parked of them then: it has expired, or cannot be read, or the slot was loaded soon
	// after the version, and session.Options.Retention keeps a later one of that span.
	Lost []string
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
// back together with the note that it did), and so does each save slot, whether it was
// loaded or parked then and is now; which one is loaded does not change, slots that were
// made since stay as they are, and so do those of Restored.Lost. It blocks until that is
// on disk. It is always an operator's act in the audit log: by the one whose Server.As it
// is, else by the server.
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
	out, err := srv.sendAndDeliver(ctx, id, m, false, o.If...)
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
	Lost    []string       `json:"lost_slots,omitempty"`
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
	return Restored{Changed: r.Changed, Revision: out.Revision, Before: r.Before, Deeds: deeds, More: r.More, Lost: r.Lost}, nil
}

// restoring is what was read for a restore.
type restoring struct {
	restoreBody
	old     *document.Document
	origins uint64 // of the session before anything was read
	deeds   []Deed
	more    bool
	refused error

	slots  *oldSlots
	loaded string               // the slot that was loaded when they were read
	parked map[string]parkedNow // by id, at that time
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
	r.old = v.Document
	if err := r.readSlots(ctx, p, v); err != nil {
		if errors.Is(err, driver.ErrUnavailable) || ctx.Err() != nil {
			return nil, err
		}
		r.refused = err
		return r, nil
	}
	if r.refused = r.migrateSlots(p); r.refused != nil {
		return r, nil
	}
	r.deeds, r.more, err = p.srv.deedsSince(ctx, p.key, v)
	return r, err
}

// handleRestore makes the update that a restore is.
func handleRestore(tx *Tx, m *Message) (json.RawMessage, error) {
	r, ok := m.Prepared().(*restoring)
	if !ok {
		return nil, fmt.Errorf("message %q was not prepared", m.ID)
	}
	result := &restoreResult{Version: r.Version}
	w, ok := tx.w.(*session.Tx)
	switch {
	case !ok:
		return nil, tx.noOutbox("restore")
	case r.refused != nil:
		result.Refused = refuse(r.refused)
		return nil, result.refuse(r.refused)
	}
	result.Before = w.Replaces() // not what was saved in the preparation: the schedule may have let go of that since
	if r.missed(w) {
		r.deeds = append(r.deeds, Deed{What: session.OriginTrade, Reason: "at this very moment", At: tx.p.srv.ss.Now(), Revision: tx.Revision() - 1})
	}
	result.tell(r.deeds, r.more)
	if len(r.deeds) > 0 && !r.Despite {
		result.Unmade = true
		return nil, result.refuse(ErrDeeds)
	}
	var err error
	if result.Changed, err = restoreInto(tx, r); errors.Is(err, ErrLater) {
		return nil, err
	} else if err != nil {
		result.Deeds, result.Refused = nil, refuse(err)
		return nil, result.refuse(err)
	}
	if r.slots != nil {
		result.Lost = r.slots.lost
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
// of it have been run on it by now.
func restoreInto(tx *Tx, r *restoring) (changed int, err error) {
	now, p := tx.w.Document(), tx.p
	if r.slots != nil && p.slotted.id() != r.loaded {
		return 0, fmt.Errorf("%w: a save slot was switched meanwhile", ErrLater)
	}
	target, err := restored(now, r.old, r.slots, r.loaded, p.srv.limits())
	if err != nil {
		return 0, err
	}
	if _, err := detached(p.srv, p.key, target); err != nil {
		return 0, err
	}
	delta := document.Diff(now, target)
	if err := tx.replay(delta); err != nil || r.slots == nil {
		return len(delta), err
	}
	parked, err := r.restoreParked(tx)
	return len(delta) + parked, err
}

// staying are the fields that a restore leaves as they are: they do not say what the
// player has, but where other entries of his are.
var staying = []string{slotsField}

// restored returns the document that a restore of old makes of now, within the limits of
// today. The fields of the slot that is loaded become what that slot's were; if that is not
// known, they stay.
func restored(now, old *document.Document, slots *oldSlots, loaded string, l *document.Limits) (*document.Document, error) {
	target, err := document.Parse(old.AppendJSON(nil), l)
	if err != nil {
		return nil, err
	}
	copied := func(from *document.Document, name string) error {
		path := document.Field(name)
		value, ok := from.Get(path)
		if !ok {
			target.Delete(path)
			return nil
		}
		_, err := target.Set(path, value)
		return err
	}
	for _, name := range staying {
		if err := copied(now, name); err != nil {
			return nil, err
		}
	}
	if slots == nil {
		return target, nil
	}
	then, known := slots.of(loaded)
	for _, name := range slots.per {
		from := then
		switch {
		case !known, then == nil && name == slotSchemaPath.Field: // an empty one needs no migration
			from = now
		case then == nil:
			from = new(document.Document)
		}
		if err := copied(from, name); err != nil {
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
