package session

import (
	"fmt"
	"testing"

	"github.com/holdfast-games/holdfast/document"
	"pgregory.net/rapid"
)

// TestLedger holds the ledger to a plain model: the document as it was, and as
// it is.
func TestLedger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := []string{"a", "b", "c"}
		elements := []string{"x", "y", ""}
		if rapid.Bool().Draw(t, "many") { // beyond the length that has no index
			for i := range 2 * linear {
				elements = append(elements, fmt.Sprint("e", i))
			}
		}
		paths := rapid.Custom(func(t *rapid.T) document.Path {
			field := rapid.SampledFrom(fields).Draw(t, "field")
			if rapid.Bool().Draw(t, "deep") {
				return document.Element(field, rapid.SampledFrom(elements).Draw(t, "element"))
			}
			return document.Field(field)
		})
		values := rapid.SampledFrom([]string{`1`, `"two"`, `{}`, `{"x":1}`, `{"x":{"y":2},"z":3}`, `[1]`, `null`})
		session := new(Session)
		scratch().MoveTo(&session.doc)
		doc := &session.doc
		change := func(l *ledger) {
			p := paths.Draw(t, "path")
			if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
				if prev := doc.Delete(p); prev != nil && l != nil {
					l.note(p, prev, nil)
				}
				return
			}
			tx := Tx{s: session}
			if err := tx.Set(p, []byte(values.Draw(t, "value")), false); err != nil {
				return // an element of what is no object
			}
			if l != nil {
				u := tx.undo[0]
				l.note(u.path, u.prev, u.value)
			}
		}
		for range rapid.IntRange(0, 20).Draw(t, "before") {
			change(nil)
		}
		was := doc.Clone()
		var l ledger
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			change(&l)
			checkLedger(t, &l, was, doc, fields, elements)
		}
	})
}

func checkLedger(t *rapid.T, l *ledger, was, now *document.Document, fields, elements []string) {
	t.Helper()
	before, after := was.AppendJSON(nil), now.AppendJSON(nil)
	if got := now.AppendBefore(nil, l.was); !document.Equal(got, before) {
		t.Fatalf("taking %v back from %s gives %s, want %s", l.was, after, got, before)
	}
	replayed := was.Clone()
	if err := replayed.Apply(l.now); err != nil {
		t.Fatalf("apply %v to %s: %v", l.now, before, err)
	}
	if got := replayed.AppendJSON(nil); !document.Equal(got, after) {
		t.Fatalf("applying %v to %s gives %s, want %s", l.now, before, got, after)
	}
	for _, field := range fields {
		checkRevert(t, l, was, now, document.Field(field))
		for _, element := range elements {
			checkRevert(t, l, was, now, document.Element(field, element))
		}
	}
	for _, d := range []document.Delta{l.now, l.was} {
		seen := make(map[document.Path]bool)
		for _, c := range d {
			if seen[c.Path] {
				t.Fatalf("path %v is twice in %v", c.Path, d)
			}
			seen[c.Path] = true
		}
	}
}

func checkRevert(t *rapid.T, l *ledger, was, now *document.Document, p document.Path) {
	t.Helper()
	value, _ := now.Get(p)
	want, ok := was.Get(p)
	got := l.revert(p, value)
	if (got != nil) != ok || ok && !document.Equal(got, want) {
		t.Fatalf("revert(%v, %s) with %v = %s, want %s", p, value, l.was, got, want)
	}
}
