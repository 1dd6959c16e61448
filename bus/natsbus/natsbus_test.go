package natsbus_test

import (
	"context"
	"net"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
	"github.com/holdfast-games/holdfast/bus/natsbus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func embed(t *testing.T, o *natsbus.EmbedOptions) *natsbus.Embedded {
	t.Helper()
	e, err := natsbus.Embed(o)
	if err != nil {
		t.Fatalf("Embed(%+v): %v", o, err)
	}
	return e
}

// medium is a server that can be ended and started again on its port.
type medium struct {
	e    *natsbus.Embedded
	port int
}

func newMedium(t *testing.T) *medium {
	t.Helper()
	m := &medium{e: embed(t, nil)}
	_, port, err := net.SplitHostPort(m.e.URL()[len("nats://"):])
	if err != nil {
		t.Fatal(err)
	}
	if m.port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.e.Close() })
	return m
}

func (m *medium) cut(*testing.T) { m.e.Close() }

func (m *medium) join(t *testing.T) { m.e = embed(t, &natsbus.EmbedOptions{Port: m.port}) }

func TestBusByTCP(t *testing.T) {
	bustest.Run(t, func(t *testing.T, fact func(*testing.T, *bustest.Medium)) {
		m := newMedium(t)
		fact(t, &bustest.Medium{
			Dial: func(ctx context.Context) (bus.Transport, error) { return natsbus.Dial(ctx, m.e.URL()) },
			Cut:  m.cut, Join: m.join,
		})
	})
}

func TestBusInTheProcess(t *testing.T) {
	bustest.Run(t, func(t *testing.T, fact func(*testing.T, *bustest.Medium)) {
		e := embed(t, nil)
		t.Cleanup(e.Close)
		fact(t, &bustest.Medium{Dial: func(context.Context) (bus.Transport, error) { return e.Dial() }})
	})
}
