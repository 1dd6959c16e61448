package replica_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(crowdURL) != "" {
		runCrowd()
		return
	}
	goleak.VerifyTestMain(m)
}
