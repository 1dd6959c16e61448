package mem_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/driver/drivertest"
	"github.com/holdfast-games/holdfast/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Open: func(t *testing.T) driver.DB { return mem.Open() },
		Damage: func(t *testing.T, db driver.DB, key string) {
			if err := db.(*mem.DB).Damage(key); err != nil {
				t.Fatalf("Damage(%q): %v", key, err)
			}
		},
		Advance: func(t *testing.T, db driver.DB, d time.Duration) { time.Sleep(d) },
		Bubble:  synctest.Test,
	})
}
