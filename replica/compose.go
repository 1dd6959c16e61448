package replica

import (
	"bytes"

	"github.com/holdfast-games/holdfast/profile"
)

// makeLocked makes the frames of what has happened since the last ones. The profile
// is locked for reading.
func (st *stream) makeLocked(r profile.Reader) {
	var ops operations
	derived := make(map[int]bool)
	for _, m := range st.marks.fields {
		st.fieldLocked(&ops, r, m)
		for _, i := range st.srv.shape.derived[m.field] {
			derived[i] = true
		}
	}
	if len(derived) > 0 {
		st.derivedLocked(&ops, r, derived)
	}
	st.marks.clear()
	if len(ops.text) > 0 {
		st.pushLocked(ops.frame(st.revision + 1))
	}
	if st.saved {
		st.saved = false
		st.pushLocked(savedFrame(st.revision+1, st.saveError))
	}
}

// fieldLocked tells what a field, or the elements of it that were marked, hold now.
func (st *stream) fieldLocked(ops *operations, r profile.Reader, m *fieldMark) {
	f := st.srv.shape.fields[m.field]
	if m.whole || !st.shown[m.field] || st.p.Private(f) {
		st.wholeLocked(ops, r, m.field)
		return
	}
	for _, name := range m.elements {
		value, ok := f.ElementJSON(r, name)
		switch {
		case ok:
			ops.add(value, f.Name(), name)
		case m.had[name]:
			ops.remove(f.Name(), name)
		}
	}
}

// wholeLocked tells what a field holds now, or that it is not shown any more.
func (st *stream) wholeLocked(ops *operations, r profile.Reader, i int) {
	f := st.srv.shape.fields[i]
	value, ok := st.readLocked(r, i)
	switch {
	case ok:
		ops.add(value, f.Name())
	case st.shown[i]:
		ops.remove(f.Name())
	}
	st.shown[i] = ok
}

// readLocked returns what clients see of a field, and false if they see nothing: it is
// private, or cannot be encoded.
func (st *stream) readLocked(r profile.Reader, i int) ([]byte, bool) {
	f := st.srv.shape.fields[i]
	if st.p.Private(f) {
		return nil, false
	}
	value, err := f.JSON(r)
	if err != nil {
		st.srv.opts.Logger.Error("a field is not shown to clients", "key", st.p.Key().String(), "field", f.Name(), "err", err)
		return nil, false
	}
	return value, true
}

// derivedLocked tells the computed fields that have another value than the client has.
func (st *stream) derivedLocked(ops *operations, r profile.Reader, which map[int]bool) {
	for i, f := range st.srv.shape.fields {
		if !which[i] || st.marks.at[i] != nil {
			continue // it was not touched, or is told as a whole
		}
		value, ok := st.readLocked(r, i)
		if ok && st.shown[i] && !st.srv.shape.grows[i] && bytes.Equal(value, st.computed[i]) {
			continue
		}
		switch {
		case ok:
			ops.add(value, f.Name())
		case st.shown[i]:
			ops.remove(f.Name())
		}
		st.shown[i], st.computed[i] = ok, value
	}
}

// stateLocked returns the state, after makeLocked. The profile is locked for reading.
// What is shown at this revision is what the frames say is shown: a field that is
// being made private goes with the next one.
func (st *stream) stateLocked(r profile.Reader) Frame {
	fields := []byte{'{'}
	for i, f := range st.srv.shape.fields {
		if !st.shown[i] {
			continue
		}
		value, ok := st.readLocked(r, i)
		if !ok {
			value = []byte("null") // it is about to go
		}
		if len(fields) > 1 {
			fields = append(fields, ',')
		}
		fields = append(append(appendText(fields, f.Name()), ':'), value...)
		if st.srv.shape.computed[i] {
			st.computed[i] = value
		}
	}
	text := append([]byte(`{"type":"state","epoch":"`), st.epoch...)
	text = appendNumber(append(text, `","rev":`...), st.revision)
	text = appendNumber(append(text, `,"ping":`...), uint64(st.srv.opts.Ping.Milliseconds()))
	if err := st.p.Err(); err != nil {
		text = appendCode(append(text, `,"loadError":`...), codeOf(err))
	}
	if st.saveError != "" {
		text = appendCode(append(text, `,"saveError":`...), st.saveError)
	}
	text = append(append(text, `,"fields":`...), fields...)
	return Frame{Type: TypeState, Revision: st.revision, Text: append(text, `}}`...)}
}

// pushLocked puts a frame into the ring, of which the oldest go.
func (st *stream) pushLocked(f Frame) {
	st.revision = f.Revision
	st.ring = append(st.ring, f)
	st.bytes += len(f.Text) + frameCost
	drop := 0
	for st.bytes > st.srv.opts.Backlog && drop < len(st.ring)-1 {
		st.bytes -= len(st.ring[drop].Text) + frameCost
		drop++
	}
	if drop > 0 {
		n := copy(st.ring, st.ring[drop:])
		clear(st.ring[n:])
		st.ring = st.ring[:n]
	}
}
