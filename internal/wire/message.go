package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgproto3"
)

// message is one message of the protocol: its kind, its length, its body.
type message []byte

// maxMessage bounds a message, in bytes: a value of the largest size, in
// hexadecimal digits, fits.
const maxMessage = 256 << 20

const headLen = 5

func (m message) kind() byte   { return m[0] }
func (m message) body() []byte { return m[headLen:] }

// readMessage reads one message, head and body.
func readMessage(r *bufio.Reader) (message, error) {
	head, err := r.Peek(headLen)
	if err != nil {
		return nil, err
	}
	return readSized(r, 1, binary.BigEndian.Uint32(head[1:]))
}

// The codes in the first packet of a connection that are no protocol version.
const (
	cancelCode = 80877102
	sslCode    = 80877103
	gssCode    = 80877104
)

// readFirst reads the first packet of a connection, which has no kind, and
// returns the code in it.
func readFirst(r *bufio.Reader) (packet message, code uint32, err error) {
	head, err := r.Peek(8)
	if err != nil {
		return nil, 0, err
	}
	size := binary.BigEndian.Uint32(head)
	code = binary.BigEndian.Uint32(head[4:])
	if size < 8 || size > 10_000 {
		return nil, 0, fmt.Errorf("first packet of %d bytes: not PostgreSQL's protocol", size)
	}
	packet, err = readSized(r, 0, size)
	return packet, code, err
}

// readSized reads a message whose size does not count the first bytes.
func readSized(r *bufio.Reader, before int, size uint32) (message, error) {
	if size < 4 || size > maxMessage {
		return nil, fmt.Errorf("message of %d bytes: not PostgreSQL's protocol", size)
	}
	m := make(message, before+int(size))
	_, err := io.ReadFull(r, m)
	return m, err
}

// sqlstate returns the code in an ErrorResponse, or "unknown".
func sqlstate(m message) string {
	var e pgproto3.ErrorResponse
	if e.Decode(m.body()) != nil || e.Code == "" {
		return "unknown"
	}
	return e.Code
}
