package console

import (
	"fmt"
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Unit is what a progress bar counts.
type Unit int

// The units of a progress bar.
const (
	Things Unit = iota
	Bytes
)

// Progress is a bar that shows how far something is. A nil *Progress shows
// nothing, and all its methods may be called. They are safe for concurrent use.
type Progress struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// IsTerminal reports whether what is written to w is seen at once by a person.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// NewProgress draws a bar if w is a terminal, and returns nil otherwise. A
// total of zero means that it is not known yet and Set tells it; a negative one
// that it is never known, and then there is a count and no bar.
func NewProgress(w io.Writer, title string, total int64, u Unit) *Progress {
	if !IsTerminal(w) {
		return nil
	}
	return newProgress(title, total, u, mpb.WithOutput(w))
}

func newProgress(title string, total int64, u Unit, o ...mpb.ContainerOption) *Progress {
	all := mpb.New(append(o, mpb.WithWidth(40))...)
	name := decor.Name(Clean(title) + " ")
	if total < 0 {
		count := decor.CurrentNoUnit("%d")
		if u == Bytes {
			count = decor.CurrentKibiByte("% .1f")
		}
		return &Progress{all: all, bar: all.AddSpinner(0, mpb.PrependDecorators(name, count))}
	}
	count := decor.CountersNoUnit("%d of %d ")
	if u == Bytes {
		count = decor.CountersKibiByte("% .1f of % .1f ")
	}
	bar := all.AddBar(total, mpb.PrependDecorators(name, count), mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace)))
	return &Progress{all: all, bar: bar}
}

// Add counts n more.
func (p *Progress) Add(n int64) {
	if p != nil {
		p.bar.IncrInt64(n)
	}
}

// Set shows how much is done, and of how much. A total of zero leaves the
// total as it was.
func (p *Progress) Set(done, total int64) {
	if p == nil {
		return
	}
	if total > 0 {
		p.bar.SetTotal(total, false)
	}
	p.bar.SetCurrent(done)
}

// Note writes a line above the bar to a terminal, or to w if there is no bar.
func (p *Progress) Note(w io.Writer, line string) {
	if p != nil {
		w = p.all
	}
	fmt.Fprintln(w, Clean(line))
}

// Close draws the bar for the last time and returns when it stands still.
// Nothing may be shown after it.
func (p *Progress) Close() {
	if p == nil {
		return
	}
	p.bar.Abort(false) // without effect on one that is complete
	p.all.Wait()
}
