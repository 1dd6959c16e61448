package document

import (
	"fmt"
	"strings"
	"testing"
)

// withTwice returns an object of n names, whose last is also that of the one at same.
func withTwice(n, same int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":{"n":["n"]},`, i)
	}
	fmt.Fprintf(&b, `"n%d":"x"`, same)
	return "{" + b.String() + "}"
}

func TestNamesOfOneObjectAreDistinct(t *testing.T) {
	t.Parallel()
	good := []string{
		`1`, `"a"`, `[]`, `{}`, `{"a":"a","b":["a","b",{"a":1,"b":{"a":2}}]}`, `[{"a":1},{"a":1}]`,
		`{"a":{"b":1},"b":{"a":1}}`, `{"":1,"\\":2,"\"":3,"\":":4}`, withTwice(15, 15), withTwice(16, 16), withTwice(5000, 5000),
		`[` + withTwice(100, 100) + `,` + withTwice(100, 100) + `]`,
	}
	bad := []string{
		`{"a":1,"a":1}`, `{"":1,"":1}`, `[0,[{"x":{"a":1,"b":2,"a":3}}]]`, `{"a":{"a":1},"b":0,"a":1}`, `{"\"":1,"\"":2}`,
		withTwice(15, 0), withTwice(15, 14), withTwice(16, 0), withTwice(17, 16), withTwice(5000, 0), withTwice(5000, 4999),
	}
	for _, text := range good {
		if !isCompact([]byte(text), maxDepth) {
			t.Errorf("%.60s has a name twice", text)
		}
	}
	for _, text := range bad {
		if isCompact([]byte(text), maxDepth) {
			t.Errorf("%.60s has no name twice", text)
		}
		if _, err := Parse([]byte(text), nil); err == nil {
			t.Errorf("%.60s was read", text)
		}
	}
}

func TestStringEndsBehindItsQuote(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		for _, end := range []string{``, `\\`, `\"`, `\\\"`, `\\\\\"\\`, `\u005c`} {
			text := `"` + strings.Repeat("x", n) + end + `"`
			if got := stringEnd([]byte(text+`,"y"`), 0); got != len(text) {
				t.Errorf("%s ends at %d, want %d", text, got, len(text))
			}
			cut := []byte(text[:len(text)-1])
			if got := stringEnd(cut, 0); got != len(cut) {
				t.Errorf("%s without its end ends at %d, want %d", cut, got, len(cut))
			}
		}
	}
}
