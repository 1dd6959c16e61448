package doorbell

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble calls fact in a bubble with a bus within the process.
func bubble(t *testing.T, fact func(*testing.T, *bustest.Medium)) {
	synctest.Test(t, func(t *testing.T) {
		l := bus.NewLocal()
		fact(t, &bustest.Medium{Dial: func(context.Context) (bus.Transport, error) { return l.Transport(), nil }})
	})
}

func TestLocal(t *testing.T) { Run(t, bubble) }

func TestServerLooksAtOnceWhenItMayHaveMissedAMessage(t *testing.T) {
	bubble(t, func(t *testing.T, m *bustest.Medium) {
		w := &world{T: t, medium: m, db: faulty.New(remote{mem.Open()})}
		defer w.close()
		a, b := w.open("a", nil), w.open("b", nil)
		w.visit(a, 1, 0)
		time.Sleep(5 * time.Second / 2) // between two looks
		a.line.Cut()
		began := time.Now()
		time.AfterFunc(100*time.Millisecond, a.line.Join)
		w.visit(b, 1, 1)
		if took := time.Since(began); took < 100*time.Millisecond || took > 200*time.Millisecond {
			t.Errorf("hand-over took %v of simulated time, want a little more than the 100ms of the cut", took)
		}
	})
}
