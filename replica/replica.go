package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Replica is a client's copy of one player's public fields. Frames are applied to it,
// by a Client or by whoever has a connection of his own. All its methods are safe for
// concurrent use; only one goroutine at a time should Apply, as frames have an order.
//
// The functions that are registered are called by the goroutine that applies, once all
// of the frame has been applied, without a lock, in the order in which they were
// registered.
type Replica struct {
	mu        sync.Mutex // guards what follows
	at        Position
	placed    bool          // the server has said where this connection begins
	loaded    chan struct{} // closed when there is a state
	fields    map[string]json.RawMessage
	loadError Code
	saveError Code
	listeners []*listener // never changed in place
}

// listener is one function that was registered. Only one of the functions is set.
type listener struct {
	field   string
	updated func(json.RawMessage)
	loaded  func()
	saved   func(Code)
}

// NewReplica returns a replica that nothing is known of yet.
func NewReplica() *Replica { return &Replica{loaded: make(chan struct{})} }

// fromServer is a frame of the server.
type fromServer struct {
	Type      Type                       `json:"type"`
	Epoch     string                     `json:"epoch"`
	Rev       *uint64                    `json:"rev"`
	Ping      float64                    `json:"ping"`
	LoadError Code                       `json:"loadError"`
	SaveError Code                       `json:"saveError"`
	Error     Code                       `json:"error"`
	Reason    Reason                     `json:"reason"`
	Fields    map[string]json.RawMessage `json:"fields"`
	Ops       json.RawMessage            `json:"ops"`
}

// decodeFromServer reads a frame of a server. The error matches ErrFrame.
func decodeFromServer(text []byte) (f fromServer, err error) {
	fail := func(why string) (fromServer, error) { return fromServer{}, fmt.Errorf("%w: %s", ErrFrame, why) }
	if err := json.Unmarshal(text, &f); err != nil {
		return fail(err.Error())
	}
	needsRev, needsPing := false, false
	switch f.Type {
	case "":
		return fail("it has no type")
	case TypeState:
		needsRev, needsPing = true, true
		if f.Epoch == "" || len(f.Epoch) > maxEpoch || f.Fields == nil {
			return fail("a state without an epoch or fields")
		}
	case TypeChange:
		needsRev = true
		if len(f.Ops) == 0 {
			return fail("a change without operations")
		}
	case TypeResumed:
		needsRev, needsPing = true, true
	case TypeSaved:
		needsRev = true
	}
	if needsPing && f.Ping <= 0 {
		return fail("it does not say how often the server pings")
	}
	if needsRev && f.Rev == nil {
		return fail("it has no revision")
	}
	return f, nil
}

// Apply applies a frame. It returns nil for one that was applied, that came twice, or
// of a type that is not known; an error that matches ErrGap or ErrFrame, after which no
// field has changed, and of ErrFrame the position is gone; and an *EndedError for one of
// TypeEnd.
func (r *Replica) Apply(text []byte) error {
	f, err := decodeFromServer(text)
	if err == nil {
		_, err = r.apply(&f)
	}
	if errors.Is(err, ErrFrame) {
		r.forget()
	}
	return err
}

// apply applies a frame, and reports whether the server has said where the client
// stands.
func (r *Replica) apply(f *fromServer) (placed bool, err error) {
	var tell []func()
	switch f.Type {
	case TypeState:
		tell = r.begin(f)
		placed = true
	case TypeResumed:
		err = r.goOn(*f.Rev)
		placed = err == nil
	case TypeChange, TypeSaved:
		tell, err = r.follow(f)
	case TypeEnd:
		return false, &EndedError{Reason: f.Reason, Final: f.Reason.Final()}
	}
	for _, fn := range tell {
		fn()
	}
	return placed, err
}

// begin makes the replica what a state says, and returns what is to be told.
func (r *Replica) begin(f *fromServer) (tell []func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, first := r.fields, r.fields == nil
	r.at, r.placed, r.fields = Position{f.Epoch, *f.Rev}, true, f.Fields
	r.loadError, r.saveError = f.LoadError, f.SaveError
	if first {
		close(r.loaded)
	}
	for _, l := range r.listeners {
		switch {
		case l.loaded != nil && first:
			tell = append(tell, l.loaded)
		case l.updated != nil && !first && !sameValue(before[l.field], f.Fields[l.field]):
			tell = append(tell, l.update(f.Fields[l.field]))
		}
	}
	return tell
}

func (l *listener) update(value json.RawMessage) func() { return func() { l.updated(value) } }

