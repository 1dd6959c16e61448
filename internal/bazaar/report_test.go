package bazaar_test

import (
	"encoding/json"
	"io"
	"sync"
)

// setup is the first line that a stall reads: what it runs with. When its input
// ends, it closes.
type setup struct {
	Name    string
	DB, Bus string // a file or a URL; a URL
	Slot    int    // whose traders it opens at first, of slots
	Traders int
	Seed    uint64
}

// report is what a stall tells of itself, one line of JSON. It is written before
// what it tells of begins, or after that has ended, and a pipe keeps what was
// written when the writer is killed.
type report struct {
	News news
	Deal string `json:",omitempty"`
	Who  []int  `json:",omitempty"` // with newsBegins
	Fate fate   `json:",omitempty"` // with newsEnds
	Text string `json:",omitempty"` // the error of a deal, or what is wrong
}

// news is what a report tells.
type news string

const (
	newsReady  news = "ready"  // it has its lease
	newsBegins news = "begins" // a deal begins
	newsRuns   news = "runs"   // all of a deal is decided: what is left is to commit it
	newsEnds   news = "ends"   // a deal has ended
	newsWrong  news = "wrong"  // something happened that must not
	newsClosed news = "closed" // everything was saved and released
)

// fate is what was said of a deal that has ended.
type fate string

const (
	done    fate = "done"    // it has happened and is on disk
	refused fate = "refused" // it has not happened and never will
	unknown fate = "unknown" // one of both
)

// reporter writes reports. It may be used by several goroutines.
type reporter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (r *reporter) say(what report) {
	line, err := json.Marshal(what)
	if err != nil {
		panic(err) // it holds nothing but texts and numbers
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.w.Write(append(line, '\n')) // who does not listen any more ends the input too
}
