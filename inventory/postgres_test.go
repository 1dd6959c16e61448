package inventory_test

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

func TestTradesOnPostgreSQLConserveEverything(t *testing.T) {
	db, err := postgres.Open(context.Background(), pgtest.URL(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	barter(&world{t, t.Context(), db, bus.NewLocal()}, 10)
}
