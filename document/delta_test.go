package document_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

func TestDecodeDeltaRefuses(t *testing.T) {
	t.Parallel()
	change := func(p document.Path, value string) string {
		c := document.Change{Path: p}
		if value != "" {
			c.Value = []byte(value)
		}
		return string(document.Delta{c}.AppendBinary(nil))
	}
	limits := &document.Limits{Size: 10, Depth: 3}
	tests := []struct {
		name, text string
		want       error
		says       string
	}{
		{"Nothing", "", document.ErrInvalid, "cut short"},
		{"MoreChangesThanBytes", "\x05\x04a", document.ErrInvalid, "5 changes in 2 bytes"},
		{"HugeCount", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01aa", document.ErrInvalid, "changes in 2 bytes"},
		{"LongNumber", "\x81\x00\x04a", document.ErrInvalid, "shortest form"},
		{"EndlessNumber", strings.Repeat("\xff", 11), document.ErrInvalid, "a number"},
		{"NameCutShort", "\x01\x08a", document.ErrInvalid, "2 bytes announced and 1 left"},
		{"TrailingByte", change(document.Field("a"), "1") + "x", document.ErrInvalid, "1 bytes after the last change"},
		{"EmptyName", change(document.Field(""), "1"), document.ErrInvalid, "empty field name"},
		{"NameNotUTF8", change(document.Field("\xff"), "1"), document.ErrInvalid, "UTF-8"},
		{"LongElement", change(document.Element("a", strings.Repeat("b", 257)), "1"), document.ErrInvalid, "257 bytes"},
		{"EmptyValue", "\x01\x05a\x00", document.ErrInvalid, "EOF"},
		{"NotJSON", change(document.Field("a"), "nul"), document.ErrInvalid, `value of "a"`},
		{"TwoValues", change(document.Field("a"), "1,2"), document.ErrInvalid, `value of "a"`},
		{"NotCompact", change(document.Field("a"), "[1, 2]"), document.ErrInvalid, "not in compact form"},
		{"NotShortestString", change(document.Element("a", "b"), `"\u0061"`), document.ErrInvalid, "not in compact form"},
		{"DuplicateName", change(document.Field("a"), `{"":1,"":2}`), document.ErrTooLarge, "11 bytes, at most 10"},
		{"TooDeep", change(document.Field("a"), "[[[]]]"), document.ErrTooDeep, "4 levels"},
		{"TooDeepElement", change(document.Element("a", "b"), "[[]]"), document.ErrTooDeep, "4 levels"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := document.DecodeDelta([]byte(test.text), limits)
			if got != nil || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("DecodeDelta(%q) = %v, %v, want %v that says %q", test.text, got, err, test.want, test.says)
			}
		})
	}
}

func TestApplyFailsWhole(t *testing.T) {
	const text = `{"n":1,"o":{"a":1,"b":2}}`
	limits := &document.Limits{Size: 60, Depth: 3, Fields: 6}
	change := func(p document.Path, value string) document.Change {
		if value == "" {
			return document.Change{Path: p}
		}
		return document.Change{Path: p, Value: []byte(value)}
	}
	good := document.Delta{
		change(document.Element("new", "x"), "1"),
		change(document.Element("o", "a"), ""),
		change(document.Element("empty", "x"), ""),
		change(document.Field("n"), ""),
		change(document.Field("n"), "[]"),
	}
	tests := []struct {
		name string
		bad  document.Change
		want error
		says string
	}{
		{"ElementOfArray", change(document.Element("n", "x"), "1"), document.ErrNotObject, `change 6 of 6 to "n/x"`},
		{"DeletedElementOfArray", change(document.Element("n", "x"), ""), document.ErrNotObject, `change 6 of 6 to "n/x"`},
		{"TooDeep", change(document.Element("o", "x"), "[[]]"), document.ErrTooDeep, "4 levels"},
		{"NoPath", change(document.Field(""), "1"), document.ErrInvalid, "empty field name"},
		{"NoPathDeleted", change(document.Field(""), ""), document.ErrInvalid, "empty field name"},
		{"NoPathBelowMissingField", change(document.Element("absent", "\xff"), ""), document.ErrInvalid, "UTF-8"},
		{"EmptyValue", document.Change{Path: document.Field("n"), Value: []byte{}}, document.ErrInvalid, "without bytes"},
		{"TooLarge", change(document.Field("big"), `"`+strings.Repeat("x", 60)+`"`), document.ErrTooLarge, "at most 60"},
		{"TooMany", change(document.Field("o"), `{"p":1,"q":2,"r":3}`), document.ErrTooLarge, "8 fields and elements, at most 6"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, err := document.Parse([]byte(text), limits)
			if err != nil {
				t.Fatal(err)
			}
			err = d.Apply(append(slices.Clone(good), test.bad))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Apply = %v, want %v that says %q", err, test.want, test.says)
			}
			if got := d.AppendJSON(nil); !document.Equal(got, []byte(text)) || d.Size() != len(text) {
				t.Errorf("after a refused Apply, the document is %s of size %d, want %s", got, d.Size(), text)
			}
		})
	}
}

