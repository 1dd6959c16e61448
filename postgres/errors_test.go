package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/holdfast-games/holdfast/driver"
)

func TestErrors(t *testing.T) {
	for code, want := range map[string]error{
		"53100": driver.ErrFull,
		"53200": driver.ErrUnavailable,
		"53300": driver.ErrUnavailable,
		"25006": driver.ErrReadOnly,
		"42501": driver.ErrReadOnly,
		"42P01": driver.ErrForeign,
		"42703": driver.ErrForeign,
		"3F000": driver.ErrForeign,
		"22001": driver.ErrInvalid,
		"22021": driver.ErrInvalid,
		"23514": driver.ErrInvalid,
		"54000": driver.ErrInvalid,
		"40001": driver.ErrUnavailable,
		"40P01": driver.ErrUnavailable,
		"40003": driver.ErrUnavailable,
		"55P03": driver.ErrUnavailable,
		"57014": driver.ErrUnavailable,
		"57P01": driver.ErrUnavailable,
		"57P03": driver.ErrUnavailable,
		"58030": driver.ErrUnavailable,
		"08006": driver.ErrUnavailable,
		"28P01": driver.ErrUnavailable, // of a running server: a password that is being changed
		"XX000": driver.ErrUnavailable,
		"XX001": driver.ErrCorrupt,
		"":      driver.ErrUnavailable,
	} {
		t.Run(code, func(t *testing.T) {
			cause := &pgconn.PgError{Code: code, Message: "something"}
			err := explain(t.Context(), fmt.Errorf("commit: %w", cause))
			if !errors.Is(err, want) || !errors.Is(err, cause) {
				t.Errorf("explain(%s) = %v, want %v and the cause", code, err, want)
			}
			if isUnavailable := want == driver.ErrUnavailable || want == driver.ErrFull; errors.Is(err, driver.ErrUnavailable) != isUnavailable {
				t.Errorf("explain(%s) = %v: it must match ErrUnavailable only if it may pass", code, err)
			}
		})
	}
	t.Run("ALostConnectionIsUnavailable", func(t *testing.T) {
		if err := explain(t.Context(), io.ErrUnexpectedEOF); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("explain = %v, want ErrUnavailable", err)
		}
	})
	t.Run("AnEndedContextTellsItsCause", func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		stop(io.ErrNoProgress)
		err := explain(ctx, context.Canceled)
		if !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("explain = %v, want ErrUnavailable and the cause", err)
		}
	})
	t.Run("AnErrorOfTheContractStays", func(t *testing.T) {
		if err := explain(t.Context(), driver.ErrCorrupt); err != driver.ErrCorrupt {
			t.Errorf("explain = %v, want it as it was", err)
		}
	})
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		fact, version, number string
		locked                bool
		want                  error
		postgres              bool
	}{
		{"Fifteen", "PostgreSQL 15.8 (Debian 15.8-0+deb12u1) on x86_64", "150008", false, nil, true},
		{"Newer", "PostgreSQL 18.1 on aarch64", "180001", false, nil, true},
		{"OlderIsRefused", "PostgreSQL 14.13 on x86_64", "140013", false, ErrVersion, true},
		{"AnotherEngineHasNumbersOfItsOwn", "CockroachDB CCL v24.1.0 (x86_64)", "130000", false, nil, false},
		{"AReplicaIsReadOnly", "PostgreSQL 15.8", "150008", true, driver.ErrReadOnly, true},
		{"NoNumberIsForeign", "PostgreSQL 15.8", "fifteen", false, driver.ErrForeign, true},
	} {
		t.Run(c.fact, func(t *testing.T) {
			srv, err := judge(c.version, c.number, c.locked)
			if !errors.Is(err, c.want) || srv.postgres != c.postgres {
				t.Errorf("judge(%q, %q, %v) = %+v, %v, want PostgreSQL %v, %v", c.version, c.number, c.locked, srv, err, c.postgres, c.want)
			}
		})
	}
}
