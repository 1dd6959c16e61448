package document

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// checkSurvey compares what the survey says of a text with what the library and the
// scanner do.
func checkSurvey(tb testing.TB, text []byte) {
	tb.Helper()
	formatted, err := jsontext.AppendFormat(nil, text)
	want := err == nil && bytes.Equal(formatted, text) && measure(text).depth <= maxDepth
	if got := isCompact(text, maxDepth); got != want {
		tb.Fatalf("isCompact(%q) = %t, the library makes %q of it: %v", text, got, formatted, err)
	}
	limits := (&Limits{Depth: maxDepth, Size: maxSize}).resolved()
	o, s := parseCompact(text, &limits, math.MaxInt)
	if want = want && isObject(text); (o != nil) != want {
		tb.Fatalf("parseCompact(%q) = %+v, want one: %t", text, o, want)
	}
	if !want {
		return
	}
	if s != measure(text) {
		tb.Fatalf("parseCompact(%q) says %+v, want %+v", text, s, measure(text))
	}
	plain := newObject(text, s.members)
	if o.body != plain.body || len(o.members) != len(plain.members) {
		tb.Fatalf("parseCompact(%q) = %+v, want %+v", text, o, plain)
	}
	for i := range plain.members {
		if string(o.name(i)) != string(plain.name(i)) || string(o.value(i)) != string(plain.value(i)) || o.elements(i) != plain.elements(i) {
			tb.Fatalf("parseCompact(%q): member %d is %s", text, i, o.member(i))
		}
		if p := o.part(i); p != nil && p.nested != nil {
			checkSplit(tb, p.nested, newObject(o.value(i), p.nested.len()))
		}
		if o.part(i) == nil && !reflect.DeepEqual(o.members[i], plain.members[i]) {
			tb.Fatalf("parseCompact(%q): member %d is %+v, want %+v", text, i, o.members[i], plain.members[i])
		}
	}
}

// checkSplit compares a field that was split with the same field split by the scanner.
func checkSplit(tb testing.TB, got, want *object) {
	tb.Helper()
	if got.size() != want.size() || got.len() != want.len() || string(got.appendJSON(nil, nil)) != string(want.appendJSON(nil, nil)) {
		tb.Fatalf("a field is split as %s, want %s", got.appendJSON(nil, nil), want.appendJSON(nil, nil))
	}
	for i := range want.members {
		if string(got.name(i)) != string(want.name(i)) || string(got.value(i)) != string(want.value(i)) {
			tb.Fatalf("a field's element %d is %s, want %s", i, got.member(i), want.member(i))
		}
	}
}

