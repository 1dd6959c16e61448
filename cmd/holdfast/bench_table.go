package main

import (
	"fmt"
	"strings"

	"github.com/holdfast-games/holdfast/internal/bench"
	"github.com/holdfast-games/holdfast/internal/console"
)

// write writes the figures as a table for people, or as JSON.
func (c *benchCmd) write(e *env, figures []bench.Figure) error {
	if c.JSON {
		if figures == nil {
			figures = []bench.Figure{} // a list, also if it is empty
		}
		return writeJSON(e.out, figures)
	}
	if len(figures) == 0 {
		return nil
	}
	rows := make([][]string, len(figures))
	notes := make([][]string, len(figures))
	for i, f := range figures {
		rows[i] = benchRow(&f)
		notes[i] = []string{f.Name, about(&f)}
	}
	if err := console.Table(e.out, []string{"FIGURE", "MEASURED", "YARDSTICK", "RATIO", "LIMIT", "REACHED"}, rows); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(e.out); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return console.Table(e.out, []string{"FIGURE", "WHAT IT IS"}, notes)
}

func benchRow(f *bench.Figure) []string {
	if f.Skipped != "" {
		return []string{f.Name, "–"}
	}
	row := []string{f.Name, number(f.Value) + " " + f.Unit, "", "", f.Limit, ""}
	if f.Yardstick != "" {
		row[2], row[3] = number(f.YardstickValue)+" "+f.Unit, fmt.Sprintf("%.2f", f.Ratio)
	}
	switch {
	case f.Missed():
		row[5] = "NO"
	case f.OK != nil:
		row[5] = "yes"
	}
	return row
}

// about says what a figure and its yardstick are.
func about(f *bench.Figure) string {
	switch {
	case f.Skipped != "":
		return "not measured: " + f.Skipped
	case f.Yardstick == "":
		return f.Note
	case f.Note == "":
		return "beside " + f.Yardstick
	}
	return f.Note + "; beside " + f.Yardstick
}

// number writes a value with about three digits and, if it is large, with its
// thousands apart.
func number(v float64) string {
	if v < 1000 {
		decimals := 2
		for limit := 10.0; v >= limit && decimals > 0; limit *= 10 {
			decimals--
		}
		return fmt.Sprintf("%.*f", decimals, v)
	}
	digits := fmt.Sprintf("%.0f", v)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
