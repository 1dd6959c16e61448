package natsbus_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/natsbus"
)

func TestAddress(t *testing.T) {
	for _, test := range []struct{ name, address, want string }{
		{"Empty", "", "want nats://"},
		{"WithoutAScheme", "localhost:4222", "want nats://"},
		{"OfAnotherScheme", "http://localhost:4222", "want nats://"},
		{"WithoutAHost", "nats://:4222", "want nats://"},
		{"WithAPath", "nats://localhost/x", "want nats://"},
		{"WithAnOddPassword", "nats://u:sec/ret@localhost", "want nats://"},
		{"WithAnInvalidPort", "nats://u:secret@localhost:x", "want nats://"},
		{"WithAnEmptyPart", "nats://localhost,", "want nats://"},
		{"WithAnUnknownParameter", "nats://u:secret@localhost?x=1", `unknown parameter "x", known are fleet`},
		{"WithAParameterTwice", "nats://u:secret@localhost?fleet=a&fleet=b", "wants one value"},
		{"WithAnEmptyParameter", "nats://u:secret@localhost?fleet=", "wants one value"},
		{"WithParametersThatAreNone", "nats://u:secret@localhost?%zz", "cannot be read"},
		{"WithACertificateAlone", "nats://u:secret@localhost?cert=x", "cert and key"},
	} {
		t.Run(test.name+"IsRefused", func(t *testing.T) {
			checkRefused(t, test.address, test.want, natsbus.Open)
		})
	}
	for _, test := range []struct{ name, address, want string }{
		{"OfAnotherScheme", "nats:", "want nats-embedded:"},
		{"WithAName", "nats-embedded:x", "want nats-embedded:"},
		{"WithAPath", "nats-embedded://127.0.0.1:4222/x", "want nats-embedded:"},
		{"WithoutAPort", "nats-embedded://127.0.0.1", "want nats-embedded:"},
		{"WithoutAHost", "nats-embedded://:4222", "want nats-embedded:"},
		{"WithAnInvalidPort", "nats-embedded://127.0.0.1:99999", "port 99999"},
		{"WithAUserAlone", "nats-embedded://u@127.0.0.1:4222", "user and password"},
		{"OpenToOthers", "nats-embedded://0.0.0.0:4222", "give a user and a password"},
		{"WithAnUnknownParameter", "nats-embedded:?creds=x", `unknown parameter "creds"`},
	} {
		t.Run("Embedded"+test.name+"IsRefused", func(t *testing.T) {
			checkRefused(t, test.address, test.want, natsbus.OpenEmbedded)
		})
	}
}

type opener func(ctx context.Context, address string, o *bus.Options) (*bus.Bus, error)

func checkRefused(t *testing.T, address, want string, open opener) {
	t.Helper()
	b, err := open(t.Context(), address, nil)
	if err == nil {
		_ = b.Close()
	}
	if !errors.Is(err, bus.ErrAddress) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec") {
		t.Errorf("open %q: %v, want ErrAddress with %q and without the password", address, err, want)
	}
}

// fails checks that no Bus can be opened, for a reason, and that no password is
// in the error.
func fails(t *testing.T, ctx context.Context, address, want string) {
	t.Helper()
	b, err := natsbus.Open(ctx, address, nil)
	if err == nil {
		_ = b.Close()
		t.Fatalf("Open(%q) succeeded", address)
	}
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Open(%q): %v, want an error with %q and without the password", address, err, want)
	}
}

func TestServerThatCannotBeUsed(t *testing.T) {
	t.Run("WrongPasswordIsRefused", func(t *testing.T) {
		e := embed(t, &natsbus.EmbedOptions{User: "u", Password: "right"})
		defer e.Close()
		host := strings.TrimPrefix(e.URL(), "nats://")
		fails(t, t.Context(), e.URL(), "Authorization Violation")
		fails(t, t.Context(), "nats://u:secret@"+host, "Authorization Violation")
		b, err := natsbus.Open(t.Context(), "nats://u:right@"+host+"?fleet=f", nil)
		if err != nil {
			t.Fatalf("Open with the right password: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Run("AnotherProtocolIsAnError", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				_ = conn.Close()
			}
		}()
		fails(t, t.Context(), "nats://u:secret@"+ln.Addr().String(), "connect to nats://u:xxxxx@")
	})
	t.Run("SilentServerEndsWithTheContext", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		fails(t, ctx, "nats://u:secret@"+ln.Addr().String(), "context deadline exceeded")
	})
	t.Run("MissingFilesAreAnError", func(t *testing.T) {
		for _, parameter := range []string{"creds=/none", "ca=/none", "cert=/none&key=/none"} {
			fails(t, t.Context(), "nats://u:secret@127.0.0.1:1?"+parameter, "connect to")
		}
	})
	t.Run("PortInUseIsAnError", func(t *testing.T) {
		m := newMedium(t)
		if e, err := natsbus.Embed(&natsbus.EmbedOptions{Port: m.port}); err == nil {
			e.Close()
			t.Error("two servers listen on one port")
		}
	})
}

func TestOptionsOutOfRangeCloseTheLine(t *testing.T) {
	e := embed(t, nil)
	defer e.Close()
	if b, err := e.Open(&bus.Options{Fleet: "a.b"}); !errors.Is(err, bus.ErrOptions) {
		t.Errorf("Open = %v, %v; want ErrOptions", b, err)
	}
}
