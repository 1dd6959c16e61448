package demo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// story is a small run that went well, as the director notes it: ann plays on
// one server, hops to a second one that is killed, and ends on the third; she
// gives ben an item on the way.
type story struct {
	players []*player
	history *history
	finals  map[string]*final
	crashed map[string]bool
}

var killedAt = time.UnixMicro(1_700_000_000_000_000)

func newStory() *story {
	s := &story{crashed: map[string]bool{"birch": true}}
	s.players = []*player{{id: "ann", items: []string{"i1", "i2"}}, {id: "ben", items: []string{"i3"}}}
	h := newHistory(s.players)
	s.history = h
	h.opened("amber", answer{Player: "ann", Ordinal: 1})
	h.opened("amber", answer{Player: "ben", Ordinal: 1})
	s.update("amber", "ann", 1, answer{Ordinal: 1, Seq: 1, Made: 10})
	s.update("amber", "ann", 2, answer{Ordinal: 1, Seq: 2, Made: 20, Kept: true})
	gift := order{Do: doGive, Player: "ann", Op: 3, To: "ben", ToOp: 1}
	h.asked("amber", gift, 1, 1)
	h.answered(gift, answer{Ordinal: 1, Seq: 3, ToOrdinal: 1, ToSeq: 1, Made: 30})
	h.ended(answer{Player: "ann", Ordinal: 1, End: endSaved})
	h.ended(answer{Player: "ben", Ordinal: 1, End: endSaved})

	h.opened("birch", answer{Player: "ann", Ordinal: 2, Seq: 3, Done: numbers{{1, 3}}})
	s.update("birch", "ann", 4, answer{Ordinal: 2, Seq: 4, Made: killedAt.UnixMicro() - 30_000, Kept: true})
	s.update("birch", "ann", 5, answer{Ordinal: 2, Seq: 5, Made: killedAt.UnixMicro() - 20_000})
	h.asked("birch", order{Do: doUpdate, Player: "ann", Op: 6}, 2, 0) // no answer came

	h.opened("cedar", answer{Player: "ann", Ordinal: 3, Seq: 4, Done: numbers{{1, 4}}})
	s.update("cedar", "ann", 7, answer{Ordinal: 3, Error: "refused"})
	s.update("cedar", "ann", 8, answer{Ordinal: 3, Seq: 5, Made: killedAt.UnixMicro() + 1})
	h.saved(answer{Player: "ann", Ordinal: 3, Seq: 5, Kept: true})
	s.finals = map[string]*final{
		"ann": {same: true, done: numbers{{1, 4}, {8, 8}}, updates: 5, opened: 3, items: []string{"i2"}},
		"ben": {same: true, done: numbers{{1, 1}}, updates: 1, opened: 1, items: []string{"i3", "i1"}},
	}
	return s
}

func (s *story) update(server, player string, op int64, a answer) {
	o := order{Do: doUpdate, Player: player, Op: op}
	s.history.asked(server, o, a.Ordinal, 0)
	s.history.answered(o, a)
}

func (s *story) check() *verdict { return check(s.history, s.players, s.finals, s.crashed) }

func TestCheckAcceptsWhatMayHappen(t *testing.T) {
	v := newStory().check()
	if len(v.findings) > 0 {
		t.Errorf("check of a run that went well = %v", v.findings)
	}
	got := map[string]int{"updates": v.updates, "acknowledged": v.acknowledged, "unacknowledged": v.unacknowledged, "groups": v.groups, "equal": v.equal, "items": v.items}
	want := map[string]int{"updates": 7, "acknowledged": 6, "unacknowledged": 1, "groups": 1, "equal": 2, "items": 3}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("check counts (-want +got):\n%s", d)
	}
	lost := newStory()
	lost.history.ended(answer{Player: "ann", Ordinal: 2, End: endLost})
	if v := lost.check(); len(v.lostOldest) > 0 || v.unacknowledged != 1 {
		t.Errorf("check of a session that was lost alive has a loss window since %v", v.lostOldest)
	}
	if got := lost.check().sessionsLost["birch"]; got != 1 {
		t.Errorf("check counts %d sessions of birch as lost, want 1", got)
	}
	if window := killedAt.Sub(v.lostOldest["birch"]); window != 20*time.Millisecond {
		t.Errorf("check found a loss window of %v, want 20ms", window)
	}
}

