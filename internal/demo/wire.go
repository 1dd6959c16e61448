package demo

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// setup is the first line on a server's stdin: what it runs with. Others on the
// machine can read a process's arguments, and a URL may hold a password.
type setup struct {
	Name  string `json:"name"` // as others see it
	DB    string `json:"db"`   // URL of the database
	Bus   string `json:"bus,omitempty"`
	Lease int64  `json:"lease_us"`
}

// order is what the director tells a server: one line of JSON on its stdin, after
// the setup.
type order struct {
	ID      uint64 `json:"id"`
	Do      deed   `json:"do"`
	Player  string `json:"player,omitempty"`
	Op      int64  `json:"op,omitempty"`        // the update's number for the player
	Durable bool   `json:"durable,omitempty"`   // the update waits for the disk
	To      string `json:"to,omitempty"`        // who gets the item
	ToOp    int64  `json:"to_op,omitempty"`     // the update's number for him
	Within  int64  `json:"within_us,omitempty"` // of doClose: how long it may take; 0 means closeTime
}

// deed is what a server is told to do.
type deed string

const (
	doOpen   deed = "open"   // take the player in
	doUpdate deed = "update" // one update
	doGive   deed = "give"   // one update of two players: an item goes from one to the other
	doSave   deed = "save"
	doLeave  deed = "leave" // save and release the player
	doClose  deed = "close" // save and release everybody, and end
)

// answer is what a server says: to an order, or of itself.
type answer struct {
	ID    uint64 `json:"id,omitempty"` // of the order; 0: news
	News  news   `json:"news,omitempty"`
	Error string `json:"error,omitempty"`

	// Suspended says that nothing was done, since the server cannot be sure of
	// its lease just now.
	Suspended bool `json:"suspended,omitempty"`

	// Of an opening, an update or a save.
	Player  string  `json:"player,omitempty"`
	Ordinal int64   `json:"ordinal,omitempty"` // which of the player's openings
	Again   bool    `json:"again,omitempty"`   // he was there already: it is no new opening
	Seq     int64   `json:"seq,omitempty"`     // updates of the player so far
	Done    numbers `json:"done,omitempty"`    // numbers of the updates that the opening found
	Held    bool    `json:"held,omitempty"`    // another server held the player
	Took    int64   `json:"took_us,omitempty"` // the opening, the append, or the absence of the database
	Made    int64   `json:"made_us,omitempty"` // when the player was opened, or the update made in memory, Unix time; 0: it was not. Of newsAway and newsBack: since when the database is away
	Kept    bool    `json:"kept,omitempty"`    // it is on disk, with all before it

	// Of the other player in a give.
	ToOrdinal int64 `json:"to_ordinal,omitempty"`
	ToSeq     int64 `json:"to_seq,omitempty"`

	End     ending   `json:"end,omitempty"`     // how the session ended
	Pulse   *pulse   `json:"pulse,omitempty"`   // how the server is
	Results []result `json:"results,omitempty"` // of doClose
}

// news is what a server tells unasked.
type news string

const (
	newsReady    news = "ready"    // the lease is held; Error says why there is no bus, if there should be one
	newsEnded    news = "ended"    // a player's session has ended
	newsPulse    news = "pulse"    // several times a second
	newsAppend   news = "append"   // an append to the journal begins
	newsAppended news = "appended" // it was answered
	newsAway     news = "away"     // the database does not answer; Error says why, if it is known
	newsBack     news = "back"     // it answers again

	newsSuspended news = "suspended" // the server cannot trust its lease, and changes nothing
	newsTrusted   news = "trusted"   // it can again
)

// ending is how a session ended.
type ending string

const (
	endSaved ending = "saved" // everything is in the database: closed or handed over
	endLost  ending = "lost"  // another server took it over
)

// pulse is how a server is.
type pulse struct {
	Beat      int64  `json:"beat"` // number of the pulse
	Lease     string `json:"lease"`
	Suspended bool   `json:"suspended,omitempty"`
	Players   int    `json:"players"`
	Commits   int64  `json:"commits"`    // groups answered since the start
	Saves     int64  `json:"saves"`      // roots written since the start
	Appends   int64  `json:"appends"`    // appends answered since the start
	Slowest   int64  `json:"slowest_us"` // of them
	Stall     int64  `json:"stall_us"`   // the longest that the machine kept the process from running
}

// result is what became of a player when his server closed.
type result struct {
	Player string `json:"player"`
	Error  string `json:"error,omitempty"`
}

// maxLine bounds one line on a pipe, in bytes.
const maxLine = 16 << 20

// lines writes JSON lines. It is safe for concurrent use.
type lines struct {
	mu  sync.Mutex // guards w
	w   io.Writer
	err error // the first: the reader is gone
}

func (l *lines) write(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a line: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.w.Write(append(text, '\n'))
	}
	return l.err
}

// newScanner returns what the lines of r are read from.
func newScanner(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	return s
}

// readLine reads one line. It is io.EOF if there is none.
func readLine[T any](s *bufio.Scanner) (v T, err error) {
	if !s.Scan() {
		if err := s.Err(); err != nil {
			return v, err
		}
		return v, io.EOF
	}
	if err := json.Unmarshal(s.Bytes(), &v); err != nil {
		return v, fmt.Errorf("line %.80q not understood: %w", s.Text(), err)
	}
	return v, nil
}

// readLines calls fn with each line until there are no more.
func readLines[T any](s *bufio.Scanner, fn func(T)) error {
	for {
		v, err := readLine[T](s)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		fn(v)
	}
}
