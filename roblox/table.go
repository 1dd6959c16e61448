package roblox

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxLists is how many empty lists of one entry are named.
const maxLists = 100

// mostDigits is how many digits a whole number has at most that is written anew
// without its exponent: an int64 has no more.
const mostDigits = 19

// table copies JSON as Roblox stores it into JSON as Holdfast stores it, and
// refuses what no table of Roblox holds.
type table struct {
	dec   *jsontext.Decoder
	out   []byte
	maps  [][]string
	path  []string // of what is read now
	lists []string
}

// convert copies one value. Path is where it stands among the fields.
func convert(value []byte, o *Options, path ...string) ([]byte, []string, error) {
	t := &table{
		dec:  jsontext.NewDecoder(bytes.NewReader(value)),
		out:  make([]byte, 0, len(value)),
		path: path,
	}
	for _, m := range o.Maps {
		t.maps = append(t.maps, strings.Split(m, "/"))
	}
	if err := t.value(); err != nil {
		return nil, nil, wrong("%w", err)
	}
	if _, err := t.dec.ReadToken(); err == nil {
		return nil, nil, wrong("something follows the value, at offset %d", t.dec.InputOffset())
	}
	return t.out, t.lists, nil
}

// value copies the value that comes next.
func (t *table) value() error {
	switch t.dec.PeekKind() {
	case '{':
		return t.object()
	case '[':
		return t.array()
	case '0':
		return t.number()
	}
	text, err := t.dec.ReadValue()
	if err != nil {
		return err
	}
	if text.Kind() == 'n' {
		return fmt.Errorf("null at %s: a table holds no nil", t.place())
	}
	t.out = append(t.out, text...)
	return nil
}

// place is where the decoder stands, as people read it.
func (t *table) place() string {
	if p := string(t.dec.StackPointer()); p != "" {
		return shown(p)
	}
	return "the top"
}

func (t *table) object() error {
	if _, err := t.dec.ReadToken(); err != nil {
		return err
	}
	t.out = append(t.out, '{')
	for first := true; t.dec.PeekKind() != '}'; first = false {
		name, err := t.dec.ReadToken()
		if err != nil {
			return err
		}
		if !first {
			t.out = append(t.out, ',')
		}
		text := name.String()
		if t.out, err = jsontext.AppendQuote(t.out, text); err != nil {
			return err
		}
		t.out = append(t.out, ':')
		if err := t.below(text); err != nil {
			return err
		}
	}
	t.out = append(t.out, '}')
	_, err := t.dec.ReadToken()
	return err
}

func (t *table) array() error {
	if _, err := t.dec.ReadToken(); err != nil {
		return err
	}
	start := len(t.out)
	t.out = append(t.out, '[')
	for first := true; t.dec.PeekKind() != ']'; first = false {
		if !first {
			t.out = append(t.out, ',')
		}
		if err := t.below("*"); err != nil {
			return err
		}
	}
	if _, err := t.dec.ReadToken(); err != nil {
		return err
	}
	if len(t.out) == start+1 && t.empty() {
		t.out = append(t.out[:start], "{}"...)
		return nil
	}
	t.out = append(t.out, ']')
	return nil
}

// below copies the value of a member or an element.
func (t *table) below(name string) error {
	t.path = append(t.path, name)
	err := t.value()
	t.path = t.path[:len(t.path)-1]
	return err
}

// empty reports whether the empty table at the path is a map, and notes it if it
// is not. At the top, the table of fields is one.
func (t *table) empty() bool {
	if len(t.path) == 0 {
		return true
	}
	escaped := make([]string, len(t.path))
	for i, p := range t.path {
		escaped[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	for _, m := range t.maps {
		if slices.EqualFunc(m, escaped, func(pattern, part string) bool { return pattern == "*" || pattern == part }) {
			return true
		}
	}
	if len(t.lists) < maxLists {
		if p := strings.Join(escaped, "/"); !slices.Contains(t.lists, p) {
			t.lists = append(t.lists, p)
		}
	}
	return false
}

// number copies a number, a whole one without fraction and exponent.
func (t *table) number() error {
	text, err := t.dec.ReadValue()
	if err != nil {
		return err
	}
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(x, 0) {
		return fmt.Errorf("the number %s at %s is infinite for Roblox", shown(string(text)), t.place())
	}
	if bytes.ContainsAny(text, ".eE") && x == math.Trunc(x) && math.Abs(x) < math.MaxInt64 {
		if whole, ok := new(big.Rat).SetString(string(text)); ok && whole.IsInt() && len(whole.Num().String()) <= mostDigits {
			t.out = whole.Num().Append(t.out, 10)
			return nil
		}
	}
	t.out = append(t.out, text...)
	return nil
}

// fields reads a table that holds the fields.
func fields(value []byte, what string, o *Options) (map[string]stdjson.RawMessage, []string, error) {
	switch jsontext.Value(value).Kind() {
	case '{':
	case '[':
		if !emptyTable(value) {
			return nil, nil, wrong("%s is a list, not a table of fields", what)
		}
		return map[string]stdjson.RawMessage{}, nil, nil
	case '"':
		return nil, nil, wrong("%s is a string, not a table of fields: it may be compressed, or JSON inside of JSON", what)
	default:
		return nil, nil, wrong("%s is not a table of fields", what)
	}
	text, lists, err := convert(value, o)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	members, err := split(text, what)
	if err != nil {
		return nil, nil, err
	}
	all := make(map[string]stdjson.RawMessage, len(members))
	for name, v := range members {
		if err := checkField(name); err != nil {
			return nil, nil, err
		}
		all[name] = stdjson.RawMessage(v)
	}
	return all, lists, nil
}

// checkField refuses the names that are Holdfast's own.
func checkField(name string) error {
	if strings.HasPrefix(name, "~") {
		return wrong("the field %s: names that begin with ~ are Holdfast's own", shown(name))
	}
	return nil
}

// emptyTable reports whether a value is a table without anything in it.
func emptyTable(value []byte) bool {
	s := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, string(value[:min(len(value), 64)]))
	return s == "[]" || s == "{}"
}
