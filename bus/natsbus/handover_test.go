package natsbus_test

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/internal/doorbell"
)

func TestHandOver(t *testing.T) {
	doorbell.Run(t, func(t *testing.T, fact func(*testing.T, *bustest.Medium)) {
		m := newMedium(t)
		fact(t, &bustest.Medium{
			Dial: func(ctx context.Context) (bus.Transport, error) { return natsbus.Dial(ctx, m.e.URL()) },
			Cut:  m.cut, Join: m.join,
		})
	})
}
