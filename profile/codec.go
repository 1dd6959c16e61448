package profile

import (
	stdjson "encoding/json"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/holdfast-games/holdfast/document"
)

// encoding is the JSON of package encoding/json, made by an implementation
// that can also refuse what that one repairs (invalid UTF-8), and that decodes
// over a default without mixing the elements of slices.
var encoding = json.JoinOptions(
	jsonv1.DefaultOptionsV1(),
	jsonv1.MergeWithLegacySemantics(false),
	jsontext.AllowInvalidUTF8(false),
	jsontext.AllowDuplicateNames(false),
	jsontext.EscapeForHTML(false),
	jsontext.EscapeForJS(false),
	json.WithMarshalers(json.MarshalToFunc(marshalNumber)),
	json.WithUnmarshalers(json.UnmarshalFromFunc(unmarshalNumber)),
)

// marshalNumber writes a json.Number of encoding/json as a number.
func marshalNumber(enc *jsontext.Encoder, n stdjson.Number) error {
	return jsonv1.Number(n).MarshalJSONTo(enc)
}

func unmarshalNumber(dec *jsontext.Decoder, n *stdjson.Number) error {
	return (*jsonv1.Number)(n).UnmarshalJSONFrom(dec)
}

// encode returns v as compact JSON. It refuses what would not be stored
// faithfully.
func encode[T any](v *T, l *document.Limits) ([]byte, error) {
	text, err := guarded(func() ([]byte, error) { return json.Marshal(v, encoding) })
	if err != nil {
		return nil, fmt.Errorf("%w: %w", document.ErrInvalid, err)
	}
	return document.Compact(text, l)
}

// decode reads a stored value over what v holds.
func decode[T any](value []byte, v *T) error {
	_, err := guarded(func() ([]byte, error) { return nil, json.Unmarshal(value, v, encoding) })
	return err
}

// guarded turns a panic of a type's own methods into an error.
func guarded(fn func() ([]byte, error)) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return fn()
}

// hasMaps reports whether a value holds a map with members inside of structs
// and pointers.
func hasMaps(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map:
		return v.Len() > 0
	case reflect.Pointer:
		return !v.IsNil() && hasMaps(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && hasMaps(v.Field(i)) {
				return true
			}
		}
	}
	return false
}

// takeMaps gives over, which was decoded over a default, the maps of alone,
// which was decoded over nothing: a member that was deleted from a default's
// map must not come back.
func takeMaps(over, alone reflect.Value) {
	switch over.Kind() {
	case reflect.Map:
		if !alone.IsNil() {
			over.Set(alone)
		}
	case reflect.Pointer:
		if !over.IsNil() && !alone.IsNil() {
			takeMaps(over.Elem(), alone.Elem())
		}
	case reflect.Struct:
		for i := range over.NumField() {
			if over.Field(i).CanSet() {
				takeMaps(over.Field(i), alone.Field(i))
			}
		}
	}
}

// EncodeValue returns v as fields encode values, for a layer above that has a form
// of its own: compact JSON, within the limits, or an error that matches
// document.ErrInvalid, document.ErrTooDeep or document.ErrTooLarge. Nil stands for
// the default limits.
func EncodeValue(v any, l *document.Limits) (stdjson.RawMessage, error) { return encode(&v, l) }

// DecodeValue decodes what EncodeValue has returned over what v points to.
func DecodeValue(value []byte, v any) error {
	_, err := guarded(func() ([]byte, error) { return nil, json.Unmarshal(value, v, encoding) })
	return err
}
