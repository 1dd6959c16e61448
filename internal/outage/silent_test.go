package outage_test

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
	"github.com/holdfast-games/holdfast/store"
)

// TestSilentConnections mutes every connection that urgent attempts have, one
// after another. The attempts are repeated over new ones well before a lease
// would end: what has fallen silent must not keep others' places.
func TestSilentConnections(t *testing.T) {
	l := newLine(t, isolations[0], &store.Options{Timeout: 200 * time.Millisecond})
	const mutes = 4
	for range mutes {
		l.proxy.Trap(1, wire.CommitOf("~lease/x"), wire.Fault{At: wire.Before, Do: wire.Mute})
	}
	ctx, cancel := context.WithTimeout(l.ctx, 10*time.Second)
	defer cancel()
	v := l.version()
	at := write("~lease/x", driver.Version{}, v)
	at.Lane = store.Urgent
	if _, err := l.db.Commit(ctx, at); err != nil {
		t.Errorf("Commit = %v, want nil within a lease's length", err)
	}
	if got := l.proxy.Happened(wire.Before, wire.Mute); got != mutes {
		t.Errorf("%d connections fell silent, want %d", got, mutes)
	}
}

// TestCommitsAskForKeepalive shows that the server is asked to notice soon that a client's machine has gone. Half of a transaction may have arrived
// from there; its locks, on a lease perhaps, are then in everybody's way, and no
// other time-out of the server's ends a transaction that is still being read.
func TestCommitsAskForKeepalive(t *testing.T) {
	server := pgtest.URL(t)
	p := mustListen(t, server)
	url, err := p.URL(server)
	if err != nil {
		t.Fatalf("URL: %v", err)
	}
	asked, commits := make(map[int]bool), make(map[string]int) // by connection; a plan runs one at a time
	p.Use(func(r *wire.Request) wire.Fault {
		asked[r.Conn] = asked[r.Conn] || r.Has("tcp_keepalives_idle")
		for _, key := range []string{theKey, "~lease/x"} {
			if r.Commits && r.Has(key) {
				commits[key] = r.Conn
			}
		}
		return wire.Fault{}
	})
	db, err := store.New(mustOpen(t, t.Context(), url, isolations[0]), nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, ctx: t.Context(), db: db}
	urgent := write("~lease/x", driver.Version{}, l.version())
	urgent.Lane = store.Urgent
	l.must(urgent)
	l.must(write(theKey, driver.Version{}, l.version()))
	if err := db.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
	p.Use(nil)
	for key, conn := range commits {
		if !asked[conn] {
			t.Errorf("the connection that committed %q did not ask for keepalive", key)
		}
	}
	if len(commits) != 2 {
		t.Errorf("saw commits of %v, want two keys", commits)
	}
}

// TestHalfATransactionIsNotInTheWay sends half of a commit and then nothing, as
// a machine does that loses its power. The locks that it took at the server are
// gone long before TCP gives up.
func TestHalfATransactionIsNotInTheWay(t *testing.T) {
	for key, lane := range map[string]store.Lane{"~lease/x": store.Urgent, theKey: store.Waited} {
		t.Run(lane.String(), func(t *testing.T) {
			t.Parallel() // it waits for time-outs of the server's
			l := newLine(t, isolations[0], &store.Options{Timeout: 6 * time.Second})
			v, w := l.version(), l.version()
			l.must(write(key, driver.Version{}, v))
			half := l.proxy.Trap(1, wire.CommitOf(key), wire.Fault{At: wire.BeforeCommit, Do: wire.Mute})
			at := write(key, v, w)
			at.Lane = lane
			ctx, cancel := context.WithTimeout(l.ctx, time.Minute)
			defer cancel()
			if _, err := l.db.Commit(ctx, at); err != nil {
				t.Errorf("Commit = %v, want nil: half of its first try is in the way", err)
			}
			l.hit(half)
			l.wants(key, w, v)
		})
	}
}
