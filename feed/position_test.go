package feed_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/feed"
	"github.com/holdfast-games/holdfast/session"
)

func TestPosition(t *testing.T) {
	t.Run("ComesBackFromItsText", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", session.Options{}), w.server("b", session.Options{})
			w.set(w.open(a, alice), "coins", "1", "")
			w.set(w.open(b, bob), "coins", "2", "")
			_, at := w.drain(feed.Position{})
			got, err := feed.ParsePosition(at.String())
			if err != nil || got != at || got.IsZero() {
				t.Errorf("ParsePosition(%q) = %q, error %v, want the same", at, got, err)
			}
			if strings.ContainsFunc(at.String(), func(r rune) bool {
				return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
			}) {
				t.Errorf("position %q holds more than letters, digits, - and _", at)
			}
		})
	})
	t.Run("OfNothingIsZero", func(t *testing.T) {
		p, err := feed.ParsePosition("")
		if err != nil || !p.IsZero() || p != (feed.Position{}) {
			t.Errorf("ParsePosition of an empty text = %q, error %v, want the zero Position", p, err)
		}
	})
	for name, text := range map[string]string{
		"NoBase64":       "!!",
		"OtherAlphabet":  "AQ==",
		"NewerForm":      "AgA",
		"NothingInIt":    "AQ",
		"CutStream":      "AQAB",
		"TooLong":        strings.Repeat("A", feed.MaxPosition+1),
		"TrailingBits":   "AQB",
		"OverlongNumber": "AYAA",
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			if p, err := feed.ParsePosition(text); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("ParsePosition(%.20q) = %q, error %v, want ErrInvalid", text, p, err)
			}
			var p feed.Position
			if err := p.UnmarshalText([]byte(text)); !errors.Is(err, driver.ErrInvalid) || !p.IsZero() {
				t.Errorf("UnmarshalText(%.20q) = %v and %q, want ErrInvalid and nothing", text, err, p)
			}
		})
	}
}

func FuzzParsePosition(f *testing.F) {
	f.Add("AQA")
	f.Add("AQAB")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := feed.ParsePosition(text)
		if err == nil && p.String() != text {
			t.Errorf("ParsePosition(%q) = %q", text, p)
		}
		if err != nil && !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("ParsePosition(%q) = %v, want ErrInvalid", text, err)
		}
	})
}

func TestApply(t *testing.T) {
	// A whole state takes the place of all that was there; another change does not.
	bubble(t, func(w *world) {
		a := w.server("a", session.Options{})
		s := w.open(a, alice)
		w.set(s, "coins", "1", "")
		changes, _ := w.drain(feed.Position{})
		v := newView(t)
		v.take(changes[0])
		whole := changes[0]
		whole.Whole = true
		whole.Delta[0].Path.Field = "gems"
		if err := whole.Apply(v.docs[alice.String()]); err != nil {
			t.Fatal(err)
		}
		if got := string(v.docs[alice.String()].AppendJSON(nil)); got != `{"gems":1}` {
			t.Errorf("document = %s after a whole state, want what that names", got)
		}
	})
}
