package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// A server renews its lease as often as it looks for dead ones, so that the two may
// be in step for ever. The dead are sealed all the same.
func TestDeadServerIsSealedSoonWhateverTheStep(t *testing.T) {
	for _, lease := range []time.Duration{session.MinLease, 3 * time.Second, 4 * time.Second, 10 * time.Second} {
		for _, offset := range []time.Duration{0, 90 * time.Millisecond, 250 * time.Millisecond, 410 * time.Millisecond, 490 * time.Millisecond} {
			t.Run(fmt.Sprintf("Lease%vOffset%v", lease, offset), func(t *testing.T) {
				bubble(t, func(w *world) {
					a := w.server("a", &session.Options{Lease: lease})
					w.open(a, alice)
					time.Sleep(offset)
					b := w.server("b", &session.Options{Lease: lease})
					time.Sleep(2 * lease)
					a.kill()
					time.Sleep(2*lease + 2*time.Second)
					for l, err := range b.Reader().Leases(w.ctx) {
						if err != nil || l.Server == "a" && l.SealedBy == "" {
							t.Errorf("lease of %q still stands, %v", l.Server, err)
						}
					}
				})
			})
		}
	}
}
