package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/bus/pgbus"
)

// busLine opens buses of one kind.
type busLine struct {
	schemes []string
	form    string // an example, for help and errors
	open    func(ctx context.Context, url string, o *bus.Options) (*bus.Bus, error)
}

// busLines are those that this program knows.
var busLines = []busLine{
	{[]string{"local"}, "local: (within one process)", openLocalBus},
	{[]string{"nats", "tls"}, "nats://user:password@host:4222", natsbus.Open},
	{[]string{"nats-embedded"}, "nats-embedded://127.0.0.1:4222 (its server runs in the process)", natsbus.OpenEmbedded},
	{[]string{"postgres", "postgresql"}, "postgres://user:password@host/database (by LISTEN and NOTIFY)", pgbus.Open},
}

// busForms lists examples for people.
func busForms() string {
	forms := make([]string, len(busLines))
	for i, l := range busLines {
		forms[i] = l.form
	}
	return strings.Join(forms, ", ")
}

// openBus opens a bus by its URL. The options may be nil. No error shows the
// URL, in which there may be a password.
func openBus(ctx context.Context, url string, o *bus.Options) (*bus.Bus, error) {
	scheme, _, found := strings.Cut(url, ":")
	if !found {
		return nil, usageError{fmt.Errorf("the bus's URL has no scheme: known are %s", busForms())}
	}
	i := slices.IndexFunc(busLines, func(l busLine) bool { return slices.Contains(l.schemes, scheme) })
	if i < 0 {
		return nil, usageError{fmt.Errorf("unknown bus %.30q: known are %s", scheme, busForms())}
	}
	b, err := busLines[i].open(ctx, url, o)
	switch {
	case errors.Is(err, bus.ErrAddress), errors.Is(err, bus.ErrOptions):
		return nil, usageError{err}
	case err != nil:
		return nil, fmt.Errorf("open the bus: %w", err)
	}
	return b, nil
}

// localBus connects the servers of this process.
var localBus = bus.NewLocal()

func openLocalBus(_ context.Context, url string, o *bus.Options) (*bus.Bus, error) {
	if url != "local:" {
		return nil, fmt.Errorf("%w: local: has no name and no parameters", bus.ErrAddress)
	}
	return localBus.Open(o)
}
