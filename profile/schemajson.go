package profile

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/holdfast-games/holdfast/driver"
)

// schemaFormat is the format of a schema as JSON.
const schemaFormat = 1

const (
	maxSchemaText   = 4 << 20 // bytes of a schema as JSON
	maxSchemaFields = 10_000
)

// schemaJSON is a schema as JSON.
type schemaJSON struct {
	Format     int             `json:"format"`
	Kind       string          `json:"kind"`
	Fields     []fieldJSON     `json:"fields"`
	Slots      *slotsJSON      `json:"slots,omitempty"`
	Migrations []migrationJSON `json:"migrations,omitempty"`
}

// slotsJSON are the rules for save slots as JSON.
type slotsJSON struct {
	Max      int      `json:"max,omitempty"`
	Keep     int64    `json:"keep,omitempty"` // seconds
	Summary  []string `json:"summary,omitempty"`
	PlayTime string   `json:"playTime,omitempty"`
}

// rankedJSON is a ranking that a field feeds, as JSON.
type rankedJSON struct {
	Ranking string `json:"ranking"`
	Lowest  bool   `json:"lowest,omitempty"`
}

// fieldJSON is a field as JSON. What does not apply is left out.
type fieldJSON struct {
	Name    string          `json:"name"`
	Type    string          `json:"type"`
	Of      string          `json:"of,omitempty"` // shape of a value, or of a list's or map's elements
	Default json.RawMessage `json:"default,omitempty"`
	Min     json.RawMessage `json:"min,omitempty"`
	Max     json.RawMessage `json:"max,omitempty"`
	MaxLen  *int            `json:"maxLen,omitempty"`
	Private bool            `json:"private,omitempty"`
	Lazy    bool            `json:"lazy,omitempty"`

	Volatile bool        `json:"volatile,omitempty"`
	PerSlot  bool        `json:"perSlot,omitempty"`
	Ranked   *rankedJSON `json:"ranked,omitempty"`

	// Reconcile says that a stored object is completed by members of the default.
	Reconcile bool `json:"reconcile,omitempty"`
}

// migrationJSON is a migration as JSON, which cannot say what it does.
type migrationJSON struct {
	Name       string `json:"name"`
	Compatible bool   `json:"compatible,omitempty"`
	PerSlot    bool   `json:"perSlot,omitempty"`
}

// The kinds of fields by the names that they have in JSON.
const (
	kindInt      = "int"
	kindFloat    = "float"
	kindBool     = "bool"
	kindString   = "string"
	kindTime     = "time"
	kindBytes    = "bytes"
	kindList     = "list"
	kindSet      = "set"
	kindMap      = "map"
	kindCounters = "counters"
	kindValue    = "value"
	kindPlayTime = "playtime"
)

// describer is a field that can be told as JSON: it sets the type and what is
// beside the options.
type describer interface{ describe(j *fieldJSON) error }

func (f *IntField) describe(j *fieldJSON) error {
	j.Type, j.Default = kindInt, strconv.AppendInt(nil, f.def, 10)
	return nil
}

func (f *FloatField) describe(j *fieldJSON) (err error) {
	j.Type = kindFloat
	j.Default, err = encode(&f.def, nil)
	return err
}

func (f *BoolField) describe(j *fieldJSON) error {
	j.Type, j.Default = kindBool, strconv.AppendBool(nil, f.def)
	return nil
}

func (f *StringField) describe(j *fieldJSON) error { return f.describeAs(kindString, j) }
func (f *TimeField) describe(j *fieldJSON) error   { return f.describeAs(kindTime, j) }
func (f *BytesField) describe(j *fieldJSON) error  { return f.describeAs(kindBytes, j) }

func (f *ValueField[T]) describe(j *fieldJSON) error {
	j.Of, j.Reconcile = f.shapeOr(reflect.TypeFor[T]()), f.reconciles
	return f.describeAs(kindValue, j)
}

