package natsbus

import (
	"strings"
	"testing"
)

func TestSubject(t *testing.T) {
	for name, want := range map[string]string{
		"holdfast.chat":    "holdfast.holdfast.chat",
		"f.a.b":            "holdfast.f.a.b",
		"f..a":             "holdfast.f.%2Ea",
		"f.a.":             "holdfast.f.a%2E",
		"f.*":              "holdfast.f.%2A",
		"f.>":              "holdfast.f.%3E",
		"f.a b\r\nPUB x 0": "holdfast.f.a%20b%0D%0APUB%20x%200",
		"f.100%":           "holdfast.f.100%25",
	} {
		if got := subject(name); got != want {
			t.Errorf("subject(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("f..a", "f.%2Ea")
	f.Add(".", "..")
	f.Fuzz(func(t *testing.T, a, b string) {
		sa, sb := subject(a), subject(b)
		if (a == b) != (sa == sb) {
			t.Errorf("subject(%q) = %q, subject(%q) = %q", a, sa, b, sb)
		}
		if strings.ContainsAny(sa, " \t\r\n*>") || a != "" && (strings.Contains(sa, "..") || strings.HasSuffix(sa, ".")) {
			t.Errorf("subject(%q) = %q, which NATS refuses", a, sa)
		}
	})
}
