package document_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-games/holdfast/document"
)

// model is a document as plainly as it can be written: members in order, and
// for each either a value or members again.
type model []modelMember

type modelMember struct {
	name   string
	value  string
	object bool
	inner  model
}

func (m model) find(name string) int {
	return slices.IndexFunc(m, func(e modelMember) bool { return e.name == name })
}

func (m model) json() string {
	items := make([]string, len(m))
	for i, e := range m {
		items[i] = quote(e.name) + ":" + e.json()
	}
	return "{" + strings.Join(items, ",") + "}"
}

func (e modelMember) json() string {
	if e.object {
		return e.inner.json()
	}
	return e.value
}

func quote(s string) string {
	text, err := document.Compact([]byte(strconv.QuoteToASCII(s)), nil)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (m model) clone() model {
	c := slices.Clone(m)
	for i := range c {
		c[i].inner = c[i].inner.clone()
	}
	return c
}

// put sets a member and returns what was there.
func (m *model) put(e modelMember) (prev string) {
	if i := m.find(e.name); i >= 0 {
		prev = (*m)[i].json()
		(*m)[i] = e
		return prev
	}
	*m = append(*m, e)
	return ""
}

func (m *model) drop(name string) (prev string) {
	i := m.find(name)
	if i < 0 {
		return ""
	}
	prev = (*m)[i].json()
	*m = slices.Delete(*m, i, i+1)
	return prev
}

// set does what Document.Set does; ok is false for an element of no object.
func (m *model) set(p document.Path, v modelMember) (prev string, ok bool) {
	if !p.Deep {
		v.name = p.Field
		return m.put(v), true
	}
	i := m.find(p.Field)
	if i < 0 {
		*m = append(*m, modelMember{name: p.Field, object: true})
		i = len(*m) - 1
	}
	if !(*m)[i].object {
		return "", false
	}
	v.name = p.Element
	return (*m)[i].inner.put(v), true
}

func (m *model) del(p document.Path) (prev string) {
	if !p.Deep {
		return m.drop(p.Field)
	}
	if i := m.find(p.Field); i >= 0 && (*m)[i].object {
		return (*m)[i].inner.drop(p.Element)
	}
	return ""
}

// names are few, so that paths meet, and include those that need escaping.
var (
	fieldNames   = []string{"a", "b", "bag", `q"\`, "é/~", "coins"}
	elementNames = []string{"", "x", "y", `"`, "\n", "剣", "a/b", "sword"}
)

func anyPath() *rapid.Generator[document.Path] {
	return rapid.Custom(func(t *rapid.T) document.Path {
		field := rapid.SampledFrom(fieldNames).Draw(t, "field")
		if rapid.Bool().Draw(t, "deep") {
			return document.Element(field, rapid.SampledFrom(elementNames).Draw(t, "element"))
		}
		return document.Field(field)
	})
}

// anyValue generates values in compact form; every third is an object.
func anyValue() *rapid.Generator[modelMember] {
	return rapid.Custom(func(t *rapid.T) modelMember {
		if rapid.IntRange(0, 2).Draw(t, "kind") > 0 {
			return modelMember{value: rapid.SampledFrom([]string{
				"0", "1", "1.0", "1e400", "9007199254740993", "null", "true", `""`, `"é\n"`, "[]", `[1,{"a":[2]}]`,
			}).Draw(t, "value")}
		}
		v := modelMember{object: true}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(elementNames), 0, 4, rapid.ID[string]).Draw(t, "names") {
			v.inner = append(v.inner, modelMember{name: name, value: rapid.SampledFrom([]string{"1", `{"in":{}}`, `"s"`}).Draw(t, "inner")})
		}
		return v
	})
}

func anyModel() *rapid.Generator[model] {
	return rapid.Custom(func(t *rapid.T) model {
		var m model
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(fieldNames), 0, 6, rapid.ID[string]).Draw(t, "fields") {
			v := anyValue().Draw(t, "value")
			v.name = name
			m = append(m, v)
		}
		return m
	})
}

