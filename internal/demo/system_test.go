package demo

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/session"
)

// long is a lease that no machine is too slow for.
const long = time.Minute

// TestTwoServersWantOnePlayer has two servers take one player in at the same
// moment: one is first, hands him over, and changes nothing of him any more.
func TestTwoServersWantOnePlayer(t *testing.T) {
	onEach(t, orAll(onSQLite, onPostgres, onPostgresNotify), func(t *testing.T, o *Options, _ *home) {
		players := settle(t, o, 1)
		id := players[0].id
		servers := []*dialogue{newDialogue(t, o, "amber", long), newDialogue(t, o, "birch", long)}
		var answers []func(answer) bool
		for _, d := range servers {
			answers = append(answers, d.tell(order{Do: doOpen, Player: id}))
		}
		ordinals := make(map[*dialogue]int64)
		for i, d := range servers {
			a := d.wait(answers[i])
			if a.Error != "" {
				t.Fatalf("open = %+v, want the player on each server in turn", a)
			}
			ordinals[d] = a.Ordinal
		}
		slices.SortFunc(servers, func(a, b *dialogue) int { return cmp.Compare(ordinals[a], ordinals[b]) })
		first, second := servers[0], servers[1]
		if ordinals[first] != 1 || ordinals[second] != 2 {
			t.Errorf("two servers opened a player as numbers %d and %d, want 1 and 2", ordinals[first], ordinals[second])
		}
		if a := first.ask(order{Do: doUpdate, Player: id, Op: 1, Durable: true}); a.Error == "" || a.Made != 0 {
			t.Errorf("update on the server that has handed the player over = %+v, want it refused", a)
		}
		if a := second.ask(order{Do: doUpdate, Player: id, Op: 2, Durable: true}); !a.Kept {
			t.Errorf("update on the server that has the player = %+v, want it kept", a)
		}
		for _, d := range servers {
			if a := d.ask(order{Do: doClose}); a.Error != "" {
				t.Errorf("close = %+v", a)
			}
		}
		if f := finalsOf(t, o, players)[id]; f.opened != 2 || f.updates != 1 || !f.done.has(2) || f.holder != "" {
			t.Errorf("the player ends as %+v, want two openings and update 2", f)
		}
	})
}

// crowd is how many players a server has when it closes.
func crowd() int {
	if soak {
		return 2000
	}
	return 50
}

// TestShutdownHandsEverybodyOver closes a server while another wants all its
// players: there is a result for each of them, and nothing is lost on the way.
func TestShutdownHandsEverybodyOver(t *testing.T) {
	onEach(t, orAll(onSQLite, onPostgres, onPostgresNATS), func(t *testing.T, o *Options, _ *home) {
		players := settle(t, o, crowd())
		amber, birch := newDialogue(t, o, "amber", long), newDialogue(t, o, "birch", long)
		for id, a := range amber.tellAll(players, order{Do: doOpen}) {
			if a.Error != "" {
				t.Fatalf("open %s = %+v", id, a)
			}
		}
		amber.tellAll(players, order{Do: doUpdate, Op: 1}) // not durable: closing makes it so
		closed := amber.tell(order{Do: doClose})
		for id, a := range birch.tellAll(players, order{Do: doOpen}) {
			if a.Error != "" || a.Ordinal != 2 || !a.Done.has(1) {
				t.Errorf("open %s on the other server = %+v, want the second opening, with update 1", id, a)
			}
		}
		// Those who were asked for before their turn came have no result of the
		// closing: they were gone by then.
		for _, r := range amber.wait(closed).Results {
			if r.Error != "" {
				t.Errorf("closing reports %+v", r)
			}
		}
		if a := birch.ask(order{Do: doClose}); a.Error != "" || len(a.Results) != len(players) {
			t.Errorf("close = %q with %d results, want one for each of %d players", a.Error, len(a.Results), len(players))
		}
		for id, f := range finalsOf(t, o, players) {
			if f.err != nil || !f.same || f.updates != 1 || f.opened != 2 || f.holder != "" {
				t.Errorf("%s ends as %+v, want one update, two openings and no holder", id, f)
			}
		}
	})
}

// TestShutdownWhileTheDatabaseIsAway takes the database away from a server
// until it is suspended, and closes it then: it names those who could not be
// saved, within its deadline, and what was acknowledged is there when the
// database is.
func TestShutdownWhileTheDatabaseIsAway(t *testing.T) {
	onEach(t, breakable, func(t *testing.T, o *Options, h *home) {
		players := settle(t, o, 20)
		amber := newDialogue(t, o, "amber", session.MinLease)
		amber.keepAll(players, order{Do: doOpen})
		amber.keepAll(players, order{Do: doUpdate, Op: 1, Durable: true})
		h.take()
		amber.tellAll(players, order{Do: doUpdate, Op: 2}) // in memory only
		amber.wait(func(a answer) bool { return a.News == newsPulse && a.Pulse.Suspended })
		for id, a := range amber.tellAll(players, order{Do: doUpdate, Op: 3, Durable: true}) {
			if !a.Suspended || a.Made != 0 {
				t.Errorf("update %s on a server that is suspended = %+v, want it refused as that", id, a)
			}
		}
		a := amber.ask(order{Do: doClose, Within: time.Second.Microseconds()})
		checkUnsaved(t, a.Results, players)
		<-amber.ended
		h.give()

		birch := newDialogue(t, o, "birch", session.MinLease)
		for id, a := range birch.keepAll(players, order{Do: doOpen}) {
			if !a.Done.has(1) || a.Done.has(3) {
				t.Errorf("open %s afterwards = %+v, want update 1 and not update 3", id, a)
			}
		}
		if a := birch.ask(order{Do: doClose}); a.Error != "" {
			t.Errorf("close = %+v", a)
		}
	})
}

// checkUnsaved checks that each player is named as not saved.
func checkUnsaved(t *testing.T, results []result, players []*player) {
	t.Helper()
	unsaved := make(map[string]bool)
	for _, r := range results {
		unsaved[r.Player] = r.Error != ""
	}
	for _, p := range players {
		if !unsaved[p.id] {
			t.Errorf("closing without a database does not report %s as not saved: %v", p.id, results)
		}
	}
}
