package document_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
)

// mustParse parses text that the test takes for valid.
func mustParse(tb testing.TB, text string) *document.Document {
	tb.Helper()
	d, err := document.Parse([]byte(text), nil)
	if err != nil {
		tb.Fatalf("Parse(%.60q): %v", text, err)
	}
	return d
}

// checkJSON compares the document's JSON and its size with what is wanted.
func checkJSON(tb testing.TB, d *document.Document, want string) {
	tb.Helper()
	got := string(d.AppendJSON(nil))
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Fatalf("AppendJSON (-want +got):\n%s", diff)
	}
	if d.Size() != len(want) {
		tb.Fatalf("Size() = %d after %s, want %d", d.Size(), got, len(want))
	}
}

func TestParseRefuses(t *testing.T) {
	small := &document.Limits{Size: 40, Depth: 3, Fields: 4}
	tests := []struct {
		name   string
		text   string
		limits *document.Limits
		want   error
		says   string
	}{
		{"Nothing", ``, nil, document.ErrInvalid, "EOF"},
		{"Array", `[1]`, nil, document.ErrInvalid, "array, not an object"},
		{"Null", `null`, nil, document.ErrInvalid, "null, not an object"},
		{"CutShort", `{"a":1`, nil, document.ErrInvalid, "EOF"},
		{"TrailingValue", `{"a":1}{}`, nil, document.ErrInvalid, "after top-level value"},
		{"TrailingComma", `{"a":1,}`, nil, document.ErrInvalid, "offset 7"},
		{"MissingColon", `{"a" 1}`, nil, document.ErrInvalid, "offset 5"},
		{"SingleQuotes", `{'a':1}`, nil, document.ErrInvalid, "offset 1"},
		{"LeadingZero", `{"a":01}`, nil, document.ErrInvalid, "offset 6"},
		{"NaN", `{"a":NaN}`, nil, document.ErrInvalid, `"/a"`},
		{"DuplicateField", `{"a":1,"b":2,"a":3}`, nil, document.ErrInvalid, `duplicate name at "/a"`},
		{"DuplicateByEscape", `{"a":1,"\u0061":3}`, nil, document.ErrInvalid, `duplicate name at "/a"`},
		{"DuplicateInside", `{"a":[{"b":{"c":1,"c":2}}]}`, nil, document.ErrInvalid, `duplicate name at "/a/0/b/c"`},
		{"InvalidUTF8", "{\"a\":\"\xff\"}", nil, document.ErrInvalid, "UTF-8"},
		{"InvalidUTF8InName", "{\"a\xff\":1}", nil, document.ErrInvalid, "UTF-8"},
		{"LoneHighSurrogate", `{"a":"\ud800"}`, nil, document.ErrInvalid, `"/a"`},
		{"LoneLowSurrogate", `{"a":"\udc00x"}`, nil, document.ErrInvalid, `"/a"`},
		{"RawControl", "{\"a\":\"\n\"}", nil, document.ErrInvalid, `"/a"`},
		{"UnknownEscape", `{"a":"\x41"}`, nil, document.ErrInvalid, `"/a"`},
		{"EmptyFieldName", `{"":1}`, nil, document.ErrInvalid, "empty field name"},
		{"ControlInFieldName", `{"a\u0000":1}`, nil, document.ErrInvalid, "control character"},
		{"LongFieldName", `{"` + strings.Repeat("n", 129) + `":1}`, nil, document.ErrInvalid, "129 bytes, at most 128"},
		{"TooLarge", `{"a":"` + strings.Repeat("x", 33) + `"}`, small, document.ErrTooLarge, "41 bytes, at most 40"},
		{"TooDeep", `{"a":{"b":[[]]}}`, small, document.ErrTooDeep, "4 levels of objects and arrays, at most 3"},
		{"TooDeepUnclosed", strings.Repeat(`[`, 1_000_000), nil, document.ErrTooDeep, "at most 64"},
		{"TooManyFields", `{"a":1,"b":{"c":1,"d":2},"e":3}`, small, document.ErrTooLarge, "5 fields and elements, at most 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, err := document.Parse([]byte(test.text), test.limits)
			if d != nil || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("Parse(%.60q) = %v, %v, want %v that says %q", test.text, d, err, test.want, test.says)
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	small := &document.Limits{Size: 40, Depth: 3, Fields: 4}
	tests := []struct {
		name   string
		text   string
		limits *document.Limits
		want   string
	}{
		{"Empty", ` { } `, nil, `{}`},
		{"Whitespace", "\t{ \"a\" :\r\n[ 1 , { } ] }\n", nil, `{"a":[1,{}]}`},
		{"NumbersAsWritten", `{"a":[9007199254740993,1e400,-0,1.0,1E+2,0.10]}`, nil, `{"a":[9007199254740993,1e400,-0,1.0,1E+2,0.10]}`},
		{"StringsInShortestForm", `{"a":"\u00e9\/\ud83d\ude00\u0001\"\n"}`, nil, `{"a":"é/😀\u0001\"\n"}`},
		{"OrderAsFound", `{"z":1,"a":{"y":1,"b":2}}`, nil, `{"z":1,"a":{"y":1,"b":2}}`},
		{"SizeOfCompactForm", strings.Repeat(" ", 100) + `{"a":"` + strings.Repeat("x", 32) + `"}`, small, `{"a":"` + strings.Repeat("x", 32) + `"}`},
		{"DepthAtLimit", `{"a":{"b":[]}}`, small, `{"a":{"b":[]}}`},
		{"FieldsAtLimit", `{"a":1,"b":{"c":{"x":1,"y":2}},"e":3}`, small, `{"a":1,"b":{"c":{"x":1,"y":2}},"e":3}`},
		{"ElementNameWithoutPath", `{"a":{"` + strings.Repeat("n", 257) + `":1}}`, nil, `{"a":{"` + strings.Repeat("n", 257) + `":1}}`},
		{"BracketsInStrings", `{"a":"[[[{:","b":{"\"}":"}"}}`, small, `{"a":"[[[{:","b":{"\"}":"}"}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := []byte(test.text)
			d, err := document.Parse(text, test.limits)
			if err != nil {
				t.Fatalf("Parse(%q): %v", test.text, err)
			}
			clear(text) // the document must not have kept it
			checkJSON(t, d, test.want)
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	d := mustParse(t, `{"a":1,"b":{"":2,"x/y":3,"q\"":4},"c":"s"}`)
	tests := []struct {
		path document.Path
		want string
	}{
		{document.Field("a"), `1`},
		{document.Field("b"), `{"":2,"x/y":3,"q\"":4}`},
		{document.Element("b", ""), `2`},
		{document.Element("b", "x/y"), `3`},
		{document.Element("b", `q"`), `4`},
		{document.Element("b", `q\"`), ``},
		{document.Element("b", "absent"), ``},
		{document.Element("a", "x"), ``},
		{document.Element("c", ""), ``},
		{document.Field("absent"), ``},
		{document.Path{}, ``},
		{document.Field("a\xff"), ``},
	}
	for _, test := range tests {
		if got, ok := d.Get(test.path); string(got) != test.want || ok != (test.want != "") {
			t.Errorf("Get(%v) = %q, %t, want %q", test.path, got, ok, test.want)
		}
	}
}

func TestSet(t *testing.T) {
	set := func(t *testing.T, d *document.Document, p document.Path, value, wantPrev string) {
		t.Helper()
		prev, err := d.Set(p, []byte(value))
		if err != nil || string(prev) != wantPrev || (prev == nil) != (wantPrev == "") {
			t.Fatalf("Set(%v, %s) = %q, %v, want %q", p, value, prev, err, wantPrev)
		}
	}
	t.Run("AppendsNewFields", func(t *testing.T) {
		t.Parallel()
		d := new(document.Document)
		set(t, d, document.Field("b"), `1`, "")
		set(t, d, document.Field("a"), `[2]`, "")
		set(t, d, document.Field("b"), `3`, "1")
		checkJSON(t, d, `{"b":3,"a":[2]}`)
	})
	t.Run("CreatesTheFieldOfAnElement", func(t *testing.T) {
		t.Parallel()
		d := new(document.Document)
		set(t, d, document.Element("bag", `a "b"`), `1`, "")
		checkJSON(t, d, `{"bag":{"a \"b\"":1}}`)
		if n := d.ElementCount("bag"); n != 1 {
			t.Fatalf("ElementCount = %d, want 1", n)
		}
	})
	t.Run("ShowsElementsInTheirField", func(t *testing.T) {
		t.Parallel()
		d := mustParse(t, `{"bag":{"a":1,"b":2},"z":0}`)
		set(t, d, document.Element("bag", "a"), `10`, "1")
		set(t, d, document.Element("bag", "c"), `3`, "")
		set(t, d, document.Field("bag"), `{}`, `{"a":10,"b":2,"c":3}`)
		checkJSON(t, d, `{"bag":{},"z":0}`)
		set(t, d, document.Element("bag", "d"), `4`, "")
		checkJSON(t, d, `{"bag":{"d":4},"z":0}`)
	})
	t.Run("CopiesTheValue", func(t *testing.T) {
		t.Parallel()
		d := new(document.Document)
		value := []byte(`1`)
		if _, err := d.Set(document.Field("a"), value); err != nil {
			t.Fatal(err)
		}
		value[0] = '2'
		checkJSON(t, d, `{"a":1}`)
	})
	t.Run("LeavesEarlierResultsAlone", func(t *testing.T) {
		t.Parallel()
		d := mustParse(t, `{"a":{"b":"old"}}`)
		whole, _ := d.Get(document.Field("a"))
		inner, _ := d.Get(document.Element("a", "b"))
		set(t, d, document.Element("a", "b"), `"new"`, `"old"`)
		if string(whole) != `{"b":"old"}` || string(inner) != `"old"` {
			t.Fatalf("after Set, earlier results are %s and %s", whole, inner)
		}
	})
}

func TestSetRefuses(t *testing.T) {
	limits := &document.Limits{Size: 50, Depth: 3, Fields: 5}
	const text = `{"n":1,"o":{"a":1,"b":2}}`
	tests := []struct {
		name  string
		path  document.Path
		value string
		want  error
		says  string
	}{
		{"ElementOfNumber", document.Element("n", "x"), `1`, document.ErrNotObject, `set "n/x"`},
		{"NoPath", document.Path{}, `1`, document.ErrInvalid, "empty field name"},
		{"NoValue", document.Field("n"), ``, document.ErrInvalid, "without bytes"},
		{"LongElementName", document.Element("o", strings.Repeat("x", 257)), `1`, document.ErrInvalid, "257 bytes"},
		{"TooLargeField", document.Field("n"), `"` + strings.Repeat("x", 25) + `"`, document.ErrTooLarge, "51 bytes, at most 50"},
		{"TooLargeNewField", document.Field("m"), `"` + strings.Repeat("x", 19) + `"`, document.ErrTooLarge, "51 bytes, at most 50"},
		{"TooLargeElement", document.Element("o", "a"), `"` + strings.Repeat("x", 25) + `"`, document.ErrTooLarge, "51 bytes, at most 50"},
		{"TooLargeNewElement", document.Element("m", "a"), `"` + strings.Repeat("x", 13) + `"`, document.ErrTooLarge, "51 bytes, at most 50"},
		{"TooDeepField", document.Field("n"), `[[[]]]`, document.ErrTooDeep, "4 levels"},
		{"TooDeepElement", document.Element("o", "a"), `[[]]`, document.ErrTooDeep, "4 levels"},
		{"TooDeepNewElement", document.Element("m", "a"), `[[]]`, document.ErrTooDeep, "4 levels"},
		{"TooManyElements", document.Field("o"), `{"a":1,"b":2,"c":3,"d":4}`, document.ErrTooLarge, "6 fields and elements, at most 5"},
		{"TooManyInNewField", document.Field("m"), `{"a":1}`, document.ErrTooLarge, "6 fields and elements, at most 5"},
		{"TooManyByElement", document.Element("m", "a"), `1`, document.ErrTooLarge, "6 fields and elements, at most 5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, err := document.Parse([]byte(text), limits)
			if err != nil {
				t.Fatal(err)
			}
			prev, err := d.Set(test.path, []byte(test.value))
			if prev != nil || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Set(%v, %s) = %q, %v, want %v that says %q", test.path, test.value, prev, err, test.want, test.says)
			}
			checkJSON(t, d, text)
		})
	}
}

func TestSetAtTheLimit(t *testing.T) {
	t.Parallel()
	limits := &document.Limits{Size: 50, Depth: 3, Fields: 5}
	tests := []struct {
		path  document.Path
		value string
	}{
		{document.Field("n"), `"` + strings.Repeat("x", 24) + `"`},
		{document.Field("m"), `"` + strings.Repeat("x", 18) + `"`},
		{document.Element("o", "a"), `"` + strings.Repeat("x", 24) + `"`},
		{document.Field("n"), `[[]]`},
		{document.Element("o", "c"), `[]`},
		{document.Field("o"), `{"a":1,"b":2,"c":3}`},
		{document.Element("o", "c"), `{"p":1,"q":2,"r":3}`},
	}
	for _, test := range tests {
		d, err := document.Parse([]byte(`{"n":1,"o":{"a":1,"b":2}}`), limits)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Set(test.path, []byte(test.value)); err != nil {
			t.Errorf("Set(%v, %s): %v", test.path, test.value, err)
		}
		if _, err := document.Parse(d.AppendJSON(nil), limits); err != nil {
			t.Errorf("after Set(%v, %s), its own limits refuse the document: %v", test.path, test.value, err)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	d := mustParse(t, `{"a":1,"b":{"x":1,"y":2},"c":3}`)
	steps := []struct {
		path document.Path
		prev string
		want string
	}{
		{document.Field("absent"), ``, `{"a":1,"b":{"x":1,"y":2},"c":3}`},
		{document.Element("a", "x"), ``, `{"a":1,"b":{"x":1,"y":2},"c":3}`},
		{document.Element("absent", "x"), ``, `{"a":1,"b":{"x":1,"y":2},"c":3}`},
		{document.Element("b", "x"), `1`, `{"a":1,"b":{"y":2},"c":3}`},
		{document.Element("b", "x"), ``, `{"a":1,"b":{"y":2},"c":3}`},
		{document.Element("b", "y"), `2`, `{"a":1,"b":{},"c":3}`},
		{document.Field("c"), `3`, `{"a":1,"b":{}}`},
		{document.Field("b"), `{}`, `{"a":1}`},
		{document.Field("a"), `1`, `{}`},
	}
	for _, s := range steps {
		if prev := d.Delete(s.path); string(prev) != s.prev || (prev == nil) != (s.prev == "") {
			t.Fatalf("Delete(%v) = %q, want %q", s.path, prev, s.prev)
		}
		checkJSON(t, d, s.want)
	}
}

func TestIterators(t *testing.T) {
	t.Parallel()
	d := mustParse(t, `{"b":1,"gone":2,"a":{"q\"":[1],"":2},"c":{}}`)
	d.Delete(document.Field("gone"))
	if _, err := d.Set(document.Element("a", "new"), []byte("3")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for name, value := range d.Fields() {
		got = append(got, name+"="+string(value))
	}
	for name, value := range d.Elements("a") {
		got = append(got, "a/"+name+"="+string(value))
	}
	for _, field := range []string{"b", "c", "absent"} {
		for name := range d.Elements(field) {
			got = append(got, field+"/"+name)
		}
	}
	want := []string{"b=1", `a={"q\"":[1],"":2,"new":3}`, "c={}", `a/q"=[1]`, "a/=2", "a/new=3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("iterators (-want +got):\n%s", diff)
	}
	for range d.Fields() {
		break
	}
	counts := []int{d.Len(), d.ElementCount("a"), d.ElementCount("b"), d.ElementCount("c"), d.ElementCount("absent")}
	if want := []int{3, 3, 0, 0, 0}; !slices.Equal(counts, want) {
		t.Errorf("Len and ElementCount = %v, want %v", counts, want)
	}
}

func TestCloneStandsAlone(t *testing.T) {
	t.Parallel()
	replaced := mustParse(t, `{"a":1,"b":0}`)
	if _, err := replaced.Set(document.Field("b"), []byte(`{"x":1,"y":2}`)); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*document.Document{"loaded": mustParse(t, `{"a":1,"b":{"x":1,"y":2}}`), "replaced": replaced} {
		t.Run(name, func(t *testing.T) {
			d.Get(document.Element("b", "x")) // so that the field is split before the copy
			c := d.Clone()
			for _, p := range []document.Path{document.Field("a"), document.Element("b", "x"), document.Element("b", "z")} {
				if _, err := c.Set(p, []byte(`"c"`)); err != nil {
					t.Fatal(err)
				}
			}
			d.Delete(document.Element("b", "y"))
			checkJSON(t, d, `{"a":1,"b":{"x":1}}`)
			checkJSON(t, c, `{"a":"c","b":{"x":"c","y":2,"z":"c"}}`)
		})
	}
}

func TestMoveTo(t *testing.T) {
	t.Parallel()
	from, to := mustParse(t, `{"a":1,"b":{"x":1}}`), mustParse(t, `{"old":true}`)
	from.MoveTo(to)
	checkJSON(t, from, `{}`)
	if from.Len() != 0 || from.Count() != 0 || to.Len() != 2 || to.Count() != 3 {
		t.Errorf("Len and Count = %d, %d of the one and %d, %d of the other; want 0, 0, 2, 3", from.Len(), from.Count(), to.Len(), to.Count())
	}
	if _, err := from.Set(document.Field("a"), []byte(`2`)); err != nil {
		t.Fatal(err)
	}
	checkJSON(t, from, `{"a":2}`)
	checkJSON(t, to, `{"a":1,"b":{"x":1}}`)
}

// TestManyMembers goes through the sizes at which objects get a table, grow it
// and are rebuilt.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	d := new(document.Document)
	const n = 1000
	path := func(i int) document.Path { return document.Element("bag", fmt.Sprintf("item %d", i)) }
	for i := range n {
		if prev, err := d.Set(path(i), fmt.Appendf(nil, "%d", i)); prev != nil || err != nil {
			t.Fatalf("Set(%v) = %q, %v", path(i), prev, err)
		}
	}
	for i := 0; i < n; i += 3 {
		if prev := d.Delete(path(i)); string(prev) != fmt.Sprint(i) {
			t.Fatalf("Delete(%v) = %q, want %d", path(i), prev, i)
		}
	}
	for i := 1; i < n; i += 3 {
		if prev, err := d.Set(path(i), []byte(`"new"`)); string(prev) != fmt.Sprint(i) || err != nil {
			t.Fatalf("Set(%v) = %q, %v, want %d", path(i), prev, err, i)
		}
	}
	var want []byte
	for i := range n {
		got, ok := d.Get(path(i))
		value := fmt.Sprint(i)
		switch i % 3 {
		case 0:
			value = ""
		case 1:
			value = `"new"`
		}
		if string(got) != value || ok != (value != "") {
			t.Fatalf("Get(%v) = %q, %t, want %q", path(i), got, ok, value)
		}
		if value != "" {
			want = fmt.Appendf(want, `,"item %d":%s`, i, value)
		}
	}
	checkJSON(t, d, `{"bag":{`+string(want[1:])+`}}`)
}

func TestRealDocumentsStayExact(t *testing.T) {
	for _, f := range realDocuments(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			d, err := document.Parse(f.text, nil)
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			once := d.AppendJSON(nil)
			if !document.Equal(f.text, once) {
				t.Error("the document does not mean what the file means")
			}
			if want, got := decodeNumbers(t, f.text), decodeNumbers(t, once); !cmp.Equal(want, got) {
				t.Error("numbers or strings have changed")
			}
			// Splitting and putting together again must change no byte.
			for field := range d.Fields() {
				for name, value := range d.Elements(field) {
					if p := document.Element(field, name); p.Check() == nil {
						if _, err := d.Set(p, value); err != nil {
							t.Fatalf("Set(%v): %v", p, err)
						}
					}
					break // the iteration ends with the change
				}
			}
			checkJSON(t, d, string(once))
		})
	}
}

// TestLoadedDocumentsAreSmall keeps a load of many players in memory: it must
// leave room for what a session needs besides, within three times the JSON.
func TestLoadedDocumentsAreSmall(t *testing.T) {
	const n = 2000
	text := playerJSON(2_000)
	held := make([]*document.Document, n)
	before := heapAfter()
	for i := range held {
		d, err := document.Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		held[i] = d
	}
	perDocument := float64(heapAfter()-before) / n
	if ratio := perDocument / float64(len(text)); ratio > 1.5 {
		t.Errorf("a loaded document of %d bytes takes %.0f bytes, want at most 1.5 times as much", len(text), perDocument)
	}
	for _, d := range held {
		d.Get(document.Element("bag", "item-00000"))
		d.Get(document.Element("settings", "music"))
	}
	perDocument = float64(heapAfter()-before) / n
	if ratio := perDocument / float64(len(text)); ratio > 2.2 {
		t.Errorf("a document of %d bytes whose fields are split takes %.0f bytes, want at most 2.2 times as much", len(text), perDocument)
	}
	if held[0].Len() != held[n-1].Len() {
		t.Error("documents differ")
	}
}

// TestChangedDocumentStaysSmall sets, deletes and adds elements many times over:
// what has gone must not stay in memory.
func TestChangedDocumentStaysSmall(t *testing.T) {
	const n, rounds = 500, 40
	before := heapAfter()
	d := new(document.Document)
	for round := range rounds {
		for i := range n {
			p := document.Element("bag", fmt.Sprintf("item-%d-%d", round, i))
			if _, err := d.Set(p, []byte(`{"id":1000,"count":1,"wear":0.5}`)); err != nil {
				t.Fatal(err)
			}
			if round > 0 {
				d.Delete(document.Element("bag", fmt.Sprintf("item-%d-%d", round-1, i)))
			}
		}
	}
	held := float64(heapAfter() - before)
	if got := d.ElementCount("bag"); got != n {
		t.Fatalf("ElementCount = %d, want %d", got, n)
	}
	if ratio := held / float64(d.Size()); ratio > 5 {
		t.Errorf("after many changes a document of %d bytes takes %.0f bytes, want at most 5 times as much", d.Size(), held)
	}
}

// A document that adopts a text keeps a large one, never writes into it or after it, and
// is otherwise as if it had been parsed.
func TestAdopt(t *testing.T) {
	for name, size := range map[string]int{"Small": 100, "Large": 100_000} {
		t.Run(name, func(t *testing.T) {
			member := []byte(`{"name":"` + strings.Repeat("x", size) + `","level":1}`)
			around := append(bytes.Clone(member), `,"after":"it"}`...)
			before := bytes.Clone(around)
			text := around[:len(member)]
			d, err := document.Adopt(text, nil)
			if err != nil {
				t.Fatal(err)
			}
			value, _ := d.Get(document.Field("level"))
			if kept := &value[0] == &text[len(text)-2]; kept != (size >= 32<<10) {
				t.Errorf("the text is kept: %v", kept)
			}
			for i := range 100 {
				for _, f := range []string{"level", "name", fmt.Sprint("new", i)} {
					if _, err := d.Set(document.Field(f), []byte(`"`+strings.Repeat("y", i)+`"`)); err != nil {
						t.Fatal(err)
					}
				}
				d.Delete(document.Field("name"))
			}
			d.Clone().AppendJSON(nil)
			if !bytes.Equal(around, before) {
				t.Error("the text or what follows it was written into")
			}
			if _, err := document.Adopt(append(bytes.Clone(text), '}'), nil); !errors.Is(err, document.ErrInvalid) {
				t.Errorf("Adopt of what is no JSON = %v, want ErrInvalid", err)
			}
			loose, err := document.Adopt(append([]byte(" "), text...), nil)
			if want, _ := document.Parse(text, nil); err != nil || !bytes.Equal(loose.AppendJSON(nil), want.AppendJSON(nil)) {
				t.Errorf("Adopt of what is not compact = %v, not what was parsed", err)
			}
		})
	}
}
