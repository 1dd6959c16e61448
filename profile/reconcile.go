package profile

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
)

// Reconcile gives a Value that is not of a struct type what one has that is: members
// that a stored object lacks read as the default's, at every depth of objects inside
// of objects. What is stored stays as it is, be it zero, empty or null, and lists are
// taken whole. A member that was deleted therefore reads as the default's again: set it
// to null instead. It is for a Value of the type any, json.RawMessage, or a map whose
// keys are texts.
func Reconcile() FieldOption { return func(s *settings) { s.reconcile = true } }

// canReconcile reports whether a Value of a type may have the option Reconcile.
func canReconcile(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Map:
		return t.Key().Kind() == reflect.String && !marshals(t)
	}
	return t == reflect.TypeFor[json.RawMessage]() || t == reflect.TypeFor[jsontext.Value]()
}

// overDefault returns a stored value with those members of the default that it lacks:
// itself if it lacks none.
func overDefault(value, def []byte) []byte {
	if !isObject(value) || !isObject(def) {
		return value
	}
	var into patch
	has := membersOf(value)
	for name, d := range document.Members(def) {
		v, ok := has[name]
		if !ok {
			into.add(name, d)
		} else if full := overDefault(v, d); len(full) != len(v) {
			into.replace(name, full)
		}
	}
	return into.apply(value)
}

func membersOf(value []byte) map[string][]byte {
	all := make(map[string][]byte)
	for name, v := range document.Members(value) {
		all[name] = v
	}
	return all
}

// patch is what is to be changed of a JSON object that keeps the order of its members.
type patch struct {
	replaced map[string][]byte
	added    []document.Member
}

func (p *patch) add(name string, value []byte) {
	p.added = append(p.added, document.Member{Name: name, Value: value})
}

func (p *patch) replace(name string, value []byte) {
	if p.replaced == nil {
		p.replaced = make(map[string][]byte)
	}
	p.replaced[name] = value
}

// apply returns the changed object: itself if nothing changes.
func (p *patch) apply(value []byte) []byte {
	if p.replaced == nil && p.added == nil {
		return value
	}
	text := []byte{'{'}
	for name, v := range document.Members(value) {
		if other, ok := p.replaced[name]; ok {
			v = other
		}
		text = appendMember(text, name, v)
	}
	for _, m := range p.added {
		text = appendMember(text, m.Name, m.Value)
	}
	return append(text, '}')
}

func appendMember(text []byte, name string, value []byte) []byte {
	if len(text) > 1 {
		text = append(text, ',')
	}
	// It was a name in a document, so it is valid.
	text, _ = jsontext.AppendQuote(text, name)
	return append(append(text, ':'), value...)
}

// checkReconcile fails a Value whose type cannot have the option.
func (f *field) checkReconcile(t reflect.Type) {
	if f.settings.reconcile && !canReconcile(t) {
		f.fail(fmt.Errorf("%w: field %q: Reconcile is for a Value of any, json.RawMessage or a map; "+
			"one of a struct needs no option, others have no members", ErrSchema, f.name))
	}
}
