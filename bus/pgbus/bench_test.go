package pgbus_test

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/bus/pgbus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func BenchmarkPostgreSQL(b *testing.B) {
	address := pgtest.URL(b)
	bustest.Bench(b, &bustest.Medium{Dial: func(ctx context.Context) (bus.Transport, error) { return pgbus.Dial(ctx, address) }})
}
