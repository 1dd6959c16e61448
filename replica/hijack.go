package replica

import (
	"bufio"
	"net"
	"net/http"
)

// bufferSize is the size of the two buffers of a connection. A client's frames are
// small, and what is larger than the buffer is written past it.
const bufferSize = 1 << 10

// smallBuffers gives a connection that is taken over from net/http smaller buffers
// than the two of 4 KiB that it has: of thousands of connections these would be the
// most of what they cost. It also keeps the connection, for its deadlines, and how a
// request was answered that has become none.
type smallBuffers struct {
	http.ResponseWriter
	conn   net.Conn
	status int
}

// WriteHeader notes the status.
func (s *smallBuffers) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// refused returns why a request has become no WebSocket.
func (s *smallBuffers) refused() Reason {
	if s.status == http.StatusForbidden {
		return refusedOrigin
	}
	return refusedRequest
}

// Hijack takes the connection over. If the client has sent something already, which
// one that waits for the answer does not, the buffers stay.
func (s *smallBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s.conn = conn
	if rw.Reader.Buffered() > 0 {
		return conn, rw, nil
	}
	return conn, bufio.NewReadWriter(bufio.NewReaderSize(conn, bufferSize), bufio.NewWriterSize(conn, bufferSize)), nil
}
