package natsbus

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/holdfast-games/holdfast/bus"
)

// address says to which servers to connect, and how.
type address struct {
	servers []*url.URL
	query   url.Values
}

// parameters are those that an address may have.
var parameters = []string{"fleet", "creds", "ca", "cert", "key"}

// parseAddress reads an address. No error shows a part of it that may hold a
// password.
func parseAddress(text string) (*address, error) {
	text, query, _ := strings.Cut(text, "?")
	a := &address{}
	for part := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(part)
		if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
			return nil, fmt.Errorf("%w: want nats://[user:password@]host:port, several separated by commas, with what is odd in a password percent-encoded", bus.ErrAddress)
		}
		u.Path = ""
		a.servers = append(a.servers, u)
	}
	var err error
	if a.query, err = parseQuery(query, parameters); err != nil {
		return nil, err
	}
	if a.query.Has("cert") != a.query.Has("key") {
		return nil, fmt.Errorf("%w: cert and key are given together", bus.ErrAddress)
	}
	return a, nil
}

// parseQuery reads parameters, each once at most.
func parseQuery(query string, known []string) (url.Values, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("%w: the parameters after ? cannot be read", bus.ErrAddress)
	}
	for name, list := range values {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w: unknown parameter %.50q, known are %s", bus.ErrAddress, name, strings.Join(known, ", "))
		}
		if len(list) > 1 || list[0] == "" {
			return nil, fmt.Errorf("%w: parameter %q wants one value", bus.ErrAddress, name)
		}
	}
	return values, nil
}

// options are those of a Bus, with what the address says.
func (a *address) options(o *bus.Options) *bus.Options { return withFleet(o, a.query.Get("fleet")) }

func withFleet(o *bus.Options, fleet string) *bus.Options {
	var c bus.Options
	if o != nil {
		c = *o
	}
	if fleet != "" {
		c.Fleet = fleet
	}
	return &c
}

// shown is the address for people, without passwords.
func (a *address) shown() string {
	list := make([]string, len(a.servers))
	for i, u := range a.servers {
		list[i] = u.Redacted()
	}
	return strings.Join(list, ",")
}

func (a *address) dial(ctx context.Context) (bus.Transport, error) {
	texts := make([]string, len(a.servers))
	for i, u := range a.servers {
		texts[i] = u.String()
	}
	d := &dialer{opening: ctx}
	options := []nats.Option{nats.SetCustomDialer(d)}
	if file := a.query.Get("creds"); file != "" {
		options = append(options, nats.UserCredentials(file))
	}
	if file := a.query.Get("ca"); file != "" {
		options = append(options, nats.RootCAs(file))
	}
	if file := a.query.Get("cert"); file != "" {
		options = append(options, nats.ClientCert(file, a.query.Get("key")))
	}
	t, err := connect(strings.Join(texts, ","), a.shown(), options...)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("connect to %s: %w", a.shown(), context.Cause(ctx))
		}
		return nil, err
	}
	d.opened.Store(true)
	return t, nil
}

// dialer connects: for the first time within the context of whoever opens, and
// later without it.
type dialer struct {
	opening context.Context
	opened  atomic.Bool
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, addr string) (net.Conn, error) {
	nd := &net.Dialer{Timeout: connectTime}
	if d.opened.Load() {
		return nd.Dial(network, addr)
	}
	conn, err := nd.DialContext(d.opening, network, addr)
	if err == nil {
		// The library does not ask the context while it waits for the server.
		context.AfterFunc(d.opening, func() {
			if !d.opened.Load() {
				_ = conn.Close()
			}
		})
	}
	return conn, err
}
