package document_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

func TestEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true},
		{`1e2`, `100`, true},
		{`100e-2`, `1`, true},
		{`0.001`, `1E-3`, true},
		{`-1`, `1`, false},
		{`-0`, `0.00e5`, true},
		{`0`, `0e99999999999999999999`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`9007199254740993`, `9007199254740993.0`, true},
		{`0.1`, `0.10000000000000000001`, false},
		{`1e400`, `10e399`, true},
		{`1e400`, `1e401`, false},
		{`1e1000000000000000000`, `10e999999999999999999`, true},
		{`1e1000000000000000000`, `0.01e1000000000000000002`, true},
		{`1e999999999999999999`, `0.1e+01000000000000000000`, true},
		{`1e9999999999999999999`, `0.1e10000000000000000000`, true},
		{`1e-9999999999999999999`, `10e-10000000000000000000`, true},
		{`1e-9999999999999999999`, `1e9999999999999999999`, false},
		{`"a"`, `"\u0061"`, true},
		{`"😀"`, `"\ud83d\ude00"`, true},
		{`"\u00e9"`, `"e\u0301"`, false},
		{`"a"`, `"A"`, false},
		{`"1"`, `1`, false},
		{`null`, `false`, false},
		{`[1,2]`, `[ 1.0 , 2 ]`, true},
		{`[1,2]`, `[2,1]`, false},
		{`[1]`, `[1,1]`, false},
		{`[]`, `{}`, false},
		{`{"a":1,"b":[2]}`, `{ "b" : [2.0] , "a" : 1 }`, true},
		{`{"x":0,"a":1,"b":2}`, `{"x":0,"\u0062":2,"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":1,"b":2}`, `{"b":2,"c":1}`, false},
		{`{"a":{"b":1}}`, `{"a":{"b":2}}`, false},
		{` {} `, `{ }`, true},
		{``, `0`, false},
	}
	for _, test := range tests {
		if got := document.Equal([]byte(test.a), []byte(test.b)); got != test.want {
			t.Errorf("Equal(%s, %s) = %t, want %t", test.a, test.b, got, test.want)
		}
		if got := document.Equal([]byte(test.b), []byte(test.a)); got != test.want {
			t.Errorf("Equal(%s, %s) = %t, want %t", test.b, test.a, got, test.want)
		}
	}
}

func TestEqualEndsOnAnyDepth(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100_000)
	if document.Equal([]byte(deep+"1"), []byte(deep+"2")) {
		t.Error("Equal of two different texts that are not JSON = true")
	}
}

// decodeNumbers decodes with the standard library and keeps numbers as text.
func decodeNumbers(tb testing.TB, text []byte) any {
	tb.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		tb.Fatalf("decode %.60q: %v", text, err)
	}
	return v
}

// sameMeaning is Equal by other means: decoded values and rational numbers. It
// does not know when a number is too large for that.
func sameMeaning(a, b any) (same, known bool) {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false, true
		}
		return sameNumber(string(a), string(b))
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false, true
		}
		for i := range a {
			if same, known := sameMeaning(a[i], b[i]); !same || !known {
				return same, known
			}
		}
		return true, true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false, true
		}
		for name := range a {
			other, ok := b[name]
			if !ok {
				return false, true
			}
			if same, known := sameMeaning(a[name], other); !same || !known {
				return same, known
			}
		}
		return true, true
	}
	switch b.(type) {
	case []any, map[string]any:
		return false, true
	}
	return a == b, true
}

func sameNumber(a, b string) (same, known bool) {
	for _, s := range []string{a, b} {
		if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 4 {
			return false, false
		}
	}
	x, ok1 := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	return ok1 && ok2 && x.Cmp(y) == 0, ok1 && ok2
}
