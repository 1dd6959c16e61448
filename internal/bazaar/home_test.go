package bazaar_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/bus/natsbus"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
)

// home is where the stalls of a test keep their traders, and what they talk over.
type home struct {
	db    string // a file or a URL, past the wires
	wires [slots]string
	bus   string
	quiet func(t *testing.T) // waits until nothing of a dead process works in the database
	cuts  func() int         // faults that have happened on the wires
}

func onFile(t *testing.T) *home {
	path := filepath.Join(t.TempDir(), "bazaar.db")
	return &home{db: path, wires: [slots]string{path, path, path}, quiet: func(*testing.T) {}, cuts: func() int { return 0 }}
}

// aloneQuery waits until nobody else is connected to a database: a server finishes what
// it was asked for before its client was killed.
const aloneQuery = `DO $$ BEGIN
	WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()) LOOP
		PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
	END LOOP;
END $$`

// wireFaults are what goes wrong with a commit.
var wireFaults = []wire.Fault{
	{At: wire.Before, Do: wire.Cut}, {At: wire.BeforeCommit, Do: wire.Cut}, {At: wire.Sent, Do: wire.Cut},
	{At: wire.Answer, Do: wire.Cut}, {At: wire.MidAnswer, Do: wire.Cut},
	{At: wire.Answer, Do: wire.Hold, For: 200 * time.Millisecond},
}

// onPostgres is a database with a wire for each slot, on which of a thousand commits
// so many go wrong.
func onPostgres(t *testing.T, perMille float64) *home {
	h := &home{db: pgtest.URL(t)}
	var proxies []*wire.Proxy
	for slot := range slots {
		p, err := wire.ListenPostgres(h.db)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		p.Use(wire.Randomly(uint64(slot), perMille/1000, wire.Commits, wireFaults...))
		if h.wires[slot], err = p.URL(h.db); err != nil {
			t.Fatal(err)
		}
		proxies = append(proxies, p)
	}
	h.quiet = func(t *testing.T) {
		u, err := url.Parse(h.db)
		if err == nil {
			err = pgtest.Shared(t).Exec(t.Context(), strings.TrimPrefix(u.Path, "/"), aloneQuery)
		}
		if err != nil {
			t.Fatalf("wait until nobody is connected: %v", err)
		}
	}
	h.cuts = func() (n int) {
		for _, p := range proxies {
			for _, fault := range wireFaults {
				n += p.Happened(fault.At, fault.Do)
			}
		}
		return n
	}
	return h
}

func newNATS(t *testing.T) string {
	t.Helper()
	e, err := natsbus.Embed(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e.URL()
}
