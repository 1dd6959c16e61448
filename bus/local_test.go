package bus_test

import (
	"context"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLocal(t *testing.T) {
	bustest.Run(t, func(t *testing.T, fact func(*testing.T, *bustest.Medium)) {
		synctest.Test(t, func(t *testing.T) {
			l := bus.NewLocal()
			fact(t, &bustest.Medium{Dial: func(context.Context) (bus.Transport, error) { return l.Transport(), nil }})
		})
	})
}