func (f *boxed[T]) describeAs(kind string, j *fieldJSON) (err error) {
	j.Type = kind
	def := f.fresh()
	j.Default, err = f.text(&def, nil)
	return err
}

func (f *ListField[T]) describe(j *fieldJSON) error {
	j.Type, j.Of = kindList, f.shapeOr(reflect.TypeFor[T]())
	return nil
}

func (f *MapField[T]) describe(j *fieldJSON) error {
	j.Type, j.Of = kindMap, f.shapeOr(reflect.TypeFor[T]())
	return nil
}

func (f *SetField) describe(j *fieldJSON) error {
	j.Type = kindSet
	return nil
}

func (f *CountersField) describe(j *fieldJSON) error {
	j.Type = kindCounters
	return nil
}

func (f *PlayTimeField) describe(j *fieldJSON) error {
	j.Type = kindPlayTime
	return nil
}

// A layer's field is told as what anybody can see of it: values under names.
func (f *ElementsField) describe(j *fieldJSON) error {
	j.Type, j.Of = kindMap, shapeAny
	return nil
}

// shapeOr returns the declared shape, or that of a Go type.
func (f *field) shapeOr(t reflect.Type) string {
	if f.settings.shape != "" {
		return f.settings.shape
	}
	return shapeOf(t)
}

func (b *bound) text() json.RawMessage {
	switch {
	case b == nil:
		return nil
	case b.isFloat:
		return strconv.AppendFloat(nil, b.float, 'g', -1, 64)
	}
	return strconv.AppendInt(nil, b.whole, 10)
}

// MarshalJSON returns the schema as JSON, for tools and for servers that are
// written in other languages: its kind, its fields with their types, defaults and
// options, and its migrations by name. The same schema always gives the same text.
// It cannot tell what a Validate or a migration does, nor more of a Go type than
// what kind of JSON it is; a layer's field, such as an inventory, is a map, and a
// computed field, of which nothing is stored, is left out. A schema with mistakes is
// ErrSchema.
func (s *Schema) MarshalJSON() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	out := schemaJSON{Format: schemaFormat, Kind: s.kind, Fields: make([]fieldJSON, 0, len(s.fields))}
	for _, f := range s.fields {
		if f.common().settings.computed {
			continue
		}
		j, err := describe(f)
		if err != nil {
			return nil, err
		}
		out.Fields = append(out.Fields, j)
	}
	for _, m := range s.migrations {
		out.Migrations = append(out.Migrations, migrationJSON{m.Name, m.Compatible, m.PerSlot})
	}
	out.Slots = s.slotRules.describe()
	return json.Marshal(out)
}

func (r *SlotRules) describe() *slotsJSON {
	j := &slotsJSON{Max: r.Max, Keep: int64(r.Keep / time.Second)}
	for _, f := range r.Summary {
		j.Summary = append(j.Summary, f.Name())
	}
	if r.PlayTime != nil {
		j.PlayTime = r.PlayTime.Name()
	}
	if j.Max == 0 && j.Keep == 0 && j.Summary == nil && j.PlayTime == "" {
		return nil
	}
	return j
}

// rules makes the rules for save slots of a schema.
func (j *slotsJSON) rules(s *Schema) (r SlotRules, err error) {
	if j.Keep < 0 || j.Keep > int64(MaxSlotsKeep/time.Second) {
		return r, fmt.Errorf("%w: save slots are kept for %d seconds, at most %d", ErrSchema, j.Keep, int64(MaxSlotsKeep/time.Second))
	}
	r = SlotRules{Max: j.Max, Keep: time.Duration(j.Keep) * time.Second}
	for _, name := range j.Summary {
		r.Summary = append(r.Summary, s.Field(name)) // nil, if there is none, is a mistake of the schema's
	}
	if j.PlayTime != "" {
		f, ok := s.Field(j.PlayTime).(*PlayTimeField)
		if !ok {
			return r, fmt.Errorf("%w: play time of save slots, %.150q, is no field of type %s", ErrSchema, j.PlayTime, kindPlayTime)
		}
		r.PlayTime = f
	}
	return r, nil
}

