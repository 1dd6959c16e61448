package main

import (
	"context"
	"strings"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/natsbus"
)

// embeddedBus begins the URL of a bus whose server runs in this process.
const embeddedBus = "nats-embedded:"

// benchBus is the bus over which hand-over is measured. Each server that is
// measured has a connection of its own to it.
type benchBus struct {
	url    string
	server *natsbus.Embedded // in this process, or nil
	first  *bus.Bus          // that keeps a server in this process, or nil
}

// openBenchBus makes sure that a bus can be reached. An empty URL is the bus
// within the process.
func openBenchBus(ctx context.Context, url string) (b *benchBus, err error) {
	if url == "" {
		url = "local:"
	}
	b = &benchBus{url: url}
	if url == embeddedBus {
		if b.server, err = natsbus.Embed(nil); err != nil {
			return nil, err
		}
		b.url = b.server.URL() // over TCP, as between two machines
		return b, nil
	}
	first, err := openBus(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	if address, ok := strings.CutPrefix(url, embeddedBus); ok {
		b.url, b.first = "nats:"+address, first
		return b, nil
	}
	return b, first.Close()
}

// name says what kind of bus it is.
func (b *benchBus) name() string {
	switch {
	case b.url == "local:":
		return "in the process"
	case strings.HasPrefix(b.url, "postgres"):
		return "LISTEN and NOTIFY"
	case b.server != nil || b.first != nil:
		return "NATS over TCP, its server in this process"
	}
	return "NATS"
}

// connect opens a further connection.
func (b *benchBus) connect(ctx context.Context) (*bus.Bus, error) { return openBus(ctx, b.url, nil) }

// close ends the server, if it is in this process.
func (b *benchBus) close() error {
	if b.server != nil {
		b.server.Close()
	}
	if b.first != nil {
		return b.first.Close()
	}
	return nil
}
