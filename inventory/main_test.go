package inventory_test

import (
	"testing"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
