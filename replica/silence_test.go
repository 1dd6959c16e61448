package replica

import (
	"testing"
	"time"
)

func TestSilenceIsTwoAndAHalfPingsWithinBounds(t *testing.T) {
	for ping, want := range map[float64]time.Duration{
		0.5: 250 * time.Millisecond, 100: 250 * time.Millisecond, 1000: 2500 * time.Millisecond, 600_000: 25 * time.Minute, 1e300: 25 * time.Minute,
	} {
		if got := silence(ping); got != want {
			t.Errorf("silence(%v) = %v, want %v", ping, got, want)
		}
	}
}

// TestAPingThatIsDueAtTheEndIsTheLast has the timer of the pings fire when the
// connection ends, and its function run after that.
func TestAPingThatIsDueAtTheEndIsTheLast(t *testing.T) {
	c := &Conn{h: &Handler{srv: &Server{opts: Options{Ping: time.Hour}}}, watcher: &Watcher{}}
	c.ping = time.AfterFunc(time.Hour, c.pingDue)
	c.watcher.off.Store(true)
	c.ping.Stop()
	c.pingDue()
	if c.ping.Stop() {
		t.Error("a connection that has ended is going to be pinged, for ever")
	}
}
