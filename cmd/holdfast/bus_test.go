package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
)

func TestOpenBus(t *testing.T) {
	for _, test := range []struct{ name, url, want string }{
		{"NoScheme", "secret", "the bus's URL has no scheme: known are local:"},
		{"Empty", "", "the bus's URL has no scheme"},
		{"UnknownScheme", "redis://secret@host", `unknown bus "redis": known are local:`},
		{"LocalWithAName", "local:secret", "local: has no name"},
		{"NATSWithoutAHost", "nats://user:secret@", "want nats://"},
		{"NATSWithAPath", "nats://user:secret@host/path", "want nats://"},
		{"NATSWithAnOddPassword", "nats://user:sec/ret@host", "percent-encoded"},
		{"NATSWithAnUnknownParameter", "nats://user:secret@host?fleets=x", `unknown parameter "fleets"`},
		{"NATSWithAnInvalidFleet", "nats-embedded:?fleet=a.b", `fleet "a.b"`},
		{"EmbeddedForEverybody", "nats-embedded://0.0.0.0:0", "want nats-embedded:"},
		{"EmbeddedForOthersWithoutAPassword", "nats-embedded://0.0.0.0:4222", "give a user and a password"},
		{"PostgreSQLWithAnOddPassword", "postgres://user:sec/ret@host/db", "percent-encoded"},
		{"PostgreSQLWithAnInvalidParameter", "postgres://user:secret@host/db?sslmode=maybe", "sslmode"},
	} {
		t.Run(test.name+"IsAnErrorOfUsage", func(t *testing.T) {
			b, err := openBus(t.Context(), test.url, nil)
			if err == nil {
				_ = b.Close()
			}
			var usage usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("openBus(%q): %v, want a usageError with %q", test.url, err, test.want)
			}
			checkNoPassword(t, err)
		})
	}
	t.Run("NobodyListeningIsAnError", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{"nats://user:secret@" + addr, "postgres://user:secret@" + addr + "/db"} {
			b, err := openBus(t.Context(), url, nil)
			if err == nil {
				_ = b.Close()
				t.Fatalf("openBus(%q) succeeded", url)
			}
			if !strings.HasPrefix(err.Error(), "open the bus: connect") || errors.As(err, new(usageError)) {
				t.Errorf("openBus(%q): %v", url, err)
			}
			checkNoPassword(t, err)
		}
	})
	for _, url := range []string{"local:", "nats-embedded:"} {
		t.Run("OpensA"+strings.TrimSuffix(url, ":")+"Bus", func(t *testing.T) {
			b, err := openBus(t.Context(), url, &bus.Options{Fleet: "test"})
			if err != nil {
				t.Fatalf("openBus(%q): %v", url, err)
			}
			defer func() {
				if err := b.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			if _, err := b.Serve("a", func(context.Context, bus.Message) ([]byte, error) { return []byte("yes"), nil }); err != nil {
				t.Fatalf("Serve: %v", err)
			}
			if got, err := b.Request(t.Context(), "a", nil); string(got) != "yes" || err != nil {
				t.Errorf("Request = %q, %v", got, err)
			}
		})
	}
}

func checkNoPassword(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{"secret", "sec/ret", ":sec"} {
		if err != nil && strings.Contains(err.Error(), part) {
			t.Errorf("the error shows a part of the password: %v", err)
		}
	}
}
