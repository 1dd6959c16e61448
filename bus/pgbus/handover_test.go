package pgbus_test

import (
	"testing"

	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/internal/doorbell"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestHandOver(t *testing.T) {
	address := pgtest.URL(t)
	doorbell.Run(t, func(t *testing.T, fact func(*testing.T, *bustest.Medium)) { fact(t, newMedium(t, address)) })
}
