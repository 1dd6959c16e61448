package session_test

import (
	"fmt"
	"strings"
	"testing"
)

// Large roots are encoded into buffers that are used again: no root shows another's data.
func TestLargeRootsDoNotShareBuffers(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.server("a", nil)
		large := func(key fmt.Stringer, n int) string {
			return `"` + strings.Repeat(fmt.Sprint(key, n), 40_000/len(key.String())+n) + `"`
		}
		for n := range 4 {
			a, b := w.open(srv, alice), w.open(srv, bob)
			if n > 0 {
				w.want(a, "text", large(alice, n-1))
				w.want(b, "text", large(bob, n-1))
			}
			w.set(a, "text", large(alice, n))
			w.set(b, "text", large(bob, n))
			w.save(b)
			w.close(a)
			w.want(b, "text", large(bob, n))
			w.close(b)
			w.unlocked(alice, "text", large(alice, n))
			w.unlocked(bob, "text", large(bob, n))
		}
	})
}
