package driver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

func TestRetire(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)
	hour := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	hourly := &driver.Retention{Every: time.Hour}
	for _, c := range []struct {
		fact    string
		write   driver.Write
		written time.Time
		marked  bool
		want    driver.Retirement
	}{
		{"WithoutAScheduleNothingStays", driver.Write{}, now, true, driver.Retirement{}},
		{"ZeroKeepsEvery", driver.Write{Retain: &driver.Retention{}}, now, false, driver.Retirement{Keep: true}},
		{"NegativeKeepsNone", driver.Write{Retain: &driver.Retention{Every: -1}}, now, false, driver.Retirement{}},
		{"NegativeKeepsMarked", driver.Write{Retain: &driver.Retention{Every: -1}}, now, true,
			driver.Retirement{Keep: true, Marked: true}},
		{"AMarkingWriteKeepsWhatItReplaces", driver.Write{Retain: &driver.Retention{Every: -1}, Mark: true}, now, false,
			driver.Retirement{Keep: true, Marked: true}},
		{"TheSameSpanKeepsNone", driver.Write{Retain: hourly}, hour, false, driver.Retirement{}},
		{"TheSpanBeforeIsKept", driver.Write{Retain: hourly}, hour.Add(-1), false, driver.Retirement{Keep: true}},
		{"AClockSetBackReopensItsSpan", driver.Write{Retain: hourly}, hour.Add(time.Hour), false,
			driver.Retirement{Keep: true, From: hour, To: hour.Add(time.Hour)}},
		{"ForAndMaxAreHandedOn", driver.Write{Retain: &driver.Retention{For: time.Hour, Max: 3}}, now, false,
			driver.Retirement{Keep: true, Expired: now.Add(-time.Hour), Max: 3}},
		{"NegativeForAndMaxAreNone", driver.Write{Retain: &driver.Retention{For: -1, Max: -1}}, now, false,
			driver.Retirement{Keep: true}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.write.Retire(c.written, c.marked, now)); diff != "" {
				t.Errorf("Retire (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	s := driver.Retention{Every: time.Hour}
	for _, c := range []struct{ at, from time.Time }{
		{time.Unix(0, 0), time.Unix(0, 0)},
		{time.Unix(3599, 999_999_999), time.Unix(0, 0)},
		{time.Unix(3600, 0), time.Unix(3600, 0)},
		{time.Unix(-1, 0), time.Unix(-3600, 0)},
		{time.Unix(-3600, 0), time.Unix(-3600, 0)},
	} {
		from, to := s.Span(c.at)
		if !from.Equal(c.from) || to.Sub(from) != time.Hour {
			t.Errorf("Span(%v) = %v to %v, want from %v for an hour", c.at.UTC(), from, to, c.from.UTC())
		}
	}
	if from, to := (&driver.Retention{}).Span(time.Now()); !from.IsZero() || !to.IsZero() {
		t.Errorf("Span without Every = %v to %v, want none", from, to)
	}
}
