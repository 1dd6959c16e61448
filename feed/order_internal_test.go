package feed

import (
	"slices"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// clock returns a moment of a boot: its tick, and what people's clocks showed.
func clock(boot string, tick, wall int) driver.Moment {
	return driver.Moment{Boot: boot, Tick: time.Duration(tick), Wall: time.Unix(int64(wall), 0)}
}

func TestEarlierBootsComeFirst(t *testing.T) {
	f := &follower{boot: "now"}
	for _, c := range []struct {
		name string
		a, b driver.Moment
		want bool
	}{
		{"InOneBootByItsTicks", clock("now", 1, 9), clock("now", 2, 8), true},
		{"InOneBootEqual", clock("now", 1, 8), clock("now", 1, 9), false},
		{"AnEarlierBootBeforeThePresent", clock("old", 9, 9), clock("now", 1, 1), true},
		{"ThePresentNotBeforeAnEarlierBoot", clock("now", 1, 1), clock("old", 9, 9), false},
		{"TwoEarlierBootsByTheWall", clock("old", 9, 1), clock("older", 1, 2), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := f.before(c.a, c.b); got != c.want {
				t.Errorf("before(%+v, %+v) = %v, want %v", c.a, c.b, got, c.want)
			}
		})
	}
	t.Run("AndBoundWhatIsToldOfTheOthers", func(t *testing.T) {
		entries := func(boot string, ticks ...int) (all []entry) {
			for i, tick := range ticks {
				all = append(all, entry{FeedEntry: session.FeedEntry{Number: uint64(i + 1)}, when: clock(boot, tick, tick)})
			}
			return all
		}
		f.pass, f.streams = 1, []*stream{
			{buffer: entries("old", 10, 20, 30), more: true},
			{buffer: entries("old", 15, 25, 35)},
			{buffer: entries("now", 1, 2)},
		}
		if got, want := f.choose(), []int{2, 2, 0}; !slices.Equal(got, want) {
			t.Errorf("choose = %v, want %v: what is before 30 of the earlier boot", got, want)
		}
		f.streams[0].more = false
		if got, want := f.choose(), []int{3, 3, 2}; !slices.Equal(got, want) {
			t.Errorf("choose = %v, want everything, %v", got, want)
		}
	})
}

func TestClockThatIsSetBackTurnsNoStreamAround(t *testing.T) {
	f := &follower{pass: 1, streams: []*stream{
		{Stream: session.Stream{Server: "a"}, buffer: []entry{
			{FeedEntry: recordOf(1), when: clock("", 10, 10)},
			{FeedEntry: recordOf(3), when: clock("", 10, 10)}, // it was 5
		}},
		{Stream: session.Stream{Server: "b"}, buffer: []entry{{FeedEntry: recordOf(2), when: clock("", 20, 20)}}},
	}}
	items, told := f.take(f.choose())
	var got []uint64
	for _, it := range items {
		got = append(got, it.record.Revision)
	}
	if want := []uint64{1, 2, 3}; told != 3 || !slices.Equal(got, want) {
		t.Errorf("revisions %v of %d entries, want %v", got, told, want)
	}
}

func recordOf(revision uint64) session.FeedEntry {
	return session.FeedEntry{Number: revision, Records: []session.FeedRecord{{Revision: revision}}}
}
