package profile

import (
	stdencoding "encoding"
	stdjson "encoding/json"
	"reflect"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
)

// layout is what a Go type reads of a JSON object. While a rollout is under way, servers
// of two versions write the same players, and the older one's types lack members
// that the newer one stores: what a type does not read must survive that it writes.
// So when a value takes the place of another, members of that which the type does
// not know are carried over, at every depth of structs in structs and of maps.
//
// It errs to one side only: a member that the type might read is never carried, as
// the stored one and the new one would both be read the next time. So a nil layout,
// of which nothing is carried, is that of every type whose reading is its own affair.
type layout struct {
	names map[string]*layout // of a struct: its members by folded name
	each  *layout            // of a map: of all its members, and there are no names
}

// layoutOf returns the layout of a type.
func layoutOf(t reflect.Type) *layout { return layouts{}.of(t) }

// layouts are those of the structs that are being looked at, which may hold themselves.
type layouts map[reflect.Type]*layout

func (all layouts) of(t reflect.Type) *layout {
	if marshals(t) || unmarshals(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return all.of(t.Elem())
	case reflect.Map:
		if each := all.of(t.Elem()); each != nil && t.Key().Kind() == reflect.String {
			return &layout{each: each}
		}
	case reflect.Struct:
		l, ok := all[t]
		if !ok {
			l = &layout{names: make(map[string]*layout)}
			all[t] = l
			if !all.fill(l, t, 0) {
				*l = layout{} // others may have it already
			}
		}
		return l
	}
	return nil
}

// maxEmbedded is how deep structs are followed that are embedded in structs, which may
// be without end.
const maxEmbedded = 16

// fill enters the members of a struct, and reports whether they could be told.
func (all layouts) fill(l *layout, t reflect.Type, depth int) bool {
	if depth > maxEmbedded {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-" || !f.IsExported() && !f.Anonymous:
		case strings.ContainsAny(name, `'"\`) || unusual(options):
			return false
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			if marshals(inner) || unmarshals(inner) || !all.fill(l, inner, depth+1) {
				return false
			}
		default:
			if name == "" {
				name = f.Name
			}
			name = fold(name)
			if _, twice := l.names[name]; twice {
				l.names[name] = nil
			} else {
				l.names[name] = all.of(f.Type)
			}
		}
	}
	return true
}

// unusual reports whether a member's options say more than encoding/json knows.
func unusual(options string) bool {
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "", "omitempty", "omitzero", "string":
		default:
			return true
		}
	}
	return false
}

// unmarshals reports whether a type decodes itself.
func unmarshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, own := range []reflect.Type{
		reflect.TypeFor[stdjson.Unmarshaler](), reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[stdencoding.TextUnmarshaler](),
	} {
		if t.Implements(own) || p.Implements(own) {
			return true
		}
	}
	return false
}

// fold returns what names have in common that may be read as one: letters are alike in
// either case, and what stands between words does not matter.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// carry returns value with the members of old that the type does not know: itself if
// there are none.
func (l *layout) carry(old, value []byte) []byte {
	if l == nil || !isObject(old) || !isObject(value) {
		return value
	}
	var into patch
	var has map[string]document.Member
	for name, v := range document.Members(old) {
		inner := l.each
		if l.names != nil {
			known := false
			if inner, known = l.names[fold(name)]; !known {
				into.add(name, v)
				continue
			}
		}
		if inner == nil || !isObject(v) {
			continue
		}
		if has == nil {
			has = l.members(value)
		}
		now := has[l.key(name)]
		if full := inner.carry(v, now.Value); len(full) != len(now.Value) {
			into.replace(now.Name, full)
		}
	}
	return into.apply(value)
}

// key returns what tells a member of an object: of a map, its very name.
func (l *layout) key(name string) string {
	if l.names != nil {
		return fold(name)
	}
	return name
}

// members returns the members of an object by their keys.
func (l *layout) members(value []byte) map[string]document.Member {
	all := make(map[string]document.Member)
	for name, v := range document.Members(value) {
		all[l.key(name)] = document.Member{Name: name, Value: v}
	}
	return all
}

// carryAll is carry for elements of a list, from an index of the old list on.
func (l *layout) carryAll(old []byte, from int, texts []jsontext.Value) error {
	var all []jsontext.Value
	if err := json.Unmarshal(old, &all); err != nil {
		return err
	}
	for i, text := range texts {
		texts[i] = l.carry(all[from+i], text)
	}
	return nil
}
