package sim

import (
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// clock is the database's: it runs at a rate of its own, jumps, and begins
// anew when the machine boots. What it said of a moment stays true: the time
// of a stored version is told as it was when it was written.
type clock struct {
	spans  []span
	latest time.Time // that its wall clock has shown before the last span
}

// span is a stretch of time in which the clock runs evenly.
type span struct {
	from time.Time     // by the world's time
	tick time.Duration // what the clock shows then
	wall time.Duration // by how much its wall clock is ahead of the world's
	rate float64       // how fast it runs
	boot string
}

func newClock(rate float64) *clock {
	return &clock{spans: []span{{from: time.Now(), tick: time.Hour, rate: rate, boot: "boot 1"}}}
}

// moment tells the database's time at a moment of the world's.
func (c *clock) moment(m driver.Moment) driver.Moment {
	if m.Wall.IsZero() {
		return m
	}
	s := c.spans[0]
	for _, later := range c.spans[1:] {
		if later.from.After(m.Wall) {
			break
		}
		s = later
	}
	return driver.Moment{Wall: m.Wall.Add(s.wall), Boot: s.boot, Tick: s.at(m.Wall)}
}

// backLimit is how far the wall clock may fall back behind what it has shown.
const backLimit = 50 * time.Minute

// jumpWall sets the wall clock forwards or back, and returns by how much.
func (c *clock) jumpWall(by time.Duration) time.Duration {
	s := c.last()
	now := time.Now().Add(s.wall)
	c.latest = c.top()
	if least := c.latest.Add(-backLimit); now.Add(by).Before(least) {
		by = least.Sub(now)
	}
	s.tick, s.from = s.at(time.Now()), time.Now()
	s.wall += by
	c.spans = append(c.spans, s)
	return by
}

// top returns the latest time that the wall clock has shown.
func (c *clock) top() time.Time {
	if now := time.Now().Add(c.last().wall); now.After(c.latest) {
		return now
	}
	return c.latest
}

func (s span) at(t time.Time) time.Duration {
	return s.tick + time.Duration(float64(t.Sub(s.from))*s.rate)
}

func (c *clock) last() span { return c.spans[len(c.spans)-1] }

// jump sets the clock forwards or back.
func (c *clock) jump(by time.Duration) {
	s := c.last()
	s.tick, s.from = s.at(time.Now())+by, time.Now()
	c.spans = append(c.spans, s)
}

// reboot begins the clock anew.
func (c *clock) reboot() {
	s := c.last()
	s.boot = fmt.Sprintf("boot %d", len(c.spans)+1)
	s.tick, s.from = time.Second, time.Now()
	c.spans = append(c.spans, s)
}
