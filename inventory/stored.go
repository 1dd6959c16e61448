package inventory

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

// Stored form. An inventory is one field, an object of which each entry is an
// element:
//
//	"arrow":   {"n":64}
//	"arrow#2": {"n":12,"p":{"poisoned":true}}
//	"sword#…": {"p":{"durability":80},"h":{"to":"player/42","by":"boss 7"}}
//
// The key of the first stack of an item is the item's name. Those of others go on
// with '#' and a number from 2 up, and that of an instance with its id, which has 26
// characters, where no number has more than maxDigits. In the value, n is the amount
// of a stack, p the properties if there are any, h the history of an instance, and
// "at" the place, in an inventory of places. Members of other names are kept as they
// are.

// sep separates an item's name from what follows it in a key.
const sep = '#'

const (
	idLength  = 26
	maxDigits = 18
)

// keyParts is what a key says.
type keyParts struct {
	item   string
	number int64          // of a stack, from 1
	id     driver.Version // of an instance; zero for a stack
}

// splitKey reads an entry's key.
func splitKey(key string) (k keyParts, err error) {
	rest, more := "", false
	if k.item, rest, more = strings.Cut(key, string(sep)); len(k.item) > MaxName || k.item == "" {
		return k, checkName(k.item)
	}
	switch {
	case !more:
		k.number = 1
	case len(rest) == idLength:
		if k.id, err = driver.ParseVersion(rest); err != nil {
			return k, err
		}
	default:
		k.number, err = strconv.ParseInt(rest, 10, 64)
		if err != nil || k.number < 2 || len(rest) > maxDigits || strconv.FormatInt(k.number, 10) != rest {
			return k, fmt.Errorf("%w: key %.90q goes on after '#' with neither a number nor an id", ErrName, key)
		}
	}
	return k, nil
}

func stackKey(item string, number int64) string {
	if number == 1 {
		return item
	}
	return item + string(sep) + strconv.FormatInt(number, 10)
}

func instanceKey(item string, id driver.Version) string { return item + string(sep) + id.String() }

// stored is an entry's value.
type stored struct {
	n       int64  // of a stack
	props   []byte // JSON object, or nil
	history []byte // of an instance: JSON object
	at      string // the place, or empty
	rest    []byte // other members, each with a comma before it
}

// parseStored reads an entry's value, which is valid compact JSON.
func parseStored(value []byte) (s stored, err error) {
	if s, ok := parseUsual(value); ok {
		return s, nil
	}
	return parseMembers(value)
}

func parseMembers(value []byte) (s stored, err error) {
	if len(value) == 0 || value[0] != '{' {
		return s, fmt.Errorf("an entry is a JSON object, not %.40q", value)
	}
	for name, v := range document.Members(value) {
		switch {
		case name == "n":
			if s.n, err = parseAmount(v); err != nil {
				return s, err
			}
		case name == "p" && isObject(v):
			s.props = v
		case name == "h" && isObject(v):
			s.history = v
		case name == "at" && len(v) > 2 && v[0] == '"':
			text, err := jsontext.AppendUnquote(nil, v)
			if err != nil {
				return s, err
			}
			s.at = string(text)
		case name == "p", name == "h", name == "at":
			return s, fmt.Errorf("member %q is %.40q", name, v)
		default:
			s.rest = appendMember(append(s.rest, ','), name, v)
		}
	}
	return s, nil
}

// parseUsual is parseStored for what most entries are: an amount, and perhaps some flat
// properties. It returns false for anything else, good or not.
func parseUsual(value []byte) (s stored, ok bool) {
	rest, ok := bytes.CutPrefix(value, []byte(`{"n":`))
	if !ok {
		return s, false
	}
	i := 0
	for i < len(rest) && rest[i]-'0' <= 9 {
		i++
	}
	n, err := parseAmount(rest[:i])
	if err != nil {
		return s, false
	}
	rest = rest[i:]
	switch at := len(`,"p":`); {
	case len(rest) == 1:
		return stored{n: n}, true
	case !bytes.HasPrefix(rest, []byte(`,"p":{`)) || bytes.IndexByte(rest, '}') != len(rest)-2:
		return s, false // if the first brace is the last but one, it ends the properties
	default:
		return stored{n: n, props: rest[at : len(rest)-1 : len(rest)-1]}, true
	}
}

func isObject(v []byte) bool { return len(v) > 0 && v[0] == '{' }

// append appends the stored form, compact JSON.
func (s *stored) append(dst []byte) []byte {
	start := len(dst)
	if s.n > 0 {
		dst = strconv.AppendInt(append(dst, `,"n":`...), s.n, 10)
	}
	if s.props != nil {
		dst = append(append(dst, `,"p":`...), s.props...)
	}
	if s.history != nil {
		dst = append(append(dst, `,"h":`...), s.history...)
	}
	if s.at != "" {
		dst = appendQuoted(append(dst, `,"at":`...), s.at)
	}
	dst = append(dst, s.rest...)
	dst[start] = '{' // in place of the first comma: one of n and h is always there
	return append(dst, '}')
}

func appendMember(dst []byte, name string, value []byte) []byte {
	return append(append(appendQuoted(dst, name), ':'), value...)
}

// appendQuoted appends a text that is UTF-8.
func appendQuoted(dst []byte, text string) []byte {
	dst, _ = jsontext.AppendQuote(dst, text) // an error only says that it was not
	return dst
}

// withMember returns a copy of a JSON object, or of none, with a further member.
func withMember(object []byte, name string, value []byte) []byte {
	out := append(make([]byte, 0, len(object)+len(name)+len(value)+6), '{')
	if len(object) > 2 {
		out = append(out[:0], object[:len(object)-1]...)
		out = append(out, ',')
	}
	return append(appendMember(out, name, value), '}')
}

// parseAmount reads a JSON number that is an amount: whole, from 1 to MaxAmount.
func parseAmount(text []byte) (int64, error) {
	var n int64
	for _, c := range text {
		if c < '0' || c > '9' || n > MaxAmount {
			n = 0
			break
		}
		n = 10*n + int64(c-'0')
	}
	if n < 1 || n > MaxAmount || text[0] == '0' {
		return 0, fmt.Errorf("%w: %.40s", ErrAmount, text)
	}
	return n, nil
}

func formatAmount(n int64) jsontext.Value { return strconv.AppendInt(nil, n, 10) }

// checkStored returns an error unless an element of an inventory is of the stored
// form.
func checkStored(key, value []byte) error {
	if usualName(key) {
		if _, ok := parseUsual(value); ok {
			return nil
		}
	}
	k, err := splitKey(string(key))
	if err != nil {
		return err
	}
	if err := checkName(k.item); err != nil {
		return err
	}
	s, err := parseStored(value)
	switch {
	case err != nil:
		return err
	case k.id.IsZero() && (s.n == 0 || s.history != nil):
		return fmt.Errorf("%w: a stack has an amount and no history", ErrAmount)
	case k.id.IsZero():
		return nil
	case s.n != 0 || s.history == nil:
		return fmt.Errorf("%w: an instance has a history and no amount", ErrAmount)
	}
	_, err = parseHistory(s.history)
	return err
}

// usualName reports whether a key is the name of an item in printable ASCII characters.
func usualName(key []byte) bool {
	for _, c := range key {
		if c < ' ' || c > '~' || c == sep {
			return false
		}
	}
	return len(key) > 0 && len(key) <= MaxName
}
