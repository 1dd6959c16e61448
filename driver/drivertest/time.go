package drivertest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

// advance moves the database's clock.
func (e *env) advance(d time.Duration) {
	e.Helper()
	e.h.Advance(e.T, e.db, d)
}

// now returns the database's time.
func (e *env) now() driver.Moment {
	e.Helper()
	s, err := e.db.Read(e.ctx)
	if err != nil {
		e.Fatalf("Read(): %v", err)
	}
	return s.Now
}

// nextHour moves the clock to a minute past the next full hour.
func (e *env) nextHour() {
	e.Helper()
	now := e.now().Wall
	e.advance(now.Truncate(time.Hour).Add(time.Hour + time.Minute).Sub(now))
}

var timeFacts = []fact{
	{"UpdatedIsTheTimeOfTheCommit", 0, func(e *env) {
		before := e.now()
		at := e.applied(batch(always("k", "1")))
		after := e.now()
		entry := e.read("k")
		if diff := cmp.Diff(at, entry.Updated); diff != "" {
			e.Errorf("Updated of Read (-outcome +read):\n%s", diff)
		}
		if diff := cmp.Diff(at.Wall, entry.Created); diff != "" {
			e.Errorf("Created (-outcome +read):\n%s", diff)
		}
		since, ok := at.Since(before)
		until, ok2 := after.Since(at)
		if !ok || !ok2 || since < 0 || until < 0 {
			e.Errorf("ticks before, at and after a commit: %v, %v, %v", before, at, after)
		}
	}},
	{"CreatedStaysWhileUpdatedMoves", needsClock, func(e *env) {
		first := e.applied(batch(always("k", "1")))
		e.advance(time.Minute)
		second := e.applied(batch(always("k", "2")))
		got := e.read("k")
		if !got.Created.Equal(first.Wall) || !got.Updated.Wall.Equal(second.Wall) {
			e.Errorf("Read = created %v, updated %v, want %v and %v", got.Created, got.Updated.Wall, first.Wall, second.Wall)
		}
		if d, ok := second.Since(first); !ok || d < time.Minute {
			e.Errorf("tick moved by %v, comparable %v, want a minute", d, ok)
		}
	}},
	{"EveryReadTellsTheTime", needsClock, func(e *env) {
		e.apply(always("k", "1"))
		a := e.now()
		e.advance(time.Second)
		b := e.list(driver.Query{}).Now
		e.advance(time.Second)
		c := e.now()
		for _, step := range [][2]driver.Moment{{a, b}, {b, c}} {
			d, ok := step[1].Since(step[0])
			if wall := step[1].Wall.Sub(step[0].Wall); !ok || d < time.Second || wall < time.Second {
				e.Errorf("from %v to %v: tick %v, wall %v, want a second", step[0], step[1], d, wall)
			}
		}
	}},
	{"TicksNeverGoBack", 0, func(e *env) {
		other := e.second()
		last := e.now()
		for i := range 50 {
			db := e.db
			if i%2 == 1 {
				db = other
			}
			s, err := db.Read(e.ctx)
			if err != nil {
				e.Fatalf("Read(): %v", err)
			}
			if d, ok := s.Now.Since(last); !ok || d < 0 {
				e.Fatalf("moment %v after %v: tick moved by %v, comparable %v", s.Now, last, d, ok)
			}
			last = s.Now
		}
	}},
	{"TimesSurviveReopening", needsReopen, func(e *env) {
		at := e.applied(batch(always("k", "1")))
		e.reopen()
		if diff := cmp.Diff(at, e.read("k").Updated); diff != "" {
			e.Errorf("Updated after reopening (-want +got):\n%s", diff)
		}
		if d, ok := e.now().Since(at); !ok || d < 0 {
			e.Errorf("tick since before reopening = %v, comparable %v", d, ok)
		}
	}},
	{"TheLastVersionOfASpanIsRetained", needsClock, func(e *env) {
		e.nextHour()
		e.save("k", hourly)
		e.advance(10 * time.Minute)
		e.save("k", hourly)
		e.advance(10 * time.Minute)
		last := e.save("k", hourly)
		e.retains("k", last)
		e.nextHour()
		next := e.save("k", hourly)
		e.retains("k", last, next)
		e.advance(time.Minute)
		next = e.save("k", hourly)
		e.retains("k", last, next)
	}},
	{"MarkedVersionsStayWithinASpan", needsClock, func(e *env) {
		e.nextHour()
		e.save("k", hourly)
		before := e.save("k", hourly)
		marked := e.mark("k", hourly)
		e.save("k", hourly)
		last := e.save("k", hourly)
		e.retains("k", before, marked, last)
	}},
	{"VersionsGoWhenTheirTimeIsOver", needsClock, func(e *env) {
		day := &driver.Retention{For: 24 * time.Hour}
		a := e.save("k", day)
		e.advance(48 * time.Hour)
		b := e.save("k", day) // a was written long ago and replaced just now
		e.retains("k", a, b)
		e.advance(23 * time.Hour)
		c := e.save("k", day)
		e.retains("k", a, b, c)
		e.advance(2 * time.Hour)
		d := e.save("k", day)
		e.retains("k", b, c, d)
	}},
	{"TheirTimeEndsThoughNothingIsRetained", needsClock, func(e *env) {
		a := e.save("k", everyVersion)
		b := e.save("k", everyVersion)
		short := &driver.Retention{Every: -1, For: time.Hour}
		c := e.save("k", short)
		e.retains("k", a, c)
		e.advance(2 * time.Hour)
		d := e.save("k", short)
		e.retains("k", d)
		_ = b
	}},
	{"MarkedVersionsOutliveTheirTime", needsClock, func(e *env) {
		hour := &driver.Retention{Every: -1, For: time.Hour}
		m := e.mark("k", hour)
		e.save("k", hour)
		e.advance(1000 * time.Hour)
		last := e.save("k", hour)
		e.retains("k", m, last)
	}},
	{"OneVersionOfASpanThoughTheClockWasSetBack", needsClock | needsReverse, func(e *env) {
		e.nextHour()
		e.save("k", hourly)
		e.nextHour()
		late := e.save("k", hourly) // retains the first
		e.advance(-time.Hour)
		again := e.save("k", hourly) // the first is no longer the last of its hour
		e.retains("k", late, again)
	}},
}
