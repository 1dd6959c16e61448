package document_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

// seeds are values with something special each; the fuzzer goes on from them.
var seeds = []string{
	`{}`, `{"a":1,"b":{"c":[1.0,-0,1e400]}}`, `{"a":"\u00e9\ud83d\ude00\/","é":null}`, ` { "x" : { } } `,
	`{"a":1,"a":2}`, `{"a":"\ud800"}`, `[[[]]]`, `{"a":9007199254740993}`, `"\"\\"`, `0.10E+2`, `{:}`, `[,]`, `{"a`, `1e99999999999999999999`,
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := document.Parse(text, nil)
		if err != nil {
			return
		}
		once := d.AppendJSON(nil)
		if !json.Valid(text) || !json.Valid(once) {
			t.Fatalf("Parse(%q) gave %q, and one of them is not JSON", text, once)
		}
		if d.Size() != len(once) || !document.Equal(text, once) {
			t.Fatalf("Parse(%q) gave %q, of size %d", text, once, d.Size())
		}
		for field := range d.Fields() {
			for name, value := range d.Elements(field) {
				if got, ok := d.Get(document.Element(field, name)); !ok || !bytes.Equal(got, value) {
					t.Fatalf("Get(%q, %q) = %q, %t, want %q", field, name, got, ok, value)
				}
			}
		}
		again, err := document.Parse(once, nil)
		if err != nil || !bytes.Equal(again.AppendJSON(nil), once) {
			t.Fatalf("Parse(%q): %v, or other bytes", once, err)
		}
	})
}

func FuzzCompact(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := document.Compact(text, nil)
		if err != nil {
			return
		}
		if !json.Valid(text) || !document.Equal(text, got) {
			t.Fatalf("Compact(%q) = %q", text, got)
		}
		again, err := document.Compact(got, nil)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("Compact(%q) = %q, %v, want no change", got, again, err)
		}
		d := new(document.Document)
		if _, err := d.Set(document.Element("f", "e"), got); err != nil {
			return // nested at the limit by itself
		}
		if _, err := document.Parse(d.AppendJSON(nil), nil); err != nil {
			t.Fatalf("a document with %q: %v", got, err)
		}
	})
}

func FuzzDecodeDelta(f *testing.F) {
	f.Add([]byte{0})
	f.Add(document.Delta{
		{Path: document.Field("a"), Value: []byte(`{"b":1}`)},
		{Path: document.Element("a", ""), Value: []byte(`"é"`)},
		{Path: document.Element("a", "b")},
		{Path: document.Field("a")},
	}.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		delta, err := document.DecodeDelta(text, nil)
		if err != nil {
			return
		}
		if again := delta.AppendBinary(nil); !bytes.Equal(again, text) {
			t.Fatalf("DecodeDelta(%q) = %v, which encodes as %q", text, delta, again)
		}
		d := new(document.Document)
		if err := d.Apply(delta); err != nil && d.Size() != len("{}") {
			t.Fatalf("Apply(%v): %v, and it left %s", delta, err, d.AppendJSON(nil))
		}
		once := d.AppendJSON(nil)
		if _, err := document.Parse(once, nil); err != nil || d.Size() != len(once) {
			t.Fatalf("Apply(%v) gave %q of size %d: %v", delta, once, d.Size(), err)
		}
	})
}

func FuzzEqual(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), []byte(seeds[(i+1)%len(seeds)]))
	}
	f.Add([]byte(`{"a":1,"b":[1e2]}`), []byte(`{"b":[100],"\u0061":1.0}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		got := document.Equal(a, b)
		if !document.Equal(a, a) {
			t.Fatalf("Equal(%q, itself) = false", a)
		}
		for _, text := range [][]byte{a, b} {
			if _, err := document.Compact(text, nil); err != nil {
				return
			}
		}
		want, known := sameMeaning(decodeNumbers(t, a), decodeNumbers(t, b))
		if known && got != want {
			t.Fatalf("Equal(%q, %q) = %t, want %t", a, b, got, want)
		}
		if document.Equal(b, a) != got {
			t.Fatalf("Equal(%q, %q) depends on the order", a, b)
		}
	})
}
