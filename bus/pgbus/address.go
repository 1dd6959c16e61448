package pgbus

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/bus"
)

const connectTime = 5 * time.Second

// address says to which database to connect, and for which fleet.
type address struct {
	config *pgx.ConnConfig
	fleet  string
}

// parseAddress reads an address. No error shows a part of it that may hold a
// password.
func parseAddress(text string) (*address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("%w: want postgres://user:password@host:port/database, with what is odd in a password percent-encoded", bus.ErrAddress)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the parameters after ? cannot be read", bus.ErrAddress)
	}
	a := &address{fleet: query.Get("fleet")}
	for _, ours := range []string{"fleet", "schema", "connections", "isolation"} {
		query.Del(ours)
	}
	u.RawQuery = query.Encode()
	if a.config, err = pgx.ParseConfig(u.String()); err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			return nil, fmt.Errorf("%w: %w", bus.ErrAddress, cause)
		}
		return nil, fmt.Errorf("%w: PostgreSQL's client does not understand it", bus.ErrAddress)
	}
	if a.config.ConnectTimeout == 0 {
		a.config.ConnectTimeout = connectTime
	}
	if a.config.RuntimeParams["application_name"] == "" {
		a.config.RuntimeParams["application_name"] = "holdfast bus"
	}
	return a, nil
}

// options are those of a Bus, with what the address says.
func (a *address) options(o *bus.Options) *bus.Options {
	var c bus.Options
	if o != nil {
		c = *o
	}
	if a.fleet != "" {
		c.Fleet = a.fleet
	}
	return &c
}
