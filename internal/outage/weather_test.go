package outage_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
	"github.com/holdfast-games/holdfast/store"
)

// ordinary is what is always wrong with a wire: of the requests that commit
// something one in twenty goes wrong, of the others one in a hundred.
func ordinary(seed uint64) wire.Plan {
	const short, long = 200 * time.Millisecond, 1300 * time.Millisecond // long: past the repetition
	commits := wire.Randomly(seed, 0.05, wire.Commits, commitFaults(short, long)...)
	others := wire.Randomly(seed+1, 0.01, wire.Any, []wire.Fault{
		{At: wire.Before, Do: wire.Cut}, {At: wire.Answer, Do: wire.Cut}, {At: wire.MidAnswer, Do: wire.Cut},
		{At: wire.Before, Do: wire.Mute}, {At: wire.Answer, Do: wire.Hold, For: short},
	}...)
	return func(r *wire.Request) wire.Fault {
		if r.Commits {
			return commits(r)
		}
		return others(r)
	}
}

func commitFaults(short, long time.Duration) []wire.Fault {
	return []wire.Fault{
		// Not applied.
		{At: wire.Before, Do: wire.Cut}, {At: wire.Middle, Do: wire.Cut}, {At: wire.BeforeCommit, Do: wire.Cut},
		// Applied, and its sender does not know.
		{At: wire.Answer, Do: wire.Cut}, {At: wire.MidAnswer, Do: wire.Cut}, {At: wire.Answer, Do: wire.Mute},
		// Nobody knows.
		{At: wire.Sent, Do: wire.Cut}, {At: wire.Before, Do: wire.Mute},
		// Late: while it is repeated, and after that.
		{At: wire.Sent, Do: wire.Leave}, {At: wire.Before, Do: wire.Leave, For: short},
		{At: wire.Before, Do: wire.Leave, For: long}, {At: wire.Middle, Do: wire.Leave, For: long},
		{At: wire.BeforeCommit, Do: wire.Leave, For: short},
		// Slow.
		{At: wire.Before, Do: wire.Hold, For: long}, {At: wire.Answer, Do: wire.Hold, For: long},
	}
}

// disasters are what happens to a fleet besides.
func (f *fleet) disasters() []func() {
	return []func(){f.killDatabase, f.pauseDatabase, f.silenceOne, f.replaceOne, f.cutAll, f.stopDatabase}
}

// endure lets each disaster happen once, in an order by chance, with some life
// in between.
func (f *fleet) endure() {
	all := f.disasters()
	f.dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, disaster := range all {
		if !f.live(40) {
			return
		}
		disaster()
	}
	f.live(40)
	f.log("the faults end")
}

// live waits until so many acknowledgements have come. It returns false if the
// checker has found something, or nothing comes any more.
func (f *fleet) live(acks int) bool {
	ctx, cancel := context.WithTimeout(f.ctx, 2*time.Minute)
	defer cancel()
	for goal := f.check.acknowledged() + acks; f.check.acknowledged() < goal; {
		select {
		case <-f.check.failed:
			return false
		default:
		}
		if !wait(ctx, 20*time.Millisecond) {
			f.t.Errorf("the fleet came to a standstill: %d of %d acknowledgements are missing", goal-f.check.acknowledged(), acks)
			return false
		}
	}
	return true
}

// log says what happens, and when.
func (f *fleet) log(format string, args ...any) {
	f.t.Helper()
	f.t.Logf("%4.1fs  %s", time.Since(f.began).Seconds(), fmt.Sprintf(format, args...))
}

func (f *fleet) killDatabase() {
	f.log("the database is killed, and started again")
	f.cluster.Kill()
	wait(f.ctx, time.Duration(f.dice.IntN(500))*time.Millisecond)
	restart(f.ctx, f.t, f.cluster)
}

func (f *fleet) stopDatabase() {
	f.log("the database is shut down, and started again")
	f.cluster.Stop()
	restart(f.ctx, f.t, f.cluster)
}

// restart starts a cluster that was killed. Its processes may take a moment to
// die, and as long as one is there, no other cluster is let near its memory.
func restart(ctx context.Context, t *testing.T, cluster *pgtest.Cluster) {
	t.Helper()
	for try := 1; ; try++ {
		err := cluster.Server().Restart(ctx)
		if err == nil {
			return
		}
		if try == 20 || !wait(ctx, 100*time.Millisecond) {
			t.Fatalf("restart: %v", err)
		}
	}
}

func (f *fleet) pauseDatabase() {
	f.log("the database is paused for longer than a lease")
	f.cluster.Pause()
	wait(f.ctx, leaseLength+500*time.Millisecond)
	f.cluster.Resume()
}

func (f *fleet) one() *server { return f.servers[f.dice.IntN(len(f.servers))] }

// silenceOne silences a server's wire until others have sealed its lease.
func (f *fleet) silenceOne() {
	s := f.one()
	f.log("the wire of %s is silent until others have sealed its lease", s.name)
	s.proxy.Silence(true)
	defer s.proxy.Silence(false)
	ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
	defer cancel()
	direct := mustOpen(f.t, ctx, f.cluster.URL(), isolations[0])
	defer direct.Close()
	wait(ctx, leaseLength)
	s.proxy.HangUp() // by then the database's keepalive has found nobody
	for key := store.SystemKey("lease", s.srv.LeaseID()); wait(ctx, 50*time.Millisecond); {
		snap, err := direct.Read(ctx, key)
		if err != nil {
			f.t.Fatalf("Read: %v", err)
		}
		if e := &snap.Entries[0]; !e.Found() || bytes.Contains(e.Value, []byte(`"sealed"`)) {
			wait(ctx, 500*time.Millisecond) // they take its players over
			return
		}
	}
	f.t.Error("nobody sealed the lease of a server that was cut off")
}

func (f *fleet) replaceOne() {
	s := f.one()
	f.log("%s vanishes", s.name)
	f.vanish(s)
	f.act(f.start(), actorsEach)
}

func (f *fleet) cutAll() {
	f.log("all connections are cut")
	for _, s := range f.servers {
		s.proxy.Cut()
	}
}
