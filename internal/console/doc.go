// Package console writes what people read in a terminal: aligned tables, sizes
// and durations, and a progress bar where there is a terminal to draw it on. Of what a
// program says that was started it keeps the end.
//
// Whatever is shown may come from a game's players. Text is therefore written
// with its control characters escaped, so that no name can move the cursor or
// break a line.
package console
