package natsbus

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/holdfast-games/holdfast/bus"
)

// Embedded is a server of NATS that runs in this process.
type Embedded struct {
	server *server.Server
	opts   EmbedOptions
}

// EmbedOptions configure an Embedded. Nil is the same as the zero value.
type EmbedOptions struct {
	// Host is the address on which the server listens. Empty means 127.0.0.1.
	// One that other machines can reach needs a User and a Password.
	Host string
	// Port is the port on which it listens. Zero means any that is free.
	Port int
	// User and Password are asked of each who connects. Empty means that
	// nothing is asked.
	User, Password string
}

// startTime bounds how long a server takes to start.
const startTime = 10 * time.Second

// Embed starts a server of NATS in this process. Close ends it.
func Embed(o *EmbedOptions) (*Embedded, error) {
	e := &Embedded{}
	if o != nil {
		e.opts = *o
	}
	if e.opts.Host == "" {
		e.opts.Host = "127.0.0.1"
	}
	if err := e.opts.check(); err != nil {
		return nil, err
	}
	port := e.opts.Port
	if port == 0 {
		port = server.RANDOM_PORT
	} else if err := e.opts.checkFree(); err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "holdfast", Host: e.opts.Host, Port: port, NoLog: true, NoSigs: true,
		Username: e.opts.User, Password: e.opts.Password,
	})
	if err != nil {
		return nil, fmt.Errorf("start a server of NATS: %w", err)
	}
	e.server = s
	s.Start()
	if !s.ReadyForConnections(startTime) {
		e.Close()
		return nil, fmt.Errorf("start a server of NATS: it cannot listen on %s", net.JoinHostPort(e.opts.Host, strconv.Itoa(e.opts.Port)))
	}
	return e, nil
}

func (o *EmbedOptions) check() error {
	ip, err := netip.ParseAddr(o.Host)
	local := o.Host == "localhost" || err == nil && ip.IsLoopback()
	switch {
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("%w: port %d, 0 to 65535 allowed", bus.ErrAddress, o.Port)
	case (o.User == "") != (o.Password == ""):
		return fmt.Errorf("%w: user and password are given together", bus.ErrAddress)
	case !local && o.Password == "":
		return fmt.Errorf("%w: others can reach %s: give a user and a password, or listen on 127.0.0.1", bus.ErrAddress, o.Host)
	}
	return nil
}

// checkFree finds out whether the server will be able to listen, since it does
// not say why it cannot.
func (o *EmbedOptions) checkFree() error {
	ln, err := net.Listen("tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.Port)))
	if err != nil {
		return fmt.Errorf("start a server of NATS: %w", err)
	}
	return ln.Close()
}

// URL returns the address at which others reach the server, without user and
// password.
func (e *Embedded) URL() string {
	u := url.URL{Scheme: "nats", Host: e.server.Addr().String()}
	return u.String()
}

// Open returns a Bus that is connected to the server within the process. The
// options may be nil. The Bus is to be closed before the server.
func (e *Embedded) Open(o *bus.Options) (*bus.Bus, error) {
	t, err := e.Dial()
	if err != nil {
		return nil, err
	}
	return bus.Open(t, o)
}

// Dial returns a transport that is connected to the server within the process.
func (e *Embedded) Dial() (bus.Transport, error) { return e.dial(nil) }

func (e *Embedded) dial(after func()) (bus.Transport, error) {
	options := []nats.Option{nats.InProcessServer(e.server)}
	if e.opts.User != "" {
		options = append(options, nats.UserInfo(e.opts.User, e.opts.Password))
	}
	t, err := connect("", "the server of NATS in this process", options...)
	if err != nil {
		return nil, err
	}
	t.after = after
	return t, nil
}

// Close ends the server and returns when it has ended. Closing again does
// nothing.
func (e *Embedded) Close() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// OpenEmbedded starts a server in this process at an address that begins with
// nats-embedded:, and returns a Bus that is connected to it; closing the Bus
// ends the server. Without a host and port it listens on a port of 127.0.0.1
// that is free.
func OpenEmbedded(_ context.Context, address string, o *bus.Options) (*bus.Bus, error) {
	eo, fleet, err := parseEmbedded(address)
	if err != nil {
		return nil, err
	}
	e, err := Embed(eo)
	if err != nil {
		return nil, err
	}
	t, err := e.dial(e.Close)
	if err != nil {
		e.Close()
		return nil, err
	}
	return bus.Open(t, withFleet(o, fleet))
}

var errEmbedded = fmt.Errorf("%w: want nats-embedded: or nats-embedded://[user:password@]host:port", bus.ErrAddress)

func parseEmbedded(text string) (o *EmbedOptions, fleet string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "nats-embedded" || u.Opaque != "" || u.Path != "" || u.Fragment != "" {
		return nil, "", errEmbedded
	}
	query, err := parseQuery(u.RawQuery, []string{"fleet"})
	if err != nil {
		return nil, "", err
	}
	o = &EmbedOptions{Host: u.Hostname(), User: u.User.Username()}
	o.Password, _ = u.User.Password()
	if port := u.Port(); port != "" {
		if o.Port, err = strconv.Atoi(port); err != nil {
			return nil, "", errEmbedded
		}
	}
	if u.Host != "" && (o.Host == "" || o.Port == 0) {
		return nil, "", errEmbedded
	}
	return o, query.Get("fleet"), nil
}
