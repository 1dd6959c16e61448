package session_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// version returns a new version id.
func (w *world) version() driver.Version {
	w.t.Helper()
	v, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		w.t.Fatalf("NewVersion: %v", err)
	}
	return v
}
