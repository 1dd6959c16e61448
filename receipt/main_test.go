package receipt_test

import (
	"flag"
	"os"
	"testing"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func TestMain(m *testing.M) {
	if step := os.Getenv(asServer); step != "" {
		os.Exit(serve(step))
	}
	// Most of what runs in real time waits for leases to run out.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	pgtest.Main(m)
}
