package profile

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// Profile is what one player has, in memory, from Server.Open to Close.
type Profile struct {
	srv    *Server
	schema *Schema
	key    session.Key
	s      *session.Session // nil if the profile is errored or a copy
	failed *failed          // nil unless the profile is errored or a copy
	number uint64           // of its load, counted by the server

	// mu guards slots and grown, and is held for the whole of an update. It is taken
	// before the session's own lock, which guards the document.
	mu    sync.RWMutex
	slots []slot // by position in the schema
	// slotted is what writes ask of the save slots; nil: there are none. An update
	// that changes the index replaces it.
	slotted *slotState
	grown   growth

	volatile *volatiles // nil if the schema has no volatile fields

	watched    atomic.Bool            // somebody has ever listened to its changes, or tapped it
	kept       atomic.Bool            // the game has opened it, and not only borrowers
	slotChosen atomic.Bool            // a game that opened it has chosen the save slot
	ext        atomic.Pointer[extras] // what few profiles have
}

// failed is what a profile has in place of a session that is errored, or a
// copy.
type failed struct {
	err  error      // why it cannot be saved; ErrCopy for a copy
	mu   sync.Mutex // guards doc
	doc  *document.Document
	done chan struct{}

	revision uint64 // of a copy
}

// extras are what few profiles have.
type extras struct {
	events events
	taps   atomic.Pointer[[]*Tap] // nil: none

	mu        sync.Mutex // guards what follows
	meta      map[any]any
	private   map[*field]bool // as SetPrivate said
	closing   *closing
	handed    bool // given to another server
	borrowers int
	freezing  map[driver.Version]context.CancelCauseFunc // freezes that are not still yet; a closing ends them
	inbox     *inbox
	audience  *audience
	slotting  chan struct{} // taken while an operation on the save slots runs
	end       *End
}

func (p *Profile) extras() *extras {
	if x := p.ext.Load(); x != nil {
		return x
	}
	p.ext.CompareAndSwap(nil, &extras{})
	return p.ext.Load()
}

// newProfile decodes the document of a session, after what is to be done before
// that. The error is certain, or ctx has ended, or the older store or the session
// has failed; the profile is of no use then.
func newProfile(ctx context.Context, srv *Server, s *session.Session, t *todo) (*Profile, error) {
	p := &Profile{srv: srv, schema: srv.schema, key: s.Key(), s: s}
	if t.err != nil {
		return p, t.err
	}
	if t.slow() {
		if err := p.prepare(ctx, t); err != nil {
			return p, err
		}
	}
	s.Lock()
	defer s.Unlock()
	if !t.slow() {
		if err := p.loadSlots(s.Document()); err != nil {
			return p, err
		}
	}
	p.measureAll(s.Document())
	if p.schema.grows {
		s.TakeAlong(p.takeAlong)
	}
	return p, nil
}

// newErrored returns a profile on defaults whose load failed.
func newErrored(srv *Server, key session.Key, cause error) *Profile {
	p := &Profile{srv: srv, schema: srv.schema, key: key}
	p.failed = &failed{err: cause, doc: srv.emptyDocument(), done: make(chan struct{})}
	if err := p.loadSlots(p.failed.doc); err != nil {
		p.failed.err = fmt.Errorf("%w; %w", cause, err)
	}
	return p
}

func (p *Profile) loadSlots(d *document.Document) error {
	p.slots = make([]slot, len(p.schema.fields))
	if p.schema.volatile {
		p.volatile = &volatiles{doc: p.srv.emptyDocument()}
	}
	for i, f := range p.schema.fields {
		if err := loadFrom(d, f, &p.slots[i]); err != nil {
			return fmt.Errorf("load %v: %w", p.key, err)
		}
	}
	st, err := readSlotState(d, p.schema)
	if err != nil {
		return fmt.Errorf("load %v: %w", p.key, err)
	}
	p.slotted = st
	return nil
}

// loadFrom fills a slot with what the document holds of the field.
func loadFrom(d *document.Document, f Field, sl *slot) error {
	c := f.common()
	value, ok := d.Get(c.path)
	if !ok || !f.Stored() {
		value = nil
	}
	if c.elements != nil && isObject(value) {
		return decoding(f, value, func() error { return c.elements.loadFrom(d) })
	}
	return loadSlot(f, sl, value)
}

// loadSlot is f.load, for types whose own methods may panic on what they read.
func loadSlot(f Field, sl *slot, value []byte) error {
	return decoding(f, value, func() error { return f.load(sl, value) })
}

// decoding makes an error of it if what reads a value panics.
func decoding(f Field, value []byte, read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = f.common().wrongType("of its own", value, fmt.Errorf("decoding panicked: %v", r))
		}
	}()
	return read()
}

// Profile returns p, so that a *Profile is a Reader.
func (p *Profile) Profile() *Profile { return p }

