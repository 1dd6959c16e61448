package profile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// MaxDeeds is how many deeds are told at most.
const MaxDeeds = 50

// Deed is something that concerned others than the player as well, so that a restore of
// his data does not undo it: he paid for it, or somebody else has what he gave.
type Deed struct {
	What     string         // session.OriginPurchase, OriginRefund or OriginTrade
	ID       string         // of the purchase
	Reason   string         // of a trade, or what else is known; empty: nothing
	At       time.Time      // by the database's clock
	Revision uint64         // of the profile with it
	Version  driver.Version // in which a trade is; zero: not in a version yet, or no trade
}

// DeedTeller returns what it knows of the deeds of a key's profile that came after a
// revision. It may block to read.
type DeedTeller func(ctx context.Context, key session.Key, after uint64) ([]Deed, error)

// TellDeeds has fn asked for the deeds of profiles of the server's schema, beside the
// trades, which the profiles' history tells. It is for layers over this package.
func (srv *Server) TellDeeds(fn DeedTeller) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.tellers[srv.schema.kind] = append(srv.tellers[srv.schema.kind], fn)
}

// Deeds returns what the player of an id has done since a version of his profile that
// its restore would not undo, in the order of time, and whether there is more than the
// MaxDeeds that are told. Trades that were made by a server without origins in its
// history (before this was kept) are not known. What his server has done in its last
// moments may be missing. It blocks to read; its errors are those of
// session.Reader.ReadVersion.
func (srv *Server) Deeds(ctx context.Context, id string, version driver.Version) (deeds []Deed, more bool, err error) {
	key := srv.key(id)
	v, err := srv.reader().ReadVersion(ctx, key, version)
	if err == nil {
		deeds, more, err = srv.deedsSince(ctx, key, v)
	}
	if err != nil {
		return nil, false, fmt.Errorf("deeds of %v: %w", key, err)
	}
	return deeds, more, nil
}

// reader reads versions however large they are: to look at one is no reason to judge it.
func (c *common) reader() *session.Reader { return session.NewReader(c.ss.DB(), anySize) }

var anySize = document.Limits{Size: math.MaxInt, Depth: math.MaxInt, Fields: math.MaxInt}

func (c *common) deedsSince(ctx context.Context, key session.Key, v *session.VersionView) (deeds []Deed, more bool, err error) {
	deeds, err = c.tradesSince(ctx, key, v)
	c.mu.Lock()
	tellers := c.tellers[key.Kind]
	c.mu.Unlock()
	for _, tell := range tellers {
		told, failed := tell(ctx, key, v.Revision)
		deeds, err = append(deeds, told...), errors.Join(err, failed)
	}
	if err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(deeds, func(a, b Deed) int { return a.At.Compare(b.At) })
	if more = len(deeds) > MaxDeeds; more {
		deeds = deeds[:MaxDeeds]
	}
	return deeds, more, nil
}

// tradesSince returns the trades that the versions after one tell, and a few more than
// MaxDeeds at most. Every version with a trade in it is marked, so that only those are
// read.
func (c *common) tradesSince(ctx context.Context, key session.Key, v *session.VersionView) (deeds []Deed, err error) {
	rd := c.reader()
	list, err := rd.Versions(ctx, key)
	if err != nil {
		return nil, err
	}
	// If the version has gone meanwhile, its revision tells what came later.
	at := slices.IndexFunc(list, func(i session.VersionInfo) bool { return i.Version == v.Version })
	for _, info := range list[at+1:] {
		if !info.Marked || len(deeds) > MaxDeeds {
			continue
		}
		later, err := rd.ReadVersion(ctx, key, info.Version)
		switch {
		case errors.Is(err, driver.ErrNotFound):
			continue // its time was over
		case errors.Is(err, driver.ErrUnavailable) || ctx.Err() != nil:
			return nil, err
		case err != nil:
			deeds = append(deeds, Deed{What: session.OriginTrade, Reason: "perhaps: the version cannot be read", At: info.Updated, Version: info.Version})
		case later.Birth == v.Birth && later.Revision > v.Revision && slices.Contains(later.Origins, session.OriginTrade):
			deeds = append(deeds, Deed{What: session.OriginTrade, Reason: later.Reason, At: info.Updated, Revision: later.Revision, Version: info.Version})
		}
	}
	return deeds, nil
}
