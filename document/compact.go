package document

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Compact checks that value is one JSON value within the limits and returns it
// without whitespace and with strings in their shortest form: the form in which
// a document holds values. The result is a new slice of exact size. Numbers
// keep their digits and members their order. Applied to its own result it
// changes nothing.
//
// The error matches ErrInvalid, ErrTooDeep or ErrTooLarge. Depth is counted
// from the value itself, and Fields does not apply: whether the value fits into
// a document is for Set to say.
func Compact(value []byte, l *Limits) ([]byte, error) {
	limits := l.resolved()
	if len(value) <= limits.Size && isCompact(value, limits.Depth) {
		return exactly(value), nil
	}
	if err := limits.checkDepth(measure(value).depth); err != nil {
		return nil, err
	}
	return format(value, &limits)
}

// exactly returns a copy of exact size.
func exactly(text []byte) []byte {
	own := make([]byte, len(text))
	copy(own, text)
	return own
}

// format is Compact for a value whose depth has been checked.
func format(value []byte, l *Limits) ([]byte, error) {
	// The shortest form is never longer than what it is made from.
	text, err := appendCompact(make([]byte, 0, len(value)), value)
	if err != nil {
		return nil, err
	}
	if err := l.checkSize(len(text)); err != nil {
		return nil, err
	}
	if len(text) < cap(text) {
		text = exactly(text)
	}
	return text, nil
}

// appendCompact appends the compact form of value, if it is one JSON value, whose
// depth has been checked.
func appendCompact(dst, value []byte) ([]byte, error) {
	if isCompact(value, maxDepth) {
		return append(dst, value...), nil
	}
	// To check the names takes the library longer than anything else.
	text, err := jsontext.AppendFormat(dst, value, jsontext.AllowDuplicateNames(true))
	if err == nil && !isCompact(text[len(dst):], maxDepth) {
		text, err = jsontext.AppendFormat(dst, value) // which name it is, and where
	}
	if err != nil {
		return text, invalidText(err)
	}
	return text, nil
}

// checkCompact returns an error unless value is what Compact would return.
func checkCompact(value []byte) error {
	if isCompact(value, maxDepth) {
		return nil
	}
	text, err := appendCompact(nil, value)
	if err != nil {
		return err
	}
	if !bytes.Equal(text, value) {
		return fmt.Errorf("%w: value is not in compact form", ErrInvalid)
	}
	return nil
}

// plain reports whether a name stands in JSON text as it is.
func plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// escape returns the name as it stands between quotes in compact JSON.
func escape(name string) string {
	if plain(name) {
		return name
	}
	// A name that is not UTF-8 gives an error and a text that no document has.
	quoted, _ := jsontext.AppendQuote(nil, name)
	return string(quoted[1 : len(quoted)-1])
}

// unquote returns the meaning of a quoted string.
func unquote(quoted []byte) string {
	if len(quoted) < 2 {
		return ""
	}
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	name, _ := jsontext.AppendUnquote(nil, quoted)
	return string(name)
}

// unquoteRaw is unquote that shares the bytes if they stand for themselves.
func unquoteRaw(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return []byte(unquote(quoted))
	}
	return quoted[1 : len(quoted)-1 : len(quoted)-1]
}