func TestLargeFieldsAreSplitAtOnce(t *testing.T) {
	t.Parallel()
	large := strings.ReplaceAll(withTwice(100, 100), `"n`, `"a longer name `)
	small := withTwice(100, 100)
	d, err := Parse([]byte(`{"few":{"a":1},"small":`+small+`,"large":`+large+`}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ counted, split bool }{{false, false}, {true, false}, {true, true}} {
		p := d.root.part(i)
		if (p != nil) != want.counted || p != nil && (p.nested != nil) != want.split {
			t.Errorf("field %s has the part %+v, want %+v", d.root.name(i), p, want)
		}
	}
	checkSurvey(t, d.AppendJSON(nil))
	if n := d.ElementCount("small") + d.ElementCount("large"); n != 202 {
		t.Errorf("the large fields have %d elements, want 202", n)
	}
	if _, err := d.Set(Element("large", "x"), []byte("1")); err != nil || d.ElementCount("large") != 102 {
		t.Errorf("Set: %v, and %d elements, want 102", err, d.ElementCount("large"))
	}
	checkSurvey(t, d.AppendJSON(nil))
}

// surveyed are texts of which each has something special: of a number, of a string, of
// an object and so on.
func surveyed() []string {
	texts := []string{
		``, ` `, `{}`, `[]`, `[{}]`, `{"a":[]}`, `{ }`, `[ ]`, `[1,2]`, `[1,]`, `[,1]`, `{,}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{1:2}`,
		`[1 ,2]`, `[1, 2]`, `{"a" :1}`, `{"a": 1}`, `{"a":1} `, ` 1`, `1 `, "1\n", "\ufeff1", `1,`, `1]`, `[1}`, `{"a":1]`, `{}{}`, `[][]`, `[1]2`, `""""`,
		`true`, `false`, `null`, `tru`, `truE`, `True`, `truee`, `nul`, `nullnull`, `[true,false,null]`, `t`, `n`, `f`, `x`,
		`{"a":{"b":{"c":[{"d":[1,[2,{"e":null}]]}]}}}`, `{"a":{"x":1},"a":2}`, `{"b":{"x":1,"x":2}}`, `{"a":1,"\u0061":2}`, `{"é":1,"\u00e9":1}`, `[{"a":1},{"a":1}]`,
		`0`, `-0`, `-`, `+1`, `01`, `-01`, `1.`, `.1`, `1.0`, `0.0`, `1e`, `1e+`, `1e-`, `1E5`, `1e+05`, `1.5e-7`, `0e0`, `00`, `1..2`, `1.e3`, `1e1.5`, `--1`, `1-`, `0x10`, `1_0`, `NaN`, `Infinity`,
		`[0,-1,1.5,1e400,9007199254740993]`, strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000), strings.Repeat(`[`, 1001) + strings.Repeat(`]`, 1001),
		withTwice(200, 200), withTwice(63, 63), withTwice(64, 0), `{"f":` + withTwice(63, 63) + `}`, `{"f":` + withTwice(62, 62) + `,"g":[` + withTwice(64, 64) + `]}`,
	}
	inside := []string{
		``, `a`, `"`, `\`, `\"`, `\\`, `\/`, `/`, `<>&`, "\u2028\u2029", `\u2028`, "\x7f", `\u007f`, "\ufffd", `\ufffd`, "é", "漢", "😀", `\u00e9`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\ud83dx`, `\ude00\ud83d`,
		"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\xbc", "é\x80", `\a`, `\x41`, `\u`, `\u00`, `\u001`, `\u00zz`, `\U0001`, `\u0000`, `\u0041`, "\x00", "\n", "\t", "\x1f",
	}
	for c := range 0x100 {
		inside = append(inside, string([]byte{byte(c)}), fmt.Sprintf(`\u%04x`, c), fmt.Sprintf(`\u%04X`, c), `\`+string([]byte{byte(c)}))
	}
	for _, s := range inside {
		for before := range 10 {
			for _, after := range []string{``, `y`, `yyyyyyyyy`} {
				texts = append(texts, `"`+strings.Repeat("x", before)+s+after+`"`)
			}
		}
		texts = append(texts, `{"`+s+`":"`+s+`"}`, `"`+s)
	}
	return texts
}

func TestSurveyTakesWhatTheLibraryLeavesAsItIs(t *testing.T) {
	t.Parallel()
	for _, text := range surveyed() {
		checkSurvey(t, []byte(text))
	}
}

func TestSurveyOfATextThatIsCut(t *testing.T) {
	t.Parallel()
	text := []byte(`{"n":-1.5e+7,"é":[true,null,"\u001f\n"],"o":{"a":{},"b":"` + strings.Repeat("long", 9) + `"}}`)
	for i := range text {
		checkSurvey(t, text[:i])
	}
	for i := range text {
		for _, c := range []byte{' ', '"', '\\', ',', ':', '}', '[', '0', 0x80} {
			changed := bytes.Clone(text)
			changed[i] = c
			checkSurvey(t, changed)
		}
	}
	checkSurvey(t, text)
}

func TestSurveyHoldsToTheLimits(t *testing.T) {
	t.Parallel()
	text := []byte(`{"a":[{"b":1}]}`)
	for _, l := range []Limits{{Depth: 2}, {Size: len(text) - 1}} {
		l = l.resolved()
		if o, _ := parseCompact(text, &l, math.MaxInt); o != nil {
			t.Errorf("parseCompact takes %s within %+v", text, l)
		}
	}
	if isCompact(text, 2) || !isCompact(text, 3) {
		t.Errorf("isCompact does not hold to a depth of 3 of %s", text)
	}
}

func FuzzSurvey(f *testing.F) {
	for i, text := range surveyed() {
		if i < 100 || i%37 == 0 { // the others are like them
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		checkSurvey(t, text)
		if formatted, err := jsontext.AppendFormat(nil, text); err == nil {
			checkSurvey(t, formatted)
		}
	})
}
