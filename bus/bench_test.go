package bus_test

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
)

func BenchmarkLocal(b *testing.B) {
	l := bus.NewLocal()
	bustest.Bench(b, &bustest.Medium{Dial: func(context.Context) (bus.Transport, error) { return l.Transport(), nil }})
}
