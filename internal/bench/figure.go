package bench

import "fmt"

// Figure is one measured value.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"` // of Value and YardstickValue
	// Yardstick says what was measured beside it, empty if nothing was.
	Yardstick      string  `json:"yardstick,omitzero"`
	YardstickValue float64 `json:"yardstick_value,omitzero"`
	// Ratio is Value to YardstickValue, zero without a yardstick.
	Ratio float64 `json:"ratio,omitzero"`
	// Limit says what the figure should reach, and OK whether it did. Without
	// a limit OK is nil.
	Limit string `json:"limit,omitzero"`
	OK    *bool  `json:"ok,omitzero"`
	// Note says what else was seen.
	Note string `json:"note,omitzero"`
	// Skipped says why it was not measured. Then there is nothing but a name.
	Skipped string `json:"skipped,omitzero"`
}

// skipped returns figures that do not apply, so that none is missing silently.
func skipped(why string, names ...string) []Figure {
	figures := make([]Figure, len(names))
	for i, name := range names {
		figures[i] = Figure{Name: name, Skipped: why}
	}
	return figures
}

// Missed reports whether the figure has a limit that it did not reach.
func (f *Figure) Missed() bool { return f.OK != nil && !*f.OK }

// beside adds what was measured as the yardstick.
func (f Figure) beside(yardstick string, p pair) Figure {
	f.Value, f.Yardstick, f.YardstickValue, f.Ratio = p.subject, yardstick, p.yardstick, p.ratio
	return f
}

// ratioAtMost limits the ratio from above.
func (f Figure) ratioAtMost(most float64) Figure {
	return f.limited(fmt.Sprintf("at most %g times", most), f.Ratio <= most)
}

// ratioAtLeast limits the ratio from below.
func (f Figure) ratioAtLeast(least float64) Figure {
	return f.limited(fmt.Sprintf("at least %g%%", least*100), f.Ratio >= least)
}

// atMost limits the value from above.
func (f Figure) atMost(most float64) Figure {
	return f.limited(fmt.Sprintf("at most %g %s", most, f.Unit), f.Value <= most)
}

func (f Figure) limited(limit string, ok bool) Figure {
	if f.Limit != "" {
		limit, ok = f.Limit+", "+limit, ok && *f.OK
	}
	f.Limit, f.OK = limit, &ok
	return f
}

func (f Figure) noted(format string, args ...any) Figure {
	f.Note = fmt.Sprintf(format, args...)
	return f
}