// goOn notes that the server goes on from a revision. It has to be the one that it was
// told; coming with the same position again would get the same answer.
func (r *Replica) goOn(revision uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	twice := r.placed && revision < r.at.Revision
	if r.at.Epoch == "" || revision != r.at.Revision && !twice {
		return fmt.Errorf("%w: it goes on from %d, and the state is at %d", ErrFrame, revision, r.at.Revision)
	}
	r.placed = true
	return nil
}

// follow goes on by one revision, and returns what is to be told.
func (r *Replica) follow(f *fromServer) (tell []func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.placed: // its revision may be one of another epoch
		return nil, fmt.Errorf("%w: neither a state nor that the server goes on has come before it", ErrGap)
	case *f.Rev <= r.at.Revision:
		return nil, nil // it came twice
	case *f.Rev != r.at.Revision+1:
		return nil, fmt.Errorf("%w: it is of revision %d, and the state is at %d", ErrGap, *f.Rev, r.at.Revision)
	case f.Type == TypeSaved:
		r.at.Revision, r.saveError = *f.Rev, f.Error
		for _, l := range r.listeners {
			if l.saved != nil {
				tell = append(tell, func() { l.saved(f.Error) })
			}
		}
		return tell, nil
	}
	touched, err := patchFields(r.fields, f.Ops)
	if err != nil {
		return nil, fmt.Errorf("%w: revision %d: %w", ErrFrame, *f.Rev, err)
	}
	for _, l := range r.listeners {
		if value, ok := touched[l.field]; ok && l.updated != nil && !sameValue(r.fields[l.field], value) {
			tell = append(tell, l.update(value))
		}
	}
	r.at.Revision = *f.Rev
	for name, value := range touched {
		if value == nil {
			delete(r.fields, name)
			continue
		}
		r.fields[name] = value
	}
	return tell, nil
}

// Resume begins with a new connection, and returns the position to tell the server. What
// comes next has to be a state, or that the server goes on from there: what changed
// before that is a gap. For the first connection it need not be called.
func (r *Replica) Resume() Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.placed = false
	return r.at
}

// Position returns where the client stands.
func (r *Replica) Position() Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// forget makes the next connection begin with the state.
func (r *Replica) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.placed = Position{}, false
}

// Get reads the value of a field into what into points to, as encoding/json does. The
// error is ErrNoField if there is none, or encoding/json's.
func (r *Replica) Get(field string, into any) error {
	value, ok := r.JSON(field)
	if !ok {
		return fmt.Errorf("get %q: %w", field, ErrNoField)
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("get %q: %w", field, err)
	}
	return nil
}

// JSON returns the value of a field as it was sent, and false if there is none. It is
// shared and must not be changed.
func (r *Replica) JSON(field string) (json.RawMessage, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok := r.fields[field]
	return value, ok
}

// Fields iterates over the fields as they are when Fields is called, in the order of
// their names.
func (r *Replica) Fields() iter.Seq2[string, json.RawMessage] {
	r.mu.Lock()
	all := maps.Clone(r.fields)
	r.mu.Unlock()
	return func(yield func(string, json.RawMessage) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(name, all[name]) {
				return
			}
		}
	}
}

// HasLoaded reports whether a state has come.
func (r *Replica) HasLoaded() bool {
	select {
	case <-r.loaded:
		return true
	default:
		return false
	}
}

// LoadError returns why the player's data could not be loaded, as the last state says;
// empty if they could. The fields are defaults then, and are never saved.
func (r *Replica) LoadError() Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loadError
}

// SaveError returns why the last save failed; empty if it did not.
func (r *Replica) SaveError() Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.saveError
}

// OnUpdated calls fn with the new value of a field, nil if it is gone, after each frame
// that gave it another one; the order of an object's members makes no other value. Of the first state it is not called. It returns a function that
// ends this.
func (r *Replica) OnUpdated(field string, fn func(value json.RawMessage)) (cancel func()) {
	return r.listen(&listener{field: field, updated: fn})
}

// OnLoaded calls fn after the first state. If that has come already, fn is not called:
// see HasLoaded. It returns a function that ends this.
func (r *Replica) OnLoaded(fn func()) (cancel func()) { return r.listen(&listener{loaded: fn}) }

// OnSaved calls fn after each save that the server tells of, with why it failed, empty
// if it did not. It returns a function that ends this.
func (r *Replica) OnSaved(fn func(failed Code)) (cancel func()) {
	return r.listen(&listener{saved: fn})
}

func (r *Replica) listen(l *listener) (cancel func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(slices.Clip(r.listeners), l)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.listeners = slices.DeleteFunc(slices.Clone(r.listeners), func(o *listener) bool { return o == l })
	}
}
