package replica

import (
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/holdfast-games/holdfast/session"
)

const (
	// protocol is the WebSocket subprotocol, with the version of what is said.
	protocol = "holdfast.replica.v1"
	// protocolFamily is what the subprotocols of all versions begin with.
	protocolFamily = "holdfast.replica."
	// maxFromClient is the most bytes that a frame of a client may have.
	maxFromClient = 8 << 10
)

// The types of frames from clients.
const (
	typeHello = "hello"
	typePong  = "pong"
)

// fromClient is a frame of a client.
type fromClient struct {
	Type   string `json:"type"`
	Player string `json:"player,omitempty"`
	Token  string `json:"token,omitempty"`
	Epoch  string `json:"epoch,omitempty"`
	Rev    uint64 `json:"rev,omitempty"`
}

func (f *fromClient) from() Position { return Position{f.Epoch, f.Rev} }

// decodeFromClient reads a frame of a client. The error matches ErrFrame.
func decodeFromClient(text []byte) (f fromClient, err error) {
	fail := func(why string) (fromClient, error) { return fromClient{}, fmt.Errorf("%w: %s", ErrFrame, why) }
	if len(text) > maxFromClient {
		return fail(fmt.Sprintf("%d bytes, at most %d", len(text), maxFromClient))
	}
	if err := json.Unmarshal(text, &f); err != nil { // refuses invalid UTF-8 and names that occur twice
		return fail("it is not a frame")
	}
	switch f.Type {
	case typePong:
		return fromClient{Type: typePong}, nil
	case typeHello:
	default:
		return fail("its type is none of a client's")
	}
	switch {
	case f.Player == "" || len(f.Player) > session.MaxID || !utf8.ValidString(f.Player):
		return fail("it names no player")
	case len(f.Epoch) > maxEpoch:
		return fail("its epoch is too long")
	}
	return f, nil
}
