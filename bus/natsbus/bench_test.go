package natsbus_test

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/bus/natsbus"
)

func BenchmarkNATS(b *testing.B) {
	e, err := natsbus.Embed(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Close)
	b.Run("TCP", func(b *testing.B) {
		bustest.Bench(b, &bustest.Medium{Dial: func(ctx context.Context) (bus.Transport, error) { return natsbus.Dial(ctx, e.URL()) }})
	})
	b.Run("InTheProcess", func(b *testing.B) {
		bustest.Bench(b, &bustest.Medium{Dial: func(context.Context) (bus.Transport, error) { return e.Dial() }})
	})
}
