package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// shape is what a seed decides of its world before it begins.
type shape struct {
	servers, players int
	lease            time.Duration
	appendEvery      time.Duration
	look             time.Duration // driver.Info.Look
	group, writers   int           // driver.Info
	timeout          time.Duration // of a call to the database
	journal          int           // bytes
	value            int           // bytes of a padded value; 0: none is
	latency          time.Duration // of half a call
	opEvery          time.Duration // between two acts of callers

	// Chances of one call.
	fail, lose, late, double, stall, crashAt float64

	// Mean times between two faults; 0: never.
	crashEvery, pauseEvery, cutEvery, blinkEvery, freezeEvery, closeEvery, clockEvery, powerEvery time.Duration

	drift                    float64 // of the database's clock
	steal                    float64 // chance that an open steals
	bus                      bool
	hook                     bool             // the game wants to finish before a hand-over
	typed                    bool             // games use profiles, not sessions
	awards, gifts            float64          // chances of one update
	mail, trades, shop, byID float64          // chances that an act is one of these
	slots                    float64          // likewise, of an operation on save slots
	freezeLimit              time.Duration    // of profile.Options
	patience                 time.Duration    // FreezePatience of them
	hot                      bool             // few players are wanted by everybody
	migrates, compatible     bool             // a newer version of the game is rolled out; the older one can go on with what it makes
	imports                  bool             // there is an older store
	erase                    float64          // chance that an act erases somebody
	restore                  float64          // likewise, that it restores somebody
	versions                 driver.Retention // of players
}

// steady reports whether nobody steals or erases: then a server knows when it may no
// longer be the owner, whatever the database's clock does.
func (s *shape) steady() bool { return s.steal == 0 && s.erase == 0 }

func drawShape(r *rand.Rand) shape {
	between := func(a, b int) int { return a + r.IntN(b-a+1) }
	ms := func(a, b int) time.Duration { return time.Duration(between(a, b)) * time.Millisecond }
	often := func(chance float64, a, b int) time.Duration {
		if r.Float64() >= chance {
			return 0
		}
		return ms(a, b)
	}
	rate := func(chance, most float64) float64 {
		if r.Float64() >= chance {
			return 0
		}
		return most * r.Float64()
	}
	s := shape{
		servers: between(2, 5), players: between(1, 30),
		lease: ms(2000, 4000), appendEvery: ms(5, 60), look: ms(100, 500),
		group: between(1, 16), writers: between(1, 2), timeout: ms(1000, 6000),
		journal: 64 << 10, latency: ms(1, 8), opEvery: ms(5, 120),
		fail: rate(0.7, 0.05), lose: rate(0.8, 0.1), late: rate(0.5, 0.03),
		double: rate(0.5, 0.05), stall: rate(0.5, 0.01), crashAt: rate(0.5, 0.01),
		crashEvery: often(0.6, 1000, 8000), pauseEvery: often(0.6, 1000, 6000),
		cutEvery: often(0.5, 1000, 8000), blinkEvery: often(0.4, 3000, 15000),
		closeEvery: often(0.4, 2000, 10000), clockEvery: often(0.25, 1000, 8000),
		powerEvery: often(0.2, 3000, 10000),
		steal:      rate(0.25, 0.1), bus: r.IntN(2) == 0, hook: r.IntN(2) == 0, typed: r.IntN(2) == 0, hot: r.IntN(3) == 0,
	}
	if r.IntN(4) == 0 {
		s.lease = ms(8000, 12000)
	}
	s.freezeEvery = often(0.3, 3000, 15000)
	if r.IntN(4) == 0 {
		s.drift = 0.1 * (r.Float64() - 0.5)
	}
	if r.IntN(3) == 0 {
		s.value = between(500, 4000)
	}
	s.awards = rate(0.6, 0.4)
	if s.typed {
		s.gifts, s.mail, s.trades = rate(0.7, 0.5), rate(0.7, 0.4), rate(0.6, 0.4)
		s.shop, s.byID = rate(0.5, 0.3), rate(0.5, 0.3)
		s.freezeLimit, s.patience = -1, ms(200, 5000)
	}
	if s.typed {
		s.slots = rate(0.55, 0.6)
		s.migrates, s.compatible, s.imports = r.IntN(2) == 0, r.IntN(3) > 0, r.IntN(3) == 0
	}
	if s.shop > 0 {
		s.group = 1 // who grants commits as soon as he is told: whether with others would be left to chance
	}
	s.erase = rate(0.35, 0.04)
	if s.typed {
		s.restore = rate(0.5, 0.2)
		s.versions = driver.Retention{Every: ms(1, 2000), Max: between(5, 50)}
	}
	return s
}

// suit makes of the shape one in which a planted bug has occasions to show itself, where
// few worlds would have them by themselves.
func (s *shape) suit(p Plant) {
	switch p {
	case BareTakeOver:
		s.awards, s.crashEvery = 0.4, 2*time.Second
	case UnsavedFreeze:
		s.typed, s.trades, s.freezeLimit, s.patience = true, 0.3, -1, time.Second
	case BareSweep, LateOutbox:
		s.erase = 0.05
	case UnseenMigration, SecondImport:
		s.typed, s.slots, s.migrates, s.compatible, s.imports = true, 0.4, true, true, true
		s.freezeLimit, s.patience = -1, time.Second
	case BareRestore, RepeatedRestore:
		s.typed, s.restore, s.freezeLimit, s.patience = true, 0.2, -1, time.Second
	case LostLegacy:
		s.erase, s.typed, s.gifts = 0.1, true, 0.5
		s.freezeLimit, s.patience = -1, time.Second
	}
}

func (s *shape) String() string { return fmt.Sprintf("%+v", *s) }
