package replica

import (
	"encoding/json"
	"strconv"
	"time"
)

// Type is what a frame is, as its member "type" says it.
type Type string

// The types of frames from the server. docs/replication.md has their members.
const (
	TypeState   Type = "state"   // everything
	TypeResumed Type = "resumed" // what the client has is still of use
	TypeChange  Type = "change"  // what is different from the revision before
	TypeSaved   Type = "saved"   // what became of a save
	TypePing    Type = "ping"    // the server is there
	TypeEnd     Type = "end"     // nothing follows; over a WebSocket the close code stands for it
)

// Frame is one message from the server to a client.
type Frame struct {
	// Type is what it is.
	Type Type
	// Revision is where the client stands once it has applied the frame. Zero for
	// those of TypePing and TypeEnd.
	Revision uint64
	// Text is the frame as it is sent: compact JSON. It is shared and must not be
	// changed.
	Text []byte
	// Reason is why nothing follows, of a frame of TypeEnd; else empty.
	Reason Reason
}

// Position is where a client stands. The zero value is nowhere: it begins with the
// state.
type Position struct {
	// Epoch names the sequence of revisions that Revision is one of. Empty: none.
	Epoch string
	// Revision is that of the last frame that was applied.
	Revision uint64
}

// maxEpoch is the most bytes that the name of an epoch may have.
const maxEpoch = 32

// PingFrame returns the frame that asks the client whether it is there, and shows that
// the server is. A Handler sends it by itself; a game with a connection of its own sends
// it each Options.Ping.
func PingFrame() Frame { return Frame{Type: TypePing, Text: []byte(`{"type":"ping"}`)} }

func endFrame(r Reason) Frame {
	text := append([]byte(`{"type":"end","reason":`), strconv.Quote(string(r))...)
	return Frame{Type: TypeEnd, Text: append(text, '}'), Reason: r}
}

func resumedFrame(revision uint64, ping time.Duration) Frame {
	text := appendNumber([]byte(`{"type":"resumed","rev":`), revision)
	text = appendNumber(append(text, `,"ping":`...), uint64(ping.Milliseconds()))
	return Frame{Type: TypeResumed, Revision: revision, Text: append(text, '}')}
}

func savedFrame(revision uint64, failed Code) Frame {
	text := appendNumber([]byte(`{"type":"saved","rev":`), revision)
	if failed != "" {
		text = appendCode(append(text, `,"error":`...), failed)
	}
	return Frame{Type: TypeSaved, Revision: revision, Text: append(text, '}')}
}

func appendNumber(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// appendCode appends a word of the protocol, in quotes. No word has a character that
// would have to be escaped.
func appendCode(dst []byte, c Code) []byte {
	dst = append(dst, '"')
	return append(append(dst, c...), '"')
}

// appendText appends a text as a JSON string.
func appendText(dst []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		return append(dst, `""`...) // encoding/json never refuses a string
	}
	return append(dst, quoted...)
}

// operations are the ops of a change that is being made. The zero value is none.
type operations struct{ text []byte }

func (o *operations) begin(op string, path ...string) {
	if len(o.text) > 0 {
		o.text = append(o.text, ',')
	}
	o.text = append(o.text, `{"op":"`...)
	o.text = append(append(o.text, op...), `","path":`...)
	o.text = appendText(o.text, pointer(path...))
}

// add sets a field, or an element of one.
func (o *operations) add(value []byte, path ...string) {
	o.begin("add", path...)
	o.text = append(append(append(o.text, `,"value":`...), value...), '}')
}

// remove removes a field, or an element of one.
func (o *operations) remove(path ...string) {
	o.begin("remove", path...)
	o.text = append(o.text, '}')
}

// frame returns the change under a revision.
func (o *operations) frame(revision uint64) Frame {
	const head, ops = `{"type":"change","rev":`, `,"ops":[`
	text := make([]byte, 0, len(head)+len(ops)+len(o.text)+22)
	text = appendNumber(append(text, head...), revision)
	text = append(append(append(text, ops...), o.text...), `]}`...)
	return Frame{Type: TypeChange, Revision: revision, Text: text}
}
