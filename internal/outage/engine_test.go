package outage_test

import (
	"context"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/postgres"
)

// isolations are the levels at which the driver runs. The first is its default.
var isolations = []postgres.Isolation{postgres.ReadCommitted, postgres.Serializable}

func open(ctx context.Context, url string) (driver.DB, error) { return openAt(ctx, url, isolations[0]) }

func openAt(ctx context.Context, url string, isolation postgres.Isolation) (driver.DB, error) {
	db, err := postgres.Open(ctx, url, &postgres.Options{Isolation: isolation})
	if err != nil {
		return nil, err // and not a nil *postgres.DB
	}
	return db, nil
}
