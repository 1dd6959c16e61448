package demo

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestContact(t *testing.T) {
	refused := errors.New("connection refused")
	for name, c := range map[string]struct {
		do   func(*contact)
		away bool
		why  error
	}{
		"IsThereBeforeTheFirstCommit": {func(*contact) { time.Sleep(time.Minute) }, false, nil},
		"IsThereWhileCommitsAreAnswered": {func(c *contact) {
			slow := c.begin()
			for range 20 {
				time.Sleep(noticeAway / 2)
				c.end(c.begin(), nil)
			}
			c.forget(slow)
		}, false, nil},
		"IsThereWithOneSlowCommitBesideOthers": {func(c *contact) {
			c.begin()
			for range 20 {
				time.Sleep(noticeAway / 2)
				c.end(c.begin(), nil)
			}
		}, false, nil},
		"IsThereAfterOneFailure": {func(c *contact) { c.end(c.begin(), refused) }, false, nil},
		"IsThereIfAFailureIsMadeGood": {func(c *contact) {
			c.end(c.begin(), refused)
			c.end(c.begin(), nil)
			time.Sleep(time.Minute)
		}, false, nil},
		"IsThereIfTheCallerHasLeft": {func(c *contact) {
			c.forget(c.begin())
			time.Sleep(time.Minute)
		}, false, nil},
		"IsAwayWhenACommitWaits": {func(c *contact) {
			c.begin()
			time.Sleep(noticeAway)
		}, true, nil},
		"IsAwayWhenAllFail": {func(c *contact) {
			for range 3 {
				c.end(c.begin(), refused)
				time.Sleep(noticeAway / 2)
			}
		}, true, refused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var k contact
				c.do(&k)
				if _, why, away := k.look(); away != c.away || !errors.Is(why, c.why) {
					t.Errorf("look = %v because of %v, want %v because of %v", away, why, c.away, c.why)
				}
			})
		})
	}
}

func TestContactTellsOnceAndForHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c contact
		time.Sleep(time.Hour)
		began := time.Now()
		slow := c.begin()
		time.Sleep(5 * noticeAway)
		if since, _, away := c.look(); !away || !since.Equal(began) {
			t.Errorf("look = %v since %v, want away since %v", away, since, began)
		}
		if _, _, away := c.look(); away {
			t.Error("look said twice that the database is away")
		}
		if since, back := c.end(slow, nil); !back || !since.Equal(began) {
			t.Errorf("end = back %v after an absence since %v, want back since %v", back, since, began)
		}
		if _, back := c.end(c.begin(), nil); back {
			t.Error("end said twice that the database is back")
		}
		time.Sleep(time.Hour)
		if _, _, away := c.look(); away {
			t.Error("look says that a database is away which nobody asks anything")
		}
	})
}
