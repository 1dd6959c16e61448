package calls_test

import (
	"testing"
	"testing/synctest"

	"github.com/holdfast-games/holdfast/internal/calls"
)

func TestCloseWaitsForCallsAndLetsNoneIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls.Counter
		if !c.Enter() {
			t.Fatal("Enter before Close = false, want true")
		}
		closed := make(chan bool, 1)
		go func() { closed <- c.Close() }()
		synctest.Wait()
		if len(closed) != 0 || c.Enter() || c.Close() {
			t.Error("Close did not wait, or let a call in, or could be called twice")
		}
		c.Leave()
		synctest.Wait()
		if len(closed) != 1 || !<-closed {
			t.Error("Close did not return true after the last call")
		}
	})
}