func describe(f Field) (fieldJSON, error) {
	c := f.common()
	j := fieldJSON{
		Name: c.name, Min: c.settings.least.text(), Max: c.settings.most.text(), MaxLen: c.settings.maxLen,
		Private: c.settings.private, Lazy: c.settings.lazy, Volatile: c.settings.volatile, PerSlot: c.settings.perSlot,
	}
	if r := c.settings.ranked; r != nil {
		j.Ranked = &rankedJSON{r.name, r.lowest}
	}
	d, ok := f.(describer)
	if !ok {
		return j, fmt.Errorf("%w: field %q is of a kind that has no form in JSON", ErrSchema, c.name)
	}
	if err := d.describe(&j); err != nil {
		return j, fmt.Errorf("%w: field %q as JSON: %w", ErrSchema, c.name, err)
	}
	return j, nil
}

// ParseSchema reads a schema that MarshalJSON has written. Its fields are of the
// kinds that they were, except that a Value, List or Map of a Go type is one of
// json.RawMessage, of which it is checked what kind of JSON it is; Schema.Field
// finds them by name. Its migrations are known by name and cannot be run: a
// profile for which one is due fails to load with a *MigrationError.
//
// The text is read strictly: members that are not known or occur twice, values of
// another type, numbers out of range and a text of more than 4 MiB or 10,000
// fields are ErrSchema, with the field's name and the reason. A newer format is
// driver.ErrFormat too.
func ParseSchema(text []byte) (*Schema, error) {
	s, err := parseSchema(text)
	if err == nil {
		err = s.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	return s, nil
}

func parseSchema(text []byte) (*Schema, error) {
	if len(text) > maxSchemaText {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrSchema, len(text), maxSchemaText)
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := strict.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if head.Format > schemaFormat {
		return nil, fmt.Errorf("%w: %w: format %d, this program reads up to %d", ErrSchema, driver.ErrFormat, head.Format, schemaFormat)
	}
	var in schemaJSON
	if err := strict.Unmarshal(text, &in, strict.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(false)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	switch {
	case in.Format != schemaFormat:
		return nil, fmt.Errorf("%w: format %d, want %d", ErrSchema, in.Format, schemaFormat)
	case len(in.Fields) > maxSchemaFields:
		return nil, fmt.Errorf("%w: %d fields, at most %d", ErrSchema, len(in.Fields), maxSchemaFields)
	case len(in.Migrations) > MaxMigrations:
		return nil, fmt.Errorf("%w: %d migrations, at most %d", ErrSchema, len(in.Migrations), MaxMigrations)
	}
	fields := make([]Field, len(in.Fields))
	for i := range in.Fields {
		f, err := in.Fields[i].field()
		if err != nil {
			return nil, fmt.Errorf("%w: field %d, %.150q: %w", ErrSchema, i+1, in.Fields[i].Name, err)
		}
		fields[i] = f
	}
	s := NewSchema(in.Kind, fields...)
	for _, m := range in.Migrations {
		s.addMigration(&Migration{Name: m.Name, Compatible: m.Compatible, PerSlot: m.PerSlot})
	}
	if in.Slots == nil {
		return s, nil
	}
	rules, err := in.Slots.rules(s)
	return s.WithSlots(rules), err
}

// field makes the field. Mistakes that a Go declaration can have too are left for
// the schema to report.
func (j *fieldJSON) field() (Field, error) {
	opts, err := j.options()
	if err != nil {
		return nil, err
	}
	shaped := j.Type == kindValue || j.Type == kindList || j.Type == kindMap
	empty := slices.Contains([]string{kindList, kindMap, kindSet, kindCounters}, j.Type)
	switch {
	case shaped && !slices.Contains(shapes, j.Of):
		return nil, fmt.Errorf("of %.80q: want one of %v", j.Of, shapes)
	case shaped:
		opts = append(opts, withShape(j.Of))
	case j.Of != "":
		return nil, fmt.Errorf("\"of\" is for values, lists and maps, not for type %.80q", j.Type)
	}
	if empty && j.Default != nil {
		return nil, fmt.Errorf("a field of type %q is empty at first and has no default", j.Type)
	}
	switch j.Type {
	case kindInt:
		def, err := defaultOf(j.Default, parseInt)
		return Int(j.Name, def, opts...), err
	case kindFloat:
		def, err := defaultOf(j.Default, parseFinite)
		return Float(j.Name, def, opts...), err
	case kindBool:
		def, err := defaultOf(j.Default, parseStrictly[bool])
		return Bool(j.Name, def, opts...), err
	case kindString:
		def, err := defaultOf(j.Default, unquote)
		return String(j.Name, def, opts...), err
	case kindTime:
		def, err := defaultOf(j.Default, parseTime)
		return Time(j.Name, def, opts...), err
	case kindBytes:
		def, err := defaultOf(j.Default, parseBytes)
		return Bytes(j.Name, def, opts...), err
	case kindPlayTime:
		if j.Default != nil {
			return nil, fmt.Errorf("a field of type %q has no default", j.Type)
		}
		return PlayTime(j.Name, opts...), nil
	case kindSet:
		return Set(j.Name, opts...), nil
	case kindCounters:
		return Counters(j.Name, opts...), nil
	case kindValue, kindList, kindMap:
		return generic(j.Type, j.Name, j.Default, opts), nil
	}
	return nil, fmt.Errorf("type %.80q is not known", j.Type)
}

func defaultOf[T any](text []byte, parse func([]byte) (T, error)) (def T, err error) {
	if text == nil {
		return def, nil
	}
	if def, err = parse(text); err != nil {
		err = fmt.Errorf("default %.80s: %w", text, err)
	}
	return def, err
}

func parseStrictly[T any](text []byte) (v T, err error) {
	err = strict.Unmarshal(text, &v)
	return v, err
}

func parseFinite(text []byte) (float64, error) {
	x, err := parseStrictly[float64](text)
	if err == nil && math.IsInf(x, 0) {
		err = ErrRange
	}
	return x, err
}

// options returns the options, whose fitness for the kind of field is left for that
// to judge.
func (j *fieldJSON) options() (opts []FieldOption, err error) {
	if j.Private {
		opts = append(opts, Private())
	}
	if j.Lazy {
		opts = append(opts, Lazy())
	}
	if j.Volatile {
		opts = append(opts, Volatile())
	}
	if j.Reconcile {
		opts = append(opts, Reconcile())
	}
	if j.PerSlot {
		opts = append(opts, PerSlot())
	}
	if j.Ranked != nil {
		opts = append(opts, func(s *settings) { s.ranked = &ranking{j.Ranked.Ranking, j.Ranked.Lowest} })
	}
	if j.MaxLen != nil {
		opts = append(opts, MaxLen(*j.MaxLen))
	}
	for name, b := range map[string]struct {
		text json.RawMessage
		set  func(*settings, *bound)
	}{
		"min": {j.Min, func(s *settings, b *bound) { s.least = b }},
		"max": {j.Max, func(s *settings, b *bound) { s.most = b }},
	} {
		if b.text == nil {
			continue
		}
		parsed, err := parseBound(b.text)
		if err != nil {
			return nil, fmt.Errorf("%s %.80s: %w", name, b.text, err)
		}
		opts = append(opts, func(s *settings) { b.set(s, parsed) })
	}
	return opts, nil
}

func parseBound(text []byte) (*bound, error) {
	if n, err := parseInt(text); err == nil {
		return newBound(n), nil
	}
	x, err := parseFinite(text)
	if err != nil {
		return nil, err
	}
	return newBound(x), nil
}
