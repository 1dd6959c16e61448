package document_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-games/holdfast/document"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want document.Path
	}{
		{"bag", document.Field("bag")},
		{"bag/sword", document.Element("bag", "sword")},
		{"bag/", document.Element("bag", "")},
		{"a~1b/c~0d~01", document.Element("a/b", "c~d~1")},
		{"Größe/剣 ", document.Element("Größe", "剣 ")},
	}
	for _, test := range tests {
		got, err := document.ParsePath(test.text)
		if got != test.want || err != nil {
			t.Errorf("ParsePath(%q) = %#v, %v, want %#v", test.text, got, err, test.want)
		}
		if s := test.want.String(); s != test.text {
			t.Errorf("%#v.String() = %q, want %q", test.want, s, test.text)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, says string }{
		{"", "empty field name"},
		{"/a", "empty field name"},
		{"a/b/c", "more than two parts"},
		{"a~", "offset 1"},
		{"a/b~2", "offset 3"},
		{"a\x00", "control character"},
		{"a\u0085", "control character"},
		{"a\xff", "UTF-8"},
		{"a/\xff", "UTF-8"},
		{strings.Repeat("a", 129), "129 bytes, at most 128"},
		{"a/" + strings.Repeat("b", 257), `257 bytes in "a", at most 256`},
	}
	for _, test := range tests {
		got, err := document.ParsePath(test.text)
		if !errors.Is(err, document.ErrInvalid) || !strings.Contains(err.Error(), test.says) || got != (document.Path{}) {
			t.Errorf("ParsePath(%.20q) = %v, %v, want an error that says %q", test.text, got, err, test.says)
		}
	}
	shallow := document.Path{Field: "a", Element: "b"}
	if err := shallow.Check(); !errors.Is(err, document.ErrInvalid) {
		t.Errorf("%#v.Check() = %v, want ErrInvalid", shallow, err)
	}
}

func TestPathTextIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPath().Draw(t, "path")
		got, err := document.ParsePath(p.String())
		if got != p || err != nil {
			t.Fatalf("ParsePath(%q) = %#v, %v, want %#v", p.String(), got, err, p)
		}
	})
}

func TestPathsSortFieldsBeforeTheirElements(t *testing.T) {
	t.Parallel()
	want := []document.Path{
		document.Field("a"), document.Element("a", ""), document.Element("a", "b"),
		document.Field("a!"), document.Field("b"),
	}
	got := []document.Path{want[4], want[2], want[3], want[1], want[0]}
	slices.SortFunc(got, document.Path.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted paths = %v, want %v", got, want)
	}
}