func TestApplyMayPassTheLimitsInBetween(t *testing.T) {
	t.Parallel()
	d, err := document.Parse([]byte(`{"a":{"x":"0123456789"}}`), &document.Limits{Size: 26, Fields: 2})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Apply(document.Delta{
		{Path: document.Element("b", "y"), Value: []byte(`"9876543210"`)},
		{Path: document.Field("a")},
	})
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	checkJSON(t, d, `{"b":{"y":"9876543210"}}`)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	value := func(p document.Path, v string) document.Change { return document.Change{Path: p, Value: []byte(v)} }
	bag, sword, bow, coins := document.Field("bag"), document.Element("bag", "sword"), document.Element("bag", "bow"), document.Field("coins")
	tests := []struct {
		name         string
		first, later document.Delta
		want         document.Delta
	}{
		{"LastValueWins", document.Delta{value(coins, "1"), value(sword, "1")}, document.Delta{value(coins, "2")}, document.Delta{value(coins, "2"), value(sword, "1")}},
		{"FieldSwallowsElements", document.Delta{value(sword, "1"), value(coins, "1"), {Path: bow}}, document.Delta{{Path: bag}}, document.Delta{value(coins, "1"), {Path: bag}}},
		{"ElementsFollowTheirField", document.Delta{value(bag, "{}"), value(bow, "1")}, document.Delta{value(sword, "1"), {Path: bow}}, document.Delta{value(bag, "{}"), {Path: bow}, value(sword, "1")}},
		{"DeletionStays", document.Delta{value(sword, "1")}, document.Delta{{Path: sword}}, document.Delta{{Path: sword}}},
		{"NothingAndNothing", nil, nil, document.Delta{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := test.first.Merge(test.later); !slices.EqualFunc(got, test.want, sameChange) {
				t.Errorf("%v.Merge(%v) = %v, want %v", test.first, test.later, got, test.want)
			}
		})
	}
}

func TestAppendBefore(t *testing.T) {
	t.Parallel()
	const text = `{"coins":5,"bag":{"sword":1,"bow":2},"n":1}`
	tests := []struct {
		name string
		undo document.Delta
		want string
	}{
		{"Nothing", nil, text},
		{"FieldAndElement", document.Delta{
			{Path: document.Element("bag", "bow")},
			{Path: document.Field("coins"), Value: []byte("4")},
			{Path: document.Element("bag", "sword"), Value: []byte("0")},
		}, `{"coins":4,"bag":{"sword":0},"n":1}`},
		{"FieldWasAbsent", document.Delta{{Path: document.Field("coins")}}, `{"bag":{"sword":1,"bow":2},"n":1}`},
		{"FieldWasDeleted", document.Delta{{Path: document.Field("old"), Value: []byte("[]")}}, `{"coins":5,"bag":{"sword":1,"bow":2},"n":1,"old":[]}`},
		{"ElementsOverTheirField", document.Delta{
			{Path: document.Element("bag", "bow"), Value: []byte("7")},
			{Path: document.Field("bag"), Value: []byte(`{"bow":3,"axe":4}`)},
		}, `{"coins":5,"bag":{"bow":7,"axe":4},"n":1}`},
		{"ElementOfWhatIsNoObject", document.Delta{{Path: document.Element("n", "x"), Value: []byte("1")}}, `{"coins":5,"bag":{"sword":1,"bow":2},"n":{"x":1}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := mustParse(t, text)
			if got := string(d.AppendBefore(nil, test.undo)); got != test.want {
				t.Errorf("AppendBefore(%v) = %s, want %s", test.undo, got, test.want)
			}
			checkJSON(t, d, text)
		})
	}
}

func TestDiffOfNamesThatNoPathHolds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 257)
	a := mustParse(t, `{"o":{"x":1,"`+long+`":1}}`)
	b := mustParse(t, `{"o":{"x":1,"`+long+`":2}}`)
	delta := document.Diff(a, b)
	if len(delta) != 1 || delta[0].Path != document.Field("o") {
		t.Fatalf("Diff = %v, want one change of the field", delta)
	}
	if _, err := document.DecodeDelta(delta.AppendBinary(nil), nil); err != nil {
		t.Errorf("DecodeDelta: %v", err)
	}
}

// TestRealHistoryIsDiffAndApply walks through the saves of a real player.
func TestRealHistoryIsDiffAndApply(t *testing.T) {
	var last *document.Document
	for _, f := range realDocuments(t) {
		next := mustParse(t, string(f.text))
		if last == nil {
			last = next
			continue
		}
		delta, err := document.DecodeDelta(document.Diff(last, next).AppendBinary(nil), nil)
		if err != nil {
			t.Fatalf("%s: DecodeDelta: %v", f.name, err)
		}
		if err := last.Apply(delta); err != nil {
			t.Fatalf("%s: Apply: %v", f.name, err)
		}
		if !document.Equal(last.AppendJSON(nil), f.text) {
			t.Fatalf("%s: Diff and Apply do not give the document", f.name)
		}
	}
}
