package driver

import "time"

// Retirement is what a write's schedule asks of a driver when the write
// replaces a version: whether that version is retained, and which of the
// entry's retained versions go. A driver carries it out in the order of the
// fields. It is decided here so that all drivers agree.
type Retirement struct {
	// Keep says that the replaced version is retained.
	Keep bool
	// Marked says that it is retained as a marked one, which no schedule's
	// Every or For removes.
	Marked bool
	// From and To bound a time span; retained versions that are not marked and
	// were written in From <= t < To go. Both are zero except when the clock
	// was set back into a span that may have its version already.
	From, To time.Time
	// Expired is zero, or the time up to which (inclusive) a version that is
	// not marked must have been replaced to go.
	Expired time.Time
	// Max is zero, or how many retained versions stay. Beyond it those that
	// are not marked go before those that are, and among them those that were
	// replaced first.
	Max int
}

// Retire decides what becomes of a version that was written at the given time,
// marked or not, when w replaces it at now. Without a schedule nothing is
// retained and nothing goes. Negative For and Max count as zero.
func (w *Write) Retire(written time.Time, marked bool, now time.Time) Retirement {
	s := w.Retain
	if s == nil {
		return Retirement{}
	}
	r := Retirement{Marked: marked || w.Mark, Max: max(s.Max, 0)}
	r.Keep = r.Marked || s.keeps(written, now)
	if s.Every > 0 && now.Before(written) {
		r.From, r.To = s.Span(now)
	}
	if s.For > 0 {
		r.Expired = now.Add(-s.For)
	}
	return r
}

// keeps reports whether a version written at the given time is the last of its
// span, now that another is written.
func (s *Retention) keeps(written, now time.Time) bool {
	if s.Every <= 0 {
		return s.Every == 0
	}
	from, to := s.Span(now)
	return written.Before(from) || !written.Before(to)
}

// Span returns the time span of the schedule that t lies in, from <= t < to.
// Both are zero unless Every is positive.
func (s *Retention) Span(t time.Time) (from, to time.Time) {
	if s.Every <= 0 {
		return time.Time{}, time.Time{}
	}
	n, every := t.UnixNano(), int64(s.Every)
	start := n - n%every
	if start > n {
		start -= every // before the epoch the remainder is negative
	}
	return time.Unix(0, start).UTC(), time.Unix(0, start+every).UTC()
}
