package document_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

func TestCompact(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{` null `, `null`},
		{`"\u0041\/"`, `"A/"`},
		{`[ 1.50 , 2 ]`, `[1.50,2]`},
		{"{ \"b\" : 1 ,\n\"a\" : 12345678901234567890 }", `{"b":1,"a":12345678901234567890}`},
		{`1e400`, `1e400`},
		{`{"":{}}`, `{"":{}}`},
	}
	for _, test := range tests {
		text := []byte(test.text)
		got, err := document.Compact(text, nil)
		if string(got) != test.want || err != nil {
			t.Errorf("Compact(%q) = %q, %v, want %q", test.text, got, err, test.want)
		}
		if len(got) != cap(got) {
			t.Errorf("Compact(%q) has %d bytes in a slice of %d", test.text, len(got), cap(got))
		}
		clear(text)
		if string(got) != test.want {
			t.Errorf("Compact(%q) shares the bytes of its argument", test.text)
		}
	}
}

func TestCompactRefuses(t *testing.T) {
	t.Parallel()
	limits := &document.Limits{Size: 10, Depth: 2}
	tests := []struct {
		text string
		want error
		says string
	}{
		{``, document.ErrInvalid, "EOF"},
		{`1 2`, document.ErrInvalid, "after top-level value"},
		{`[1,]`, document.ErrInvalid, "offset 3"},
		{`{"a":1,"a":2}`, document.ErrInvalid, `duplicate name at "/a"`},
		{`"\ud800"`, document.ErrInvalid, "surrogate"},
		{"\"\xc3\"", document.ErrInvalid, "UTF-8"},
		{`+1`, document.ErrInvalid, "offset"},
		{`"123456789"`, document.ErrTooLarge, "11 bytes, at most 10"},
		{`[[[]]]`, document.ErrTooDeep, "3 levels"},
		{strings.Repeat("[", 5000), document.ErrTooDeep, "5000 levels"},
	}
	for _, test := range tests {
		got, err := document.Compact([]byte(test.text), limits)
		if got != nil || !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("Compact(%.20q) = %q, %v, want %v that says %q", test.text, got, err, test.want, test.says)
		}
	}
}

func TestDepthIsBoundedWhateverTheLimitSays(t *testing.T) {
	t.Parallel()
	limits := &document.Limits{Depth: 1 << 40}
	text := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	if _, err := document.Compact([]byte(text), limits); err != nil {
		t.Errorf("Compact of 1000 levels: %v", err)
	}
	if _, err := document.Compact([]byte("["+text+"]"), limits); !errors.Is(err, document.ErrTooDeep) {
		t.Errorf("Compact of 1001 levels = %v, want ErrTooDeep", err)
	}
}
