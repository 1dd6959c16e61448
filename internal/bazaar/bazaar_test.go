// Package bazaar lets thousands of traders trade among game servers that are real
// processes, which are killed, and counts afterwards. It has tests only.
//
// # What runs
//
// A stall is a game server: a process of its own, which has a third of the traders
// at first. Its dealers make deals with traders that they pick by chance, wherever
// these are: sales, swaps of two currencies, gifts of goods, and circles of three.
// Now and then a trader does something alone, is saved, leaves, or goes to another
// stall. Meanwhile one stall after another gets SIGKILL at any moment, and is
// replaced; with PostgreSQL each stall's wire also loses commits and their answers
// (package wire). The last kill is not replaced: what its journal holds is read
// where it lies.
//
// Before a deal begins and after it has ended the stall says so into a pipe, which
// keeps that when the stall is killed. Each deal leaves its id with all its traders.
//
// # What is checked
//
// When all stalls are closed or dead, everything is read from the database, past the
// code that wrote it, and once more after somebody else has opened everybody:
//
//   - of each currency there is as much as at first, and each good is in one place;
//   - a deal that was reported as done is with all its traders, and one that was
//     reported as refused with none, however often it was tried;
//   - a deal of which its stall could not say so, or was killed before, is with all
//     of its traders or with none, and the second reading agrees with the first;
//   - no deal has happened twice, or to anybody else;
//   - no error has come that the documentation of trades does not name;
//   - those stalls that closed have released everybody.
//
// No run repeats another. HOLDFAST_SOAK=1 makes a million trades over NATS, half of them
// on each engine, and checks after every twenty thousand.
package bazaar_test

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// asStall makes the test binary a stall.
const asStall = "HOLDFAST_BAZAAR_STALL"

func TestMain(m *testing.M) {
	if os.Getenv(asStall) != "" {
		os.Exit(serve())
	}
	pgtest.Main(m)
}

// size is how much happens.
type size struct {
	rounds  int // each begins with new stalls and ends with an audit
	trades  int // that are done in a round
	traders int
	kills   int // in a round, besides the last
}

// sizeOf returns what there is time for; a part of it is one of so many.
func sizeOf(part int) size {
	switch {
	case soak:
		return size{rounds: 25, trades: 20_000 / part, traders: 1000, kills: 10}
	case thorough:
		return size{rounds: 1, trades: 20_000 / part, traders: 1000, kills: max(1, 6/part)}
	}
	return size{rounds: 1, trades: 2000 / part, traders: 200, kills: max(1, 2/part)}
}

func TestTradesAmongProcesses(t *testing.T) {
	t.Run("SQLiteOverNATS", func(t *testing.T) {
		h := onFile(t)
		h.bus = newNATS(t)
		tradeAmong(t, h, sizeOf(1), fast(t))
	})
	t.Run("PostgreSQLOverNATS", func(t *testing.T) {
		h := onPostgres(t, 2)
		h.bus = newNATS(t)
		tradeAmong(t, h, sizeOf(1), fast(t))
	})
	t.Run("PostgreSQLOverNotify", func(t *testing.T) {
		h := onPostgres(t, 2)
		h.bus = h.db
		tradeAmong(t, h, sizeOf(10), self(t))
	})
}

// tradeAmong lets stalls trade, kills them, and counts.
func tradeAmong(t *testing.T, h *home, s size, program string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(s.rounds)*9*time.Minute)
	defer cancel()
	f := &fleet{
		T: t, ctx: ctx, home: h, program: program, traders: s.traders, dice: rand.New(rand.NewPCG(rand.Uint64(), 0)), killed: make(map[string]bool),
	}
	f.stock()
	for range s.rounds {
		f.book = newLedger()
		f.round(s)
		if t.Failed() {
			return
		}
	}
}