// Key returns the profile's kind and id.
func (p *Profile) Key() session.Key { return p.key }

// ID returns the id under which the profile was opened.
func (p *Profile) ID() string { return p.key.ID }

// Schema returns the schema with which the profile was opened.
func (p *Profile) Schema() *Schema { return p.schema }

// Server returns the server that opened the profile.
func (p *Profile) Server() *Server { return p.srv }

// Session returns the session underneath, or nil if the profile is errored or a
// copy.
// Its document must not be changed past the profile.
func (p *Profile) Session() *session.Session { return p.s }

// Fresh reports whether nothing was stored for the player before this Open.
func (p *Profile) Fresh() bool { return p.s != nil && p.s.Fresh() }

// Err returns nil, or why the profile is errored: why its load failed. For the
// profile of a Copy it is ErrCopy. It never changes.
func (p *Profile) Err() error {
	if p.failed != nil {
		return p.failed.err
	}
	return nil
}

// Done is closed when the profile has ended, by Close or otherwise.
func (p *Profile) Done() <-chan struct{} {
	if p.failed != nil {
		return p.failed.done
	}
	return p.s.Done()
}

// CanSave reports whether a save would be attempted: the profile is neither
// errored nor ended, and its server is not suspended.
func (p *Profile) CanSave() bool {
	return p.failed == nil && !p.srv.Suspended() && !p.ended()
}

// Dirty reports whether there are changes, other than of Lazy fields, that
// are not saved.
func (p *Profile) Dirty() bool { return p.s != nil && p.s.Dirty() }

func (p *Profile) ended() bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// Save saves the profile and returns when everything up to here, Lazy fields and
// what a PlayTime has grown included, is in the player's root on disk. If nothing has
// changed it returns at once. If ctx ends first, the save goes on. An errored profile is
// ErrErrored.
func (p *Profile) Save(ctx context.Context) error {
	if p.failed != nil {
		return p.erroredErr("save")
	}
	return p.s.Save(ctx)
}

func (p *Profile) erroredErr(what string) error {
	if p.failed.err == ErrCopy {
		return fmt.Errorf("%s %v: %w", what, p.key, ErrCopy)
	}
	return fmt.Errorf("%s %v: %w: %w", what, p.key, ErrErrored, p.failed.err)
}

// View calls fn with a Reader that sees one moment: no update comes in
// between. Fn must be quick, as updates wait for it, and must not use the
// profile but through the Reader, which is of no use afterwards.
func (p *Profile) View(fn func(Reader)) {
	p.rlock()
	defer p.mu.RUnlock()
	holdView(p, fn)
}

// Meta returns what SetMeta has put under a key, or nil.
func (p *Profile) Meta(key any) any {
	x := p.ext.Load()
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.meta[key]
}

// SetMeta keeps a value of the game's own beside the profile, in memory, until
// the profile ends. The key must be comparable, and is best of a type of its
// own; a nil value removes it.
func (p *Profile) SetMeta(key, value any) {
	x := p.extras()
	x.mu.Lock()
	defer x.mu.Unlock()
	if value == nil {
		delete(x.meta, key)
		return
	}
	if x.meta == nil {
		x.meta = make(map[any]any)
	}
	x.meta[key] = value
}

// Private reports whether a field is hidden from clients in this profile: as
// SetPrivate said last, or else as the field was declared.
func (p *Profile) Private(f Field) bool {
	if x := p.ext.Load(); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if private, ok := x.private[f.common()]; ok {
			return private
		}
	}
	return f.Private()
}

// SetPrivate hides a field of this profile from clients, or shows it, until
// the profile ends. It is not stored.
func (p *Profile) SetPrivate(f Field, private bool) {
	x := p.extras()
	x.mu.Lock()
	if x.private == nil {
		x.private = make(map[*field]bool)
	}
	x.private[f.common()] = private
	x.mu.Unlock()
	for _, t := range x.tapped() {
		t.Switched(f)
	}
}

func (p *Profile) begin() *Profile {
	p.rlock()
	return p
}

func (p *Profile) end() { p.mu.RUnlock() }

// openDocument returns the document, locked also against other readers, as
// reading it may split fields.
func (p *Profile) openDocument() *document.Document {
	if p.failed != nil {
		p.failed.mu.Lock()
		return p.failed.doc
	}
	p.s.Lock()
	return p.s.Document()
}

func (p *Profile) closeDocument() {
	if p.failed != nil {
		p.failed.mu.Unlock()
		return
	}
	p.s.Unlock()
}

// saved returns what the player's root held of a field under a path when it was
// last saved, or nil.
func (p *Profile) saved(f *field, path document.Path) []byte {
	if p.failed != nil || f.settings.volatile {
		return nil
	}
	p.s.Lock()
	defer p.s.Unlock()
	value, _ := p.s.SavedValue(path)
	return value
}
