package bazaar_test

import (
	"os"
	"testing"

	"github.com/holdfast-games/holdfast/internal/raced"
)

// self returns the test's own program, which is a stall with asStall.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fast returns the same program without the race detector, with which thousands of
// trades take several times as long.
func fast(t *testing.T) string {
	t.Helper()
	if !thorough {
		return self(t)
	}
	return raced.Without(t)
}

// thorough says that much is done, since there is time for it.
var (
	soak     = os.Getenv("HOLDFAST_SOAK") != ""
	thorough = soak || os.Getenv("CI") != ""
)
