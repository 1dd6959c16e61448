package main

import (
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
)

func TestBenchBus(t *testing.T) {
	for _, c := range []struct{ url, name string }{
		{"", "in the process"},
		{"local:", "in the process"},
		{"nats-embedded:", "NATS over TCP, its server in this process"},
	} {
		t.Run(strings.TrimSuffix("Connects "+c.url, ":"), func(t *testing.T) {
			b, err := openBenchBus(t.Context(), c.url)
			if err != nil {
				t.Fatalf("openBenchBus(%q): %v", c.url, err)
			}
			if got := b.name(); got != c.name {
				t.Errorf("the bus %q is called %q, want %q", c.url, got, c.name)
			}
			checkHears(t, b)
			if err := b.close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// checkHears looks whether what one connection publishes comes to another.
func checkHears(t *testing.T, b *benchBus) {
	t.Helper()
	var ends [2]*bus.Bus
	for i := range ends {
		var err error
		if ends[i], err = b.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := ends[i].Close(); err != nil {
				t.Errorf("close a connection: %v", err)
			}
		}()
	}
	heard := make(chan string, 1)
	cancel, err := ends[0].Subscribe("a", func(m bus.Message) {
		if !m.Missed {
			heard <- string(m.Data)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	if err := ends[1].Publish(t.Context(), "a", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-heard:
		if got != "hello" {
			t.Errorf("heard %q, want hello", got)
		}
	case <-t.Context().Done():
		t.Error("heard nothing")
	}
}

func TestBenchURL(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{"", "sqlite:///tmp/x/load.db"},
		{"sqlite:players.db", "sqlite:players.db"},
		{"postgres://h/game", "postgres://h/game?schema=holdfast_bench_load"},
	} {
		if got := benchURL(c.given, "/tmp/x")("load"); got != c.want {
			t.Errorf("benchURL(%q) of load = %q, want %q", c.given, got, c.want)
		}
	}
}
