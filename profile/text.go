package profile

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/document"
)

// errNotText is the reason why a value of another kind is no text.
var errNotText = errors.New("not a JSON string")

// unquote returns the text of a JSON string.
func unquote(value []byte) (string, error) {
	if len(value) < 2 || value[0] != '"' {
		return "", errNotText
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err
}

// quote returns a text as a JSON string. It refuses what is not UTF-8.
func quote(text string) ([]byte, error) {
	value, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", document.ErrInvalid, err)
	}
	return slices.Clip(value), nil
}

// StringField is a field that holds a text, which must be UTF-8.
type StringField struct{ boxed[string] }

// String declares a text field. Options: MaxLen (in bytes), Validate[string],
// Private, Lazy.
func String(name string, def string, opts ...FieldOption) *StringField {
	f := &StringField{boxed[string]{field: newField(name, opts), kind: "string", parse: unquote, sent: unquote}}
	f.restrict(lengths | checks)
	validate := validator[string](&f.field)
	f.text = func(s *string, _ *document.Limits) ([]byte, error) { return quote(*s) }
	f.format = func(s *string, l *document.Limits) ([]byte, error) {
		return checked(&f.field, len(*s), *s, validate, func() ([]byte, error) { return f.text(s, l) })
	}
	f.shareDefault(def)
	return f
}

// checked encodes a value that passes the checks.
func checked[T any](f *field, n int, v T, validate func(T) error, enc func() ([]byte, error)) ([]byte, error) {
	if err := f.checkLen(n); err != nil {
		return nil, err
	}
	if validate != nil {
		if err := validate(v); err != nil {
			return nil, err
		}
	}
	return enc()
}

// shareDefault sets a default of a type that nobody can change in place.
func (f *boxed[T]) shareDefault(def T) {
	f.fresh = func() T { return def }
	f.same = newBox(def)
	f.checkDefault(def)
}

func (f *boxed[T]) checkDefault(def T) {
	if _, err := f.format(&def, nil); err != nil {
		f.fail(fmt.Errorf("%w: default of field %q: %w", ErrSchema, f.name, err))
	}
}

// TimeField is a field that holds a moment, to the nanosecond, in UTC.
type TimeField struct{ boxed[time.Time] }

// Time declares a field of a moment, stored as text like
// "2026-01-02T15:04:05Z". The year must be 0 to 9999. Options:
// Validate[time.Time], Private, Lazy.
func Time(name string, def time.Time, opts ...FieldOption) *TimeField {
	f := &TimeField{boxed[time.Time]{field: newField(name, opts), kind: "time", parse: parseTime, sent: parseTime}}
	f.restrict(checks)
	validate := validator[time.Time](&f.field)
	f.text = func(t *time.Time, _ *document.Limits) ([]byte, error) { return formatTime(*t) }
	f.format = func(t *time.Time, l *document.Limits) ([]byte, error) {
		return checked(&f.field, 0, *t, validate, func() ([]byte, error) { return f.text(t, l) })
	}
	f.shareDefault(def.Round(0).UTC())
	return f
}

func parseTime(value []byte) (time.Time, error) {
	text, err := unquote(value)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err
}

func formatTime(t time.Time) ([]byte, error) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("%w: year %d, 0 to 9999 allowed", ErrRange, y)
	}
	return quote(t.Format(time.RFC3339Nano))
}

// BytesField is a field that holds bytes, stored as base64 text.
type BytesField struct{ boxed[[]byte] }

// Bytes declares a field of bytes. Options: MaxLen, Validate[[]byte],
// Private, Lazy.
func Bytes(name string, def []byte, opts ...FieldOption) *BytesField {
	def = slices.Clone(def)
	f := &BytesField{boxed[[]byte]{field: newField(name, opts), kind: "bytes", parse: parseBytes, sent: parseBytes}}
	f.restrict(lengths | checks)
	validate := validator[[]byte](&f.field)
	f.text = func(b *[]byte, _ *document.Limits) ([]byte, error) {
		return quote(base64.StdEncoding.EncodeToString(*b))
	}
	f.format = func(b *[]byte, l *document.Limits) ([]byte, error) {
		return checked(&f.field, len(*b), *b, validate, func() ([]byte, error) { return f.text(b, l) })
	}
	f.fresh = func() []byte { return slices.Clone(def) }
	f.checkDefault(def)
	return f
}

func parseBytes(value []byte) ([]byte, error) {
	text, err := unquote(value)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}
