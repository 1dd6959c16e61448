package profile

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// Tx is one update of a profile under way. What it reads includes what it has
// written. It ends with the function that it was given to; afterwards writes
// return ErrTxEnded, and reads are those of the profile.
type Tx struct {
	p       *Profile
	w       writer
	err     error // the first write that was refused
	over    bool
	listens bool // somebody listens to changes
	taps    []*Tap
	direct  bool // the changes are delivered to these listeners
	to      []*listener
	*ledger // nil when the update is over
}

// ledger is what an update notes as it goes. Ledgers are used again, which a
// Tx is not: it must remain to say that it is over.
type ledger struct {
	undo     []undo // in the order of the writes
	changes  changes
	volatile localTx // what it did to volatile fields
	bounded  []int   // positions of fields with a MaxLen that were written
	text     []byte  // room for the encoding of a number
	origin   *origin // nil unless it is a change that somebody asked for by id

	slotsChanged bool        // the state of the save slots was another one before
	slotsWere    *slotState  // that one
	slotSwitched *SlotSwitch // what is told of a switch of the save slot
}

var ledgers = sync.Pool{New: func() any { return new(ledger) }}

func newTx(p *Profile) *Tx { return &Tx{p: p, ledger: ledgers.Get().(*ledger)} }

// keptWrites bounds the ledgers that are used again.
const keptWrites = 256

// free gives the ledger back. The update is over, kept or taken back.
func (tx *Tx) free() {
	l := tx.ledger
	tx.ledger, tx.w = nil, nil
	if cap(l.undo) > keptWrites || cap(l.changes.list) > keptWrites || cap(l.volatile.undo) > keptWrites {
		return
	}
	clear(l.undo)
	clear(l.changes.list)
	clear(l.volatile.undo)
	*l = ledger{
		undo: l.undo[:0], changes: changes{list: l.changes.list[:0]}, volatile: localTx{undo: l.volatile.undo[:0]},
		bounded: l.bounded[:0], text: l.text,
	}
	ledgers.Put(l)
}

// writer is a session's Tx, or what stands for it in an errored profile.
type writer interface {
	Document() *document.Document
	Put(p document.Path, value []byte, lazy bool) (prev, kept []byte, err error)
	Delete(p document.Path, lazy bool) error
}

// undo is what a slot held before.
type undo struct {
	sl  *slot
	n   int64
	ref *any
}

// Profile returns the profile that is updated.
func (tx *Tx) Profile() *Profile { return tx.p }

// Err returns nil, or the first refusal of a write: the update will fail with
// it whatever its function returns, and further writes are not tried.
func (tx *Tx) Err() error { return tx.err }

func (tx *Tx) begin() *Profile {
	if tx.over {
		return tx.p.begin()
	}
	return tx.p
}

func (tx *Tx) end() {
	if tx.over {
		tx.p.end()
	}
}

func (tx *Tx) openDocument() *document.Document {
	if tx.over {
		return tx.p.openDocument()
	}
	return tx.w.Document()
}

func (tx *Tx) closeDocument() {
	if tx.over {
		tx.p.closeDocument()
	}
}

// position returns the position of a field that is about to be written.
func (tx *Tx) position(f *field, element string) (int, error) {
	if tx.over {
		return 0, fmt.Errorf("write field %q of %v: %w", f.name, tx.p.key, ErrTxEnded)
	}
	if tx.err != nil {
		return 0, tx.err
	}
	i := tx.p.schema.position(f)
	if i < 0 {
		return 0, tx.refuse(f, element, ErrUnknownField)
	}
	if st := tx.p.slotted; st != nil && st.per[i] {
		if err := tx.admitSlot(f, element); err != nil {
			return 0, err
		}
	}
	return i, nil
}

// refuse fails the update, and returns the error that it fails with.
func (tx *Tx) refuse(f *field, element string, reason error) error {
	if tx.over {
		return fmt.Errorf("write field %q of %v: %w", f.name, tx.p.key, ErrTxEnded)
	}
	if tx.err == nil {
		tx.err = &RefusedError{Key: tx.p.key, Field: f.name, Element: element, Reason: reason}
	}
	return tx.err
}

// touch returns a slot that is about to be changed, and sees to its undoing.
func (tx *Tx) touch(i int) *slot {
	sl := &tx.p.slots[i]
	tx.note(sl, sl.ref.Load())
	return sl
}

// touchElements is touch for a slot whose decoded elements are changed one by
// one: undoing forgets all of them.
func (tx *Tx) touchElements(i int) *slot {
	sl := &tx.p.slots[i]
	tx.note(sl, nil)
	return sl
}

func (tx *Tx) note(sl *slot, ref *any) {
	if n := len(tx.undo); n == 0 || tx.undo[n-1].sl != sl {
		tx.undo = append(tx.undo, undo{sl, sl.n, ref})
	}
}

// set stores a copy of a value, which is compact JSON.
func (tx *Tx) set(f *field, path document.Path, value []byte) error {
	if err := tx.inVain(f); err != nil {
		return tx.refuse(f, path.Element, err)
	}
	old, kept, err := tx.writerOf(f).Put(path, value, f.settings.lazy)
	if err != nil {
		return tx.refuse(f, path.Element, err)
	}
	if tx.p.schema.derived != nil {
		tx.p.stale(f)
	}
	if f.settings.maxLen != nil {
		tx.wrote(f)
	}
	if tx.collects() {
		tx.changes.add(tx.p, tx.fieldOf(f), path, old, kept)
	}
	return nil
}

