package pgbus_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/pgbus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// fails checks that no Bus can be opened, for a reason, and that no password is
// in the error.
func fails(t *testing.T, ctx context.Context, address, want string) error {
	t.Helper()
	b, err := pgbus.Open(ctx, address, nil)
	if err == nil {
		_ = b.Close()
		t.Fatalf("Open(%q) succeeded", address)
	}
	if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec") {
		t.Errorf("Open(%q): %v, want an error with %q and without the password", address, err, want)
	}
	return err
}

func TestAddress(t *testing.T) {
	for _, test := range []struct{ name, address, want string }{
		{"Empty", "", "want postgres://"},
		{"OfAnotherScheme", "mysql://u:secret@host/db", "want postgres://"},
		{"WithAnOddPassword", "postgres://u:sec/ret@host/db", "want postgres://"},
		{"WithParametersThatAreNone", "postgres://u:secret@host/db?%zz", "cannot be read"},
		{"WithAnInvalidParameter", "postgres://u:secret@host/db?sslmode=maybe", "sslmode"},
		{"WithAnInvalidPort", "postgres://u:secret@host:99999/db", "does not understand"},
	} {
		t.Run(test.name+"IsRefused", func(t *testing.T) {
			if err := fails(t, t.Context(), test.address, test.want); !errors.Is(err, bus.ErrAddress) {
				t.Errorf("Open(%q): %v, want ErrAddress", test.address, err)
			}
		})
	}
}

// with returns an address that was changed.
func with(t *testing.T, address string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	return u.String()
}

func parameter(t *testing.T, address, name, value string) string {
	return with(t, address, func(u *url.URL) {
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
	})
}

func TestDatabaseThatCannotBeUsed(t *testing.T) {
	address := pgtest.URL(t)
	t.Run("MissingDatabaseIsAnError", func(t *testing.T) {
		fails(t, t.Context(), with(t, address, func(u *url.URL) { u.Path = "/none" }), `database "none" does not exist`)
	})
	t.Run("UnknownUserIsAnError", func(t *testing.T) {
		fails(t, t.Context(), with(t, address, func(u *url.URL) { u.User = url.UserPassword("nobody here", "secret") }), "nobody here")
	})
	t.Run("SilentServerEndsWithTheContext", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		fails(t, ctx, "postgres://u:secret@"+ln.Addr().String()+"/db?sslmode=disable", "connect the bus")
	})
	t.Run("InvalidFleetClosesTheConnections", func(t *testing.T) {
		err := fails(t, t.Context(), parameter(t, address, "fleet", "a.b"), "fleet")
		if !errors.Is(err, bus.ErrOptions) {
			t.Errorf("Open: %v, want ErrOptions", err)
		}
	})
}

func TestParametersOfTheDatabaseArePassedOver(t *testing.T) {
	address := pgtest.URL(t)
	for name, value := range map[string]string{"schema": "game", "connections": "7", "isolation": "serializable", "fleet": "f"} {
		address = parameter(t, address, name, value)
	}
	b, err := pgbus.Open(t.Context(), address, nil)
	if err != nil {
		t.Fatalf("Open(%q): %v", address, err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// arrivals are told of messages and notices.
func arrivals(t *testing.T, b *bus.Bus) (messages <-chan string, notices <-chan struct{}) {
	t.Helper()
	texts, missed := make(chan string, 100), make(chan struct{}, 100)
	_, err := b.Subscribe("a", func(m bus.Message) {
		if m.Missed {
			missed <- struct{}{}
			return
		}
		texts <- string(m.Data)
	})
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	return texts, missed
}

func openBus(t *testing.T, address string) *bus.Bus {
	t.Helper()
	b, err := pgbus.Open(t.Context(), address, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestDatabaseThatVanishes(t *testing.T) {
	cluster := pgtest.Start(t)
	a, b := openBus(t, cluster.URL()), openBus(t, cluster.URL())
	messages, notices := arrivals(t, b)
	publish := func(text string) {
		t.Helper()
		if err := a.Publish(t.Context(), "a", []byte(text)); err != nil {
			t.Errorf("Publish: %v", err)
		}
		for got := range messages {
			if got == text {
				return
			}
		}
	}
	publish("before")
	cluster.Kill()
	if err := a.Publish(t.Context(), "a", []byte("while it is away")); err != nil {
		t.Errorf("Publish while the database is away: %v", err)
	}
	cluster.Restart()
	<-notices
	publish("after it was killed")
	cluster.Pause()
	if err := a.Publish(t.Context(), "a", []byte("while it is paused")); err != nil {
		t.Errorf("Publish while the database is paused: %v", err)
	}
	cluster.Resume()
	publish("after it was paused")
}
