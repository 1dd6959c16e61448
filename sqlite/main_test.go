package sqlite_test

import (
	"crypto/rand"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/driver"
)

// childVariable names the file that a child process of a test writes to.
const childVariable = "HOLDFAST_SQLITE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

func newID() driver.Version {
	id, err := driver.NewVersion(time.Now(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand never returns one
	}
	return id
}
