package outage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// text is the document that an update left.
func text(t *testing.T, u *update) []byte {
	t.Helper()
	b, err := json.Marshal(u.content)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The checker is no better than what it would notice.
func TestCheckerNotices(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		do         func(t *testing.T, c *checker, p, q *player)
	}{
		{"AnAcknowledgedUpdateThatIsGone", "lost", func(t *testing.T, c *checker, p, _ *player) {
			u := c.make(p.origin)[0]
			c.ack(u, "sync")
			c.seen(p, []byte("{}"), c.floor(p), "open")
		}},
		{"TwoLinesThatWereAcknowledged", "two owners", func(t *testing.T, c *checker, p, _ *player) {
			a, b := c.make(p.origin)[0], c.make(p.origin)[0]
			c.ack(a, "sync")
			c.ack(b, "sync")
		}},
		{"AnUpdateThatNobodyMade", "nobody made", func(t *testing.T, c *checker, p, _ *player) {
			c.seen(p, []byte(`{"head":7}`), p.origin, "open")
		}},
		{"AnotherPlayersUpdate", "nobody made", func(t *testing.T, c *checker, p, q *player) {
			c.seen(p, text(t, c.make(q.origin)[0]), p.origin, "open")
		}},
		{"HalfOfAnUpdate", "left", func(t *testing.T, c *checker, p, _ *player) {
			u := c.make(p.origin)[0]
			c.seen(p, fmt.Appendf(nil, `{"head":%d}`, u.id), p.origin, "open")
		}},
		{"AFieldFromAnotherLine", "left", func(t *testing.T, c *checker, p, _ *player) {
			lost := c.make(p.origin)[0]
			u := c.make(p.origin)[0]
			torn := fmt.Appendf(nil, `{"head":%d,"depth":1,"%s":%d,"%s":%d}`, u.id, slot(u.id), u.id, slot(lost.id), lost.id)
			c.seen(p, torn, p.origin, "open")
		}},
		{"HalfOfAGroup", "torn", func(t *testing.T, c *checker, p, q *player) {
			g := c.make(p.origin, q.origin)
			c.wholeGroups(map[*player]*update{p: g[0], q: q.origin})
		}},
		{"ADatabaseThatLostItsHistory", session.ErrHistoryLost.Error(), func(t *testing.T, c *checker, p, _ *player) {
			c.tolerates(&session.LostError{Key: p.key, Cause: session.ErrHistoryLost}, "save")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newChecker(2)
			tt.do(t, c, c.players[0], c.players[1])
			if err := c.result(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the checker says %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheckerAccepts(t *testing.T) {
	c := newChecker(2)
	p, q := c.players[0], c.players[1]
	a := c.make(p.origin)[0]
	g := c.make(a, q.origin)
	lost := c.make(g[0])[0] // made, never acknowledged, and lost with its server
	c.ack(g[0], "sync")
	c.ack(a, "a sync that was slow to tell")
	c.seen(p, text(t, g[0]), c.floor(p), "open")
	b := c.make(g[0])[0]
	c.seen(p, text(t, b), c.floor(p), "peek")
	c.wholeGroups(map[*player]*update{p: b, q: g[1]})
	c.tolerates(fmt.Errorf("open: %w", driver.ErrUnavailable), "open")
	if err := c.result(); err != nil {
		t.Errorf("the checker refuses a history that is right: %v", err)
	}
	if lost.within(b) {
		t.Error("an update that was lost counts as part of its line")
	}
}
