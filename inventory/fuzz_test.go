package inventory

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

// FuzzStored reads entries as a damaged or foreign database may hold them: what is
// taken is written again as it was, and nothing panics.
func FuzzStored(f *testing.F) {
	const id = "0CTAO4HEIG07V8D96H4ND5S8G8"
	for _, seed := range [][2]string{
		{"arrow", `{"n":64}`}, {"arrow#2", `{"n":12,"p":{"fire":true}}`}, {"sword#" + id, `{"h":{"to":"player/1","via":[{"to":"a/b","at":5}]}}`},
		{"a", `{"n":9007199254740991,"at":"h","x":[1,{"y":2}]}`}, {"#", `{}`}, {"", `[]`},
		{"b", `{"n":1,"p":{}}`}, {"b", `{"n":1,"p":{"a":"}","b":{}}}`}, {"b", `{"n":1,"p":{"a":1},"at":"}"}`}, {"b", `{"n":01,"p":{}}`}, {"b", `{"n":1,"p":{"a":1},"x":{}}`},
		{strings.Repeat("b", 51), `{"n":1}`}, {"b\x7f", `{"n":1}`}, {"\n", `{"n":1}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, key, text string) {
		value, err := document.Compact([]byte(text), nil)
		if err != nil {
			return
		}
		if usual, ok := parseUsual(value); ok {
			if s, err := parseMembers(value); err != nil || !reflect.DeepEqual(usual, s) {
				t.Fatalf("%s is usually %+v, and by its members %+v, %v", value, usual, s, err)
			}
		}
		if usualName([]byte(key)) && checkName(key) != nil {
			t.Fatalf("%q is no name", key)
		}
		if checkStored([]byte(key), value) != nil {
			return
		}
		e, ok := entryOf(key, value)
		if !ok || e.Amount < 1 || e.Amount > MaxAmount || e.Item == "" {
			t.Fatalf("%q %s: entry %+v, %v", key, value, e, ok)
		}
		s, err := parseStored(value)
		if err != nil {
			t.Fatal(err)
		}
		again := s.append(nil)
		if !document.Equal(again, value) {
			t.Fatalf("%s is written as %s", value, again)
		}
		if compact, err := document.Compact(again, nil); err != nil || !bytes.Equal(compact, again) {
			t.Fatalf("%s is not compact: %v", again, err)
		}
		if e.Unique() {
			h, err := parseHistory(s.history)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := h.encode(); err != nil {
				t.Fatalf("history %s is not written again: %s, %v", s.history, text, err)
			}
		}
	})
}
