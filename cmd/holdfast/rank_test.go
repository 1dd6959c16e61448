package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

func TestRank(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.add(fmt.Sprintf("player/p%02d", i), fmt.Sprintf(`{"wins":%d,"lap":%d}`, i, 90-i))
	}
	w.add("player/none", `{"wins":"text"}`)
	t.Run("RebuildGivesRowsToAll", func(t *testing.T) {
		w := w.in(t)
		w.run("rank", "top", "player/wins").is(exitOK, "RANK")
		w.run("rank", "rebuild", "player/wins", "--field", "wins").is(exitOK, "31 players looked at, 31 changed")
		got := lines[rebuiltJSON](t, w.ok("rank", "rebuild", "player/wins", "--field", "wins", "--json"))
		if want := []rebuiltJSON{{Ranking: "player/wins", Players: 31, Last: "p29"}}; !cmp.Equal(want, got) {
			t.Errorf("rank rebuild once more = %+v, want %+v", got, want)
		}
		w.run("rank", "rebuild", "player/laps", "--field", "lap", "--lowest", "--after", "p27").is(exitOK, "2 changed")
		w.run("rank", "top", "player/laps", "--lowest").is(exitOK, "1     p29     61")
	})
	t.Run("TopAroundAndRankShowThem", func(t *testing.T) {
		w := w.in(t)
		got := lines[standingJSON](t, w.ok("rank", "top", "player/wins", "-n", "2", "--json"))
		if want := []standingJSON{{1, "p29", 29, true}, {2, "p28", 28, true}}; !cmp.Equal(want, got) {
			t.Errorf("rank top = %+v, want %+v", got, want)
		}
		got = lines[standingJSON](t, w.ok("rank", "around", "player/wins", "p10", "--limit", "1", "--json"))
		if want := []standingJSON{{19, "p11", 11, true}, {20, "p10", 10, true}, {21, "p09", 9, true}}; !cmp.Equal(want, got) {
			t.Errorf("rank around = %+v, want %+v", got, want)
		}
		w.run("rank", "rank", "player/wins", "p00").is(exitOK, "30", "p00")
		w.run("rank", "rank", "player/wins", "none").is(exitNotFound, "not found")
		w.run("rank", "rank", "player/wins", "nobody").is(exitNotFound, "not found")
	})
	t.Run("ShowsOneThatIsSet", func(t *testing.T) {
		w := w.in(t)
		db, err := store.New(kept{w.mem}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close(t.Context())
		r, err := db.Ranking("season 1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Set(t.Context(), "ann", 5); err != nil {
			t.Fatal(err)
		}
		w.run("rank", "top", "season 1").is(exitOK, "ann")
	})
	t.Run("RebuildLeavesAloneWhoIsHeld", func(t *testing.T) {
		w := w.in(t)
		g := w.game(kept{w.mem}, session.Options{Name: "game-1"})
		defer g.close(t.Context())
		g.open(t, "player/p05")
		w.run("rank", "rebuild", "player/wins", "--drop").is(exitOK, "30 changed", "1 are held")
		if got := lines[standingJSON](t, w.ok("rank", "top", "player/wins", "--json")); len(got) != 1 || got[0].Member != "p05" {
			t.Errorf("after --drop there are %+v, want p05, who is held", got)
		}
	})
	t.Run("RebuildSaysWhatItCouldNotRead", func(t *testing.T) {
		w := w.in(t)
		if err := w.mem.Damage("player/p07"); err != nil {
			t.Fatal(err)
		}
		w.run("rank", "rebuild", "player/wins", "--field", "wins").is(exitError, "1 players", "not everything could be read")
	})
	for name, args := range map[string][]string{
		"RebuildWithoutKind":   {"rank", "rebuild", "wins", "--field", "wins"},
		"RebuildWithoutField":  {"rank", "rebuild", "player/wins"},
		"RebuildOfTwoMinds":    {"rank", "rebuild", "player/wins", "--field", "wins", "--drop"},
		"RebuildOfABadField":   {"rank", "rebuild", "player/wins", "--field", "a\n"},
		"RankingOfThreeParts":  {"rank", "top", "a/b/c"},
		"RankingWithoutName":   {"rank", "top", "player/"},
		"RankingOfTheSystem":   {"rank", "top", "/wins"},
		"TopOfNone":            {"rank", "top", "wins", "-n", "0"},
		"AroundOfTooMany":      {"rank", "around", "wins", "ann", "-n", "5000"},
		"AroundWithoutAMember": {"rank", "around", "wins"},
	} {
		t.Run(name+"IsAUsageError", func(t *testing.T) { w.in(t).run(args...).is(exitUsage) })
	}
}