// TestCheckFinds breaks the run in one way at a time.
func TestCheckFinds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*story)
		want   promise
	}{
		"ADurableUpdateThatIsLost": {func(s *story) {
			s.finals["ann"].done, s.finals["ann"].updates = numbers{{1, 1}, {3, 4}, {8, 8}}, 4
		}, promiseKept},
		"AnUpdateLostThatALaterDurableOneAcknowledged": {func(s *story) {
			s.finals["ann"].done, s.finals["ann"].updates = numbers{{2, 4}, {8, 8}}, 4
		}, promiseKept},
		"AnUpdateLostThatASaveAcknowledged": {func(s *story) {
			s.finals["ann"].done, s.finals["ann"].updates = numbers{{1, 4}}, 4
		}, promiseKept},
		"AnUpdateLostByAServerThatNeverFailed": {func(s *story) { s.crashed = nil }, promiseKept},
		"AnUpdateThatNobodyMade": {func(s *story) {
			s.finals["ben"].done, s.finals["ben"].updates = numbers{{1, 2}}, 2
		}, promiseKept},
		"ARefusedUpdateThatIsThere": {func(s *story) {
			s.finals["ann"].done, s.finals["ann"].updates = numbers{{1, 4}, {7, 8}}, 6
		}, promiseOwner},
		"TwoServersThatOpenedAtOnce": {func(s *story) {
			s.history.opened("dune", answer{Player: "ann", Ordinal: 3, Seq: 4, Done: numbers{{1, 4}}})
		}, promiseOwner},
		"AServerThatOpenedBelowWhatWasAcknowledged": {func(s *story) {
			s.history.opened("dune", answer{Player: "ann", Ordinal: 4, Seq: 4, Done: numbers{{1, 4}}})
			s.finals["ann"].opened = 4
		}, promiseOwner},
		"ALateWriteThatWasAccepted": {func(s *story) {
			s.finals["ann"].done, s.finals["ann"].updates = numbers{{1, 5}, {8, 8}}, 6
		}, promiseOwner},
		"TwoUpdatesOfOneNumber": {func(s *story) {
			s.update("dune", "ann", 9, answer{Ordinal: 3, Seq: 5, Made: 1, Kept: true})
			s.finals["ann"].done, s.finals["ann"].updates = numbers{{1, 4}, {8, 9}}, 6
		}, promiseOwner},
		"AnOpeningThatIsNotCounted": {func(s *story) { s.finals["ann"].opened = 2 }, promiseOwner},
		"AnUpdateInPart":            {func(s *story) { s.finals["ann"].updates = 6 }, promiseWhole},
		"HalfOfAGroup": {func(s *story) {
			s.finals["ben"].done, s.finals["ben"].updates = nil, 0
		}, promiseWhole},
		"AnItemTwice":        {func(s *story) { s.finals["ann"].items = []string{"i1", "i2"} }, promiseItems},
		"AnItemGone":         {func(s *story) { s.finals["ann"].items = nil }, promiseItems},
		"AnItemFromNowhere":  {func(s *story) { s.finals["ann"].items = []string{"i2", "i9"} }, promiseItems},
		"AChangedDocument":   {func(s *story) { s.finals["ben"].same = false }, promiseData},
		"AnUnreadablePlayer": {func(s *story) { s.finals["ben"].err = errors.New("damaged") }, promiseData},
		"AMissingPlayer":     {func(s *story) { delete(s.finals, "ben") }, promiseData},
		"APlayerStillHeld":   {func(s *story) { s.finals["ben"].holder = "amber" }, promiseRelease},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			c.change(s)
			v := s.check()
			if v.count(c.want) == 0 {
				t.Errorf("check = %v, want a finding about %q", v.findings, c.want)
			}
		})
	}
}

