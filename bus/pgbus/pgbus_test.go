package pgbus_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/bus/pgbus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// exec runs a statement in another database of the cluster.
func exec(t *testing.T, statement string) {
	t.Helper()
	if err := pgtest.Shared(t).Exec(context.WithoutCancel(t.Context()), "postgres", statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// name returns a database's name.
func name(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// newMedium is a database to which nobody can connect while it is cut.
func newMedium(t *testing.T, address string) *bustest.Medium {
	database := name(t, address)
	return &bustest.Medium{
		Dial: func(ctx context.Context) (bus.Transport, error) { return pgbus.Dial(ctx, address) },
		Cut: func(t *testing.T) {
			exec(t, fmt.Sprintf("alter database %q allow_connections false", database))
			exec(t, fmt.Sprintf("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '%s'", database))
		},
		Join: func(t *testing.T) { exec(t, fmt.Sprintf("alter database %q allow_connections true", database)) },
	}
}

func TestBus(t *testing.T) {
	address := pgtest.URL(t)
	bustest.Run(t, func(t *testing.T, fact func(*testing.T, *bustest.Medium)) { fact(t, newMedium(t, address)) })
}
