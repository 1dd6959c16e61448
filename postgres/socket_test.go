package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestSocket uses a connection whose other end says nothing.
func TestSocket(t *testing.T) {
	// pair returns a socket, and when its deadline is.
	pair := func(t *testing.T) (s *socket, wait func() (time.Duration, error)) {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		s = &socket{Conn: a, forget: func() bool { return true }}
		return s, func() (time.Duration, error) {
			began := time.Now()
			_, err := s.Read(make([]byte, 1))
			return time.Since(began), err
		}
	}
	inBubble := func(fact string, f func(t *testing.T)) {
		t.Run(fact, func(t *testing.T) { synctest.Test(t, f) })
	}
	inBubble("HasTheDeadlineThatItIsGiven", func(t *testing.T) {
		s, wait := pair(t)
		s.SetDeadline(time.Now().Add(time.Hour))
		if d, err := wait(); d != time.Hour || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v after %v, want a time-out after an hour", err, d)
		}
	})
	for fact, set := range map[string]func(s *socket, t time.Time) error{
		"OnceFailedHasLittleTimeLeft":           (*socket).SetDeadline,
		"OnceFailedHasLittleTimeLeftForReading": (*socket).SetReadDeadline,
	} {
		inBubble(fact, func(t *testing.T) {
			s, wait := pair(t)
			s.SetDeadline(time.Now())
			wait()
			s.SetDeadline(time.Now().Add(farewell / 4)) // an earlier deadline counts
			wait()
			for _, deadline := range []time.Time{time.Now().Add(15 * time.Second), {}} {
				set(s, deadline)
				if d, err := wait(); d > farewell*3/4 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Read with deadline %v = %v after %v, want a time-out within a second of the first", deadline, err, d)
				}
			}
		})
	}
	inBubble("OnceFailedHasLittleTimeLeftForWriting", func(t *testing.T) {
		s, wait := pair(t)
		s.SetDeadline(time.Now())
		wait()
		began := time.Now()
		s.SetWriteDeadline(began.Add(time.Minute))
		if _, err := s.Write([]byte("x")); time.Since(began) != farewell || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v after %v, want a time-out after %v", err, time.Since(began), farewell)
		}
	})
	inBubble("FailsByAWriteToo", func(t *testing.T) {
		s, wait := pair(t)
		s.SetDeadline(time.Now().Add(time.Minute))
		s.Write([]byte("x"))
		s.SetDeadline(time.Now().Add(time.Minute))
		if d, err := wait(); d != farewell || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read after a Write that failed = %v after %v, want a time-out after %v", err, d, farewell)
		}
	})
}

// TestLine dials a server that accepts connections and says nothing.
func TestLine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	life, end := context.WithCancel(t.Context())
	defer end()
	l := &line{life: life}
	dial := func(t *testing.T) net.Conn {
		t.Helper()
		c, err := l.dial(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	first := dial(t)
	t.Run("ARequestToCancelHasADeadlineOfItsOwn", func(t *testing.T) {
		l.made.Store(true)
		defer l.made.Store(false)
		c := dial(t)
		c.SetDeadline(time.Time{})
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want a time-out", err)
		}
	})
	t.Run("ItsSocketsAreClosedWhenLifeEnds", func(t *testing.T) {
		end()
		if _, err := first.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
			t.Errorf("Read = %v, want a connection that is closed", err)
		}
		if c, err := l.dial(t.Context(), "tcp", listener.Addr().String()); err == nil {
			defer c.Close()
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read of a connection that was dialled afterwards = %v, want it closed", err)
			}
		}
	})
}