// anyDelta makes changes of the kind that a document makes: those that it
// accepts, and deletions of what is there. It changes m and d accordingly.
func anyDelta(t *rapid.T, m *model, d *document.Document) document.Delta {
	var delta document.Delta
	for range rapid.IntRange(0, 12).Draw(t, "changes") {
		p := anyPath().Draw(t, "path")
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			want, got := m.del(p), d.Delete(p)
			if string(got) != want || (got == nil) != (want == "") {
				t.Fatalf("Delete(%v) = %q, want %q", p, got, want)
			}
			if got != nil {
				delta = append(delta, document.Change{Path: p})
			}
			continue
		}
		v := anyValue().Draw(t, "value")
		want, ok := m.set(p, v)
		got, err := d.Set(p, []byte(v.json()))
		if string(got) != want || (got == nil) != (want == "") || (err == nil) != ok {
			t.Fatalf("Set(%v, %s) = %q, %v, want %q, %t", p, v.json(), got, err, want, ok)
		}
		if ok {
			delta = append(delta, document.Change{Path: p, Value: []byte(v.json())})
		}
	}
	return delta
}

func parseModel(t *rapid.T, m model) *document.Document {
	d, err := document.Parse([]byte(m.json()), nil)
	if err != nil {
		t.Fatalf("Parse(%s): %v", m.json(), err)
	}
	return d
}

func checkModel(t *rapid.T, call string, d *document.Document, m model) {
	want, got := m.json(), string(d.AppendJSON(nil))
	if got != want {
		t.Fatalf("%s (-want +got):\n%s", call, cmp.Diff(want, got))
	}
	if d.Size() != len(want) || d.Len() != len(m) {
		t.Fatalf("%s: Size = %d, Len = %d, want %d and %d", call, d.Size(), d.Len(), len(want), len(m))
	}
	for _, e := range m {
		if n := d.ElementCount(e.name); n != len(e.inner) {
			t.Fatalf("%s: ElementCount(%q) = %d, want %d", call, e.name, n, len(e.inner))
		}
	}
}

func TestChangesFollowTheModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel().Draw(t, "start")
		d := parseModel(t, m)
		checkModel(t, "Parse", d, m)
		start := d.Clone()
		text := m.json()
		delta := anyDelta(t, &m, d)
		checkModel(t, "changes", d, m)
		if err := start.Apply(delta); err != nil {
			t.Fatalf("Apply(%v): %v", delta, err)
		}
		checkModel(t, "Apply to a clone of "+text, start, m)
	})
}

// names counts fields and elements, as Limits.Fields does.
func (m model) names() int {
	n := len(m)
	for _, e := range m {
		n += len(e.inner)
	}
	return n
}

// TestLimitsCountWhatIsThere applies random changes to a document that has just
// the room that they take in the end, and to one that has a little less.
func TestLimitsCountWhatIsThere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel().Draw(t, "start")
		text, size, names := m.json(), len(m.json()), m.names()
		delta := anyDelta(t, &m, parseModel(t, m))
		apply := func(l document.Limits) error {
			d, err := document.Parse([]byte(text), &l)
			if err != nil {
				t.Fatalf("Parse(%s) with %+v: %v", text, l, err)
			}
			return d.Apply(delta)
		}
		// A limit of zero would be the default.
		enough := document.Limits{Size: max(size, len(m.json())), Fields: max(1, names, m.names())}
		if err := apply(enough); err != nil {
			t.Fatalf("Apply(%v) to %s with %+v: %v", delta, text, enough, err)
		}
		if less := enough.Size - 1; less >= size {
			if err := apply(document.Limits{Size: less}); !errors.Is(err, document.ErrTooLarge) {
				t.Fatalf("Apply(%v) to %s with %d bytes = %v, want ErrTooLarge", delta, text, less, err)
			}
		}
		if less := enough.Fields - 1; less >= max(1, names) {
			if err := apply(document.Limits{Fields: less}); !errors.Is(err, document.ErrTooLarge) {
				t.Fatalf("Apply(%v) to %s with %d names = %v, want ErrTooLarge", delta, text, less, err)
			}
		}
	})
}

func TestMergeDoesWhatBothDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel().Draw(t, "start")
		d := parseModel(t, m)
		start := d.Clone()
		first := anyDelta(t, &m, d)
		second := anyDelta(t, &m, d)
		merged := first.Merge(second)
		seen := make(map[document.Path]bool)
		for _, c := range merged {
			if seen[c.Path] {
				t.Fatalf("%v.Merge(%v) has %v twice", first, second, c.Path)
			}
			seen[c.Path] = true
		}
		if err := start.Apply(merged); err != nil {
			t.Fatalf("Apply(%v): %v", merged, err)
		}
		if got := start.AppendJSON(nil); !document.Equal(got, []byte(m.json())) {
			t.Fatalf("Apply(%v.Merge(%v)) gives %s, want %s", first, second, got, m.json())
		}
	})
}

// undoOf returns the delta that takes changes back: per path the oldest
// previous value, and the field alone where both a field and its elements were
// changed.
func undoOf(before model, delta document.Delta) document.Delta {
	var undo document.Delta
	whole := make(map[string]bool)
	for _, c := range delta {
		if !c.Path.Deep || before.find(c.Path.Field) < 0 {
			whole[c.Path.Field] = true
		}
	}
	seen := make(map[document.Path]bool)
	for _, c := range delta {
		p := c.Path
		if whole[p.Field] {
			p = document.Field(p.Field)
		}
		if seen[p] {
			continue
		}
		seen[p] = true
		scratch := before.clone()
		change := document.Change{Path: p}
		if prev := scratch.del(p); prev != "" {
			change.Value = []byte(prev)
		}
		undo = append(undo, change)
	}
	return undo
}

func TestAppendBeforeIsTheOldState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel().Draw(t, "start")
		d := parseModel(t, m)
		old := m.clone()
		delta := anyDelta(t, &m, d)
		undo := undoOf(old, delta)
		want := old.json()
		got, ok := strings.CutPrefix(string(d.AppendBefore([]byte("prefix"), undo)), "prefix")
		if !ok || !document.Equal([]byte(got), []byte(want)) {
			t.Fatalf("AppendBefore(%v) = %s, want %s", undo, got, want)
		}
		if !slices.ContainsFunc(delta, func(c document.Change) bool { return c.Value == nil || !c.Path.Deep }) && got != want {
			t.Fatalf("AppendBefore(%v) = %s, want the same bytes as %s", undo, got, want)
		}
		checkModel(t, "AppendBefore", d, m)
	})
}

func TestDiffTurnsOneIntoTheOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, n := anyModel().Draw(t, "a"), anyModel().Draw(t, "b")
		a, b := parseModel(t, m), parseModel(t, n)
		delta := document.Diff(a, b)
		checkModel(t, "Diff", a, m)
		checkModel(t, "Diff", b, n)
		if !slices.IsSortedFunc(delta, func(x, y document.Change) int { return x.Path.Compare(y.Path) }) {
			t.Fatalf("Diff(%s, %s) = %v, not sorted", m.json(), n.json(), delta)
		}
		if err := a.Apply(delta); err != nil {
			t.Fatalf("Apply(%v): %v", delta, err)
		}
		if got := a.AppendJSON(nil); !document.Equal(got, []byte(n.json())) {
			t.Fatalf("Diff(%s, %s) = %v, which gives %s", m.json(), n.json(), delta, got)
		}
		if again := document.Diff(a, b); len(again) != 0 {
			t.Fatalf("Diff of equal documents = %v", again)
		}
	})
}

func TestDeltaBytesAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel().Draw(t, "start")
		delta := anyDelta(t, &m, parseModel(t, m))
		text := delta.AppendBinary(nil)
		got, err := document.DecodeDelta(text, nil)
		if err != nil || !slices.EqualFunc(got, delta, sameChange) {
			t.Fatalf("DecodeDelta(%q) = %v, %v, want %v", text, got, err, delta)
		}
		for n := range text {
			if got, err := document.DecodeDelta(text[:n], nil); err == nil {
				t.Fatalf("DecodeDelta of %d of %d bytes = %v, want an error", n, len(text), got)
			}
		}
	})
}

func sameChange(a, b document.Change) bool {
	return a.Path == b.Path && string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil)
}
