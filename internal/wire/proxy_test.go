package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/internal/wire"
)

func TestRefuse(t *testing.T) {
	b := newBench(t)
	c := b.connect(b.url)
	b.proxy.Refuse(true)
	if _, err := pgx.Connect(b.ctx, b.url); err == nil {
		t.Error("a new connection was let in")
	}
	if err := b.add(b.ctx, c, 1); err != nil {
		t.Errorf("an open connection: %v, want it to stay", err)
	}
	b.proxy.Refuse(false)
	b.connect(b.url)
}

func TestSilence(t *testing.T) {
	t.Run("HoldsAnswersBackAndGoesOn", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		b.proxy.Silence(true)
		done := make(chan error, 1)
		go func() { done <- b.add(b.ctx, c, 1) }()
		b.wants(0)
		b.proxy.Silence(false)
		if err := <-done; err != nil {
			t.Errorf("after the silence: %v", err)
		}
		b.wants(1)
	})
	t.Run("HidesThatTheServerHungUp", func(t *testing.T) {
		b := newBench(t)
		c := b.connect(b.url)
		trap := b.proxy.Trap(1, wire.Commits, wire.Fault{At: wire.BeforeCommit, Do: wire.Hold})
		done := make(chan error, 1)
		go func() { done <- b.add(b.ctx, c, 1) }()
		b.sprung(trap)
		b.proxy.Silence(true)
		b.proxy.HangUp()
		b.wants(0) // what was begun is taken back, and its lock is free
		select {
		case err := <-done:
			t.Errorf("the client heard %v through a silent wire", err)
		default:
		}
		b.proxy.Silence(false)
		trap.Release()
		if err := <-done; err == nil {
			t.Error("add was answered by a server that had hung up")
		}
		b.wants(0)
	})
	t.Run("AcceptsAndNeverAnswers", func(t *testing.T) {
		b := newBench(t)
		b.proxy.Silence(true)
		ctx, cancel := context.WithTimeout(b.ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := pgx.Connect(ctx, b.url); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Connect = %v, want DeadlineExceeded", err)
		}
	})
}

func TestAServerThatIsAway(t *testing.T) {
	t.Run("EndsTheConnection", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		p := bytesProxy(t, address)
		c := dial(t, p)
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes of a server that is away, want an error", n)
		}
	})
}

func bytesProxy(t *testing.T, address string) *wire.Proxy {
	t.Helper()
	p, err := wire.ListenBytes(address)
	if err != nil {
		t.Fatalf("ListenBytes: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

func dial(t *testing.T, p *wire.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// echo serves connections that give back what they get, until the test ends.
func echo(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // until either end is cut
			}()
		}
	}()
	return l.Addr().String()
}

// ask checks that what is said comes back. It may run on any goroutine.
func ask(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Errorf("Write: %v", err)
		return
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Errorf("the echo is %q, %v, want hello", got, err)
	}
}

func TestListenBytes(t *testing.T) {
	t.Run("Passes", func(t *testing.T) {
		ask(t, dial(t, bytesProxy(t, echo(t))))
	})
	t.Run("CutEndsWhatIsOpen", func(t *testing.T) {
		p := bytesProxy(t, echo(t))
		c := dial(t, p)
		ask(t, c)
		p.Cut()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection survived Cut")
		}
		ask(t, dial(t, p))
	})
	t.Run("SilenceHoldsBytesBack", func(t *testing.T) {
		p := bytesProxy(t, echo(t))
		c := dial(t, p)
		ask(t, c)
		p.Silence(true)
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			ask(t, c)
		}()
		select {
		case <-answered:
			t.Error("answered through a silent wire")
		default:
		}
		p.Silence(false)
		<-answered
	})
}

func TestURL(t *testing.T) {
	t.Run("RefusesWhatIsNone", func(t *testing.T) {
		if p, err := wire.ListenPostgres("postgres://%zz"); err == nil {
			t.Errorf("ListenPostgres = %v, want an error", p)
		}
		p := bytesProxy(t, "127.0.0.1:1")
		if got, err := p.URL("postgres://%zz"); err == nil {
			t.Errorf("URL = %q, want an error", got)
		}
	})
}