// delete removes what is stored under a path.
func (tx *Tx) delete(f *field, path document.Path) error {
	var old []byte
	if tx.collects() {
		old, _ = tx.documentOf(f).Get(path)
	}
	if err := tx.writerOf(f).Delete(path, f.settings.lazy); err != nil {
		return tx.refuse(f, path.Element, err)
	}
	if tx.p.schema.derived != nil {
		tx.p.stale(f)
	}
	if f.settings.maxLen != nil {
		tx.wrote(f)
	}
	if old != nil {
		tx.changes.add(tx.p, tx.fieldOf(f), path, old, nil)
	}
	return nil
}

// collects reports whether the changes are told to somebody.
func (tx *Tx) collects() bool { return tx.listens || tx.taps != nil }

func (tx *Tx) fieldOf(f *field) Field { return tx.p.schema.fields[tx.p.schema.position(f)] }

// holds reports whether the document has exactly this value of the field under the
// path.
func (tx *Tx) holds(f *field, path document.Path, value []byte) bool {
	old, ok := tx.documentOf(f).Get(path)
	return ok && bytes.Equal(old, value)
}

// takeBack takes back what the update did beside what the writer has written.
func (tx *Tx) takeBack() {
	tx.volatile.rollback()
	tx.p.staleAll()
	for i := len(tx.undo) - 1; i >= 0; i-- {
		u := &tx.undo[i]
		u.sl.n = u.n
		u.sl.ref.Store(u.ref)
	}
	if tx.slotsChanged {
		tx.p.slotted = tx.slotsWere
	}
}

// rollback takes back all that the updates did.
func rollback(txs ...*Tx) {
	for _, tx := range txs {
		tx.takeBack()
		if l, ok := tx.w.(*localTx); ok {
			l.rollback()
		}
	}
	if ws := sessionTxs(txs); len(ws) > 0 {
		session.Rollback(ws...)
	}
	free(txs)
}

func free(txs []*Tx) {
	for _, tx := range txs {
		tx.free()
	}
}

// commit keeps what the updates did, or takes it all back with an error. When
// the profiles are unlocked, deliver must be called.
func commit(durable bool, txs ...*Tx) error {
	grown := make([]measured, 0, 1)
	for _, tx := range txs {
		grown = append(grown, tx.measure())
	}
	if ws := sessionTxs(txs); len(ws) > 0 {
		for _, tx := range txs {
			tx.origin.begin(tx)
		}
		if err := session.Commit(durable, ws...); err != nil {
			for _, tx := range txs {
				tx.origin.undo(tx)
				tx.takeBack()
			}
			free(txs)
			return fmt.Errorf("update %v: %w", txs[0].p.key, err)
		}
	}
	for i, tx := range txs {
		tx.origin.end(tx)
		tx.p.grow(tx, grown[i])
		tx.tellTaps()
		if tx.listens && len(tx.changes.list) > 0 {
			tx.to, tx.direct = tx.p.extras().events.accept(tx.changes.list, tx.p.srv.opts.ManualEvents)
		}
		if tx.slotSwitched != nil {
			tx.p.extras().events.queueSlot(tx.slotSwitched)
		}
	}
	return nil
}

// deliver tells the listeners what committed updates have changed, or leaves
// it to who is telling them already. If a listener panics, what it keeps from
// being told stays queued.
func deliver(txs ...*Tx) {
	told := 0
	defer func() {
		for _, tx := range txs[told:] {
			if tx.direct {
				tx.p.extras().events.putBack(tx.changes.list, tx.to)
			}
		}
	}()
	for _, tx := range txs {
		told++
		switch {
		case tx.direct:
			tx.p.extras().events.deliverDirect(tx.changes.list, tx.to)
		case (tx.listens || tx.slotSwitched != nil) && !tx.p.srv.opts.ManualEvents:
			tx.p.extras().events.drain()
		}
		tx.free()
	}
}

func sessionTxs(txs []*Tx) []*session.Tx {
	ws := make([]*session.Tx, 0, 1)
	for _, tx := range txs {
		if w, ok := tx.w.(*session.Tx); ok {
			ws = append(ws, w)
		}
	}
	return ws
}

// localTx writes into a document that is never saved: of an errored profile, of a
// copy, or of volatile fields.
type localTx struct {
	doc  *document.Document
	undo document.Delta
}

func (l *localTx) Document() *document.Document { return l.doc }

func (l *localTx) Put(p document.Path, value []byte, _ bool) (prev, kept []byte, err error) {
	field := document.Field(p.Field)
	if p.Deep && !l.doc.Has(field) {
		l.undo = append(l.undo, document.Change{Path: field}) // it begins with this element
	}
	prev, kept, err = l.doc.Put(p, value)
	if err == nil {
		l.undo = append(l.undo, document.Change{Path: p, Value: prev})
	}
	return prev, kept, err
}

func (l *localTx) Delete(p document.Path, _ bool) error {
	if prev := l.doc.Delete(p); prev != nil {
		l.undo = append(l.undo, document.Change{Path: p, Value: prev})
	}
	return nil
}

func (l *localTx) rollback() {
	for i := len(l.undo) - 1; i >= 0; i-- {
		c := l.undo[i]
		if c.Value == nil {
			l.doc.Delete(c.Path)
			continue
		}
		if _, err := l.doc.Set(c.Path, c.Value); err != nil {
			return // it was there before, so it fits; nothing of this is saved
		}
	}
}
