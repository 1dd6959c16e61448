package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// verbNews tells another server that there is something new in the database.
const verbNews = "news"

// newsWait bounds how long one server is waited for that is told news.
const newsWait = 2 * time.Second

// newsItem says of what there are news.
type newsItem struct {
	Kind string `json:"kind"`
	Of   string `json:"of"`
}

func (n newsItem) String() string { return n.Kind + "/" + n.Of }

// Hear has fn called whenever another server of the database tells news of
// something, by the same name, to servers of the same kind of profiles. It must not
// block. News may be lost or doubled, so whoever hears also looks now and then. It
// is for layers over this package.
func (srv *Server) Hear(of string, fn func()) {
	name := newsItem{srv.schema.kind, of}.String()
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.hearers[name] = append(srv.hearers[name], fn)
}

// Tell tells the news to all living servers of the database, this one aside. It
// returns at once; without a bus, nobody hears of it.
func (srv *Server) Tell(of string) error {
	body, err := json.Marshal(newsItem{srv.schema.kind, of})
	if err != nil {
		return fmt.Errorf("tell news of %q: %w", of, err)
	}
	if srv.opts.Session.Bus == nil {
		return nil
	}
	srv.background(func() {
		if err := srv.tell(body); err != nil {
			srv.log.Warn("news told to some servers only", "of", of, "err", err)
		}
	})
	return nil
}

func (srv *Server) tell(body []byte) error {
	rd := session.NewReader(srv.ss.DB(), srv.opts.Session.Limits)
	for l, err := range rd.Leases(srv.ctx) {
		if err != nil {
			return err
		}
		if l.Err != nil || l.SealedBy != "" || l.ID == srv.ss.LeaseID() {
			continue
		}
		srv.background(func() {
			ctx, cancel := context.WithTimeout(srv.ctx, newsWait)
			defer cancel()
			_, _ = srv.ss.Ask(ctx, l.ID, verbNews, body) // who does not hear it looks for himself
		})
	}
	return nil
}

// news deals with news of another server.
func (c *common) news(_ context.Context, body []byte) ([]byte, error) {
	var n newsItem
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, fmt.Errorf("news not understood: %w: %w", driver.ErrInvalid, err)
	}
	c.mu.Lock()
	hearers := slices.Clip(c.hearers[n.String()])
	c.mu.Unlock()
	for _, fn := range hearers {
		fn()
	}
	return nil, nil
}