func TestAcceptedLate(t *testing.T) {
	s := newStory()
	c := s.history.players["ann"]
	for op, want := range map[int64]bool{4: false, 5: true, 6: false} {
		f := &final{done: numbers{{1, 5}}}
		if got := c.acceptedLate(op, f); got != want {
			t.Errorf("acceptedLate(%d) with updates %v = %v, want %v", op, f.done, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	var n numbers
	var err error
	for _, op := range []int64{1, 2, 3, 7, 9, 10} {
		if n, err = n.with(op); err != nil {
			t.Fatalf("with(%d) = %v", op, err)
		}
	}
	if want := (numbers{{1, 3}, {7, 7}, {9, 10}}); !slices.Equal(n, want) || n.len() != 6 {
		t.Errorf("numbers = %v with %d in it, want %v with 6", n, n.len(), want)
	}
	for op, want := range map[int64]bool{0: false, 1: true, 3: true, 4: false, 7: true, 8: false, 10: true, 11: false} {
		if n.has(op) != want {
			t.Errorf("%v has %d = %v, want %v", n, op, !want, want)
		}
	}
	for _, op := range []int64{10, 8, 1} {
		if _, err := n.with(op); err == nil {
			t.Errorf("%v with(%d) = nil, want an error: it does not ascend", n, op)
		}
	}
	longer, err := n.with(11)
	if err != nil || n.has(11) || !longer.has(11) {
		t.Errorf("with(11) = %v, %v and left %v: want a copy", longer, err, n)
	}
}

func TestReportSaysWhatIsBroken(t *testing.T) {
	s := newStory()
	s.finals["ann"].items = nil
	d := &director{o: Options{Lease: DefaultLease}, history: s.history, view: newView(discard{}), began: time.Now()}
	for i, p := range s.players {
		p.text = fmt.Appendf(nil, `{"n":%d}`, i)
	}
	d.faults = []faultResult{
		{fault: Kill, server: "birch", at: killedAt, players: 1, takeOver: DefaultLease, slowest: time.Millisecond},
		{fault: Stop, server: "amber", at: killedAt, players: 2, lost: 2, late: []lateWrite{{"ann", 5}}},
	}
	r := d.report(s.players, s.finals, 0)
	if r.OK || len(r.Broken) != 1 || r.ItemsChanged != 1 {
		t.Errorf("report = %+v, want one broken promise: an item destroyed", r)
	}
	if r.LossWindow != 20 || r.LossWindowLimit != 51 || len(r.Late) != 0 {
		t.Errorf("report has a loss window of %v ms of %v and %q, want 20 of 51 and nothing", r.LossWindow, r.LossWindowLimit, r.Late)
	}
	d.faults[0].at = killedAt.Add(time.Second)
	d.faults[0].takeOver = time.Minute
	if r := d.report(s.players, s.finals, 0); len(r.Late) != 2 || r.OK {
		t.Errorf("report of a loss window of a second and a take-over after a minute = %q, want both", r.Late)
	}
}

func TestReportSaysWhatTheAbsenceOfTheDatabaseCost(t *testing.T) {
	s := newStory()
	d := &director{o: Options{Lease: DefaultLease}, history: s.history, view: newView(discard{}), began: killedAt}
	for _, p := range s.players {
		p.text = []byte("{}")
	}
	d.faults = []faultResult{{fault: Kill, server: "birch", at: killedAt, players: 1, takeOver: 9 * time.Second, slowest: time.Millisecond}}
	at := func(seconds int) time.Time { return killedAt.Add(time.Duration(seconds) * time.Second) }
	d.outages.list = []outage{{began: at(1), ended: at(5)}}
	d.suspensions.over = []suspension{{began: at(3), ended: at(6), held: 7}, {began: at(20), ended: at(21), held: 100, lost: 100}}
	r := d.report(s.players, s.finals, 0)
	if !r.OK || r.Outages != 1 || r.LongestOutage != 4000 || r.Suspended != 1 || r.Held != 7 || r.Taken != 0 {
		t.Errorf("report = %+v, want one outage of 4 s, one server suspended with 7 players, and nothing broken or late", r)
	}
	if want := (DefaultLease + time.Second + 4*time.Second + DefaultLease).Seconds() * 1000; r.TakeOverLimit != want {
		t.Errorf("report allows %v ms for a take-over with an outage in it, want %v", r.TakeOverLimit, want)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil || !strings.Contains(b.String(), "away once, 4.0 s at most; 1 servers suspended with 7 players, 0 of them lost") {
		t.Errorf("Write = %v and\n%s\nwant the outage in it", err, b.String())
	}
	d.suspensions.over[0].lost = 2
	if r := d.report(s.players, s.finals, 0); r.OK || r.Taken != 2 || len(r.Broken) != 1 {
		t.Errorf("report of sessions that were lost to an outage = %+v, want that broken", r)
	}
	d.stalls.longest = DefaultLease
	if r := d.report(s.players, s.finals, 0); !r.OK || r.Taken != 2 {
		t.Errorf("report of a machine that stood still = %+v, want it told and not judged", r)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
