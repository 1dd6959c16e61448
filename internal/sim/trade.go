package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// trade is a change of several players, wherever they are: the first one pays all
// others.
type trade struct {
	in      *instance
	name    string
	players []*player
	numbers []int // of the updates that it makes
	amount  int
	vain    bool // the game changes its mind
	updates []*update
}

// errVain is what a game's function returns that changes its mind.
var errVain = errors.New("they do not agree")

// trade has players trade.
func (w *world) trade(in *instance) {
	t := &trade{in: in, amount: 1 + w.rng.IntN(20), vain: w.chance(0.1)}
	for range 2 + w.rng.IntN(2) {
		// Of two trades of one server that wait for one player, nobody could say which
		// of them gets him.
		if p := w.somebody(); !slices.Contains(t.players, p) && !in.busy[p.key.ID] {
			t.players = append(t.players, p)
			t.numbers = append(t.numbers, w.check.number())
		}
	}
	if len(t.players) < 2 {
		return
	}
	for _, p := range t.players {
		in.busy[p.key.ID] = true
	}
	t.name = "t" + strconv.Itoa(t.numbers[0])
	limit := w.upTo(3 * w.shape.lease)
	if w.chance(0.1) {
		limit = 0
	}
	o := w.begin(in, limit, fmt.Sprintf("trade %s among %s", t.name, t.ids()), func(ctx context.Context) func() {
		err := profile.Exchange(ctx, t.parties(), "a trade", t.run)
		var unknown *profile.OutcomeError
		if errors.As(err, &unknown) {
			happened, lost := unknown.Find(ctx, in.profiles)
			return func() {
				w.over(t)
				w.trace.add("%s was not told whether %s happened", w.current, t.name)
				w.found(t, happened, lost)
			}
		}
		return func() {
			w.over(t)
			w.traded(t, err)
		}
	})
	o.slack = tradeSlack
}

// over lets a trade's players trade again.
func (w *world) over(t *trade) {
	for _, p := range t.players {
		delete(t.in.busy, p.key.ID)
	}
}

func (t *trade) ids() string {
	var ids []string
	for _, p := range t.players {
		ids = append(ids, p.key.ID)
	}
	return strings.Join(ids, " ")
}

func (t *trade) parties() []profile.Party {
	var ps []profile.Party
	for _, p := range t.players {
		ps = append(ps, profile.Party{Server: t.in.profiles, ID: p.key.ID})
	}
	return ps
}

// share is what one of the players gets.
func (t *trade) share(i int) int {
	if i == 0 {
		return -t.amount * (len(t.players) - 1)
	}
	return t.amount
}

// run is the trade's function.
func (t *trade) run(txs []*profile.Tx) error {
	carried, gems := make([][]change, len(txs)), 0
	if t.carries() {
		var err error
		if carried, gems, err = t.carry(txs); err != nil {
			return err
		}
	}
	take := func(w *world, on []*update) { t.hasRun(w, on, carried, gems) }
	d := deed{what: t.name, players: t.players, numbers: t.numbers, take: take}
	for i, tx := range txs {
		d.on = append(d.on, int(headOf.Get(tx)))
		err := errors.Join(
			coinsOf.Add(tx, int64(t.share(i))),
			gotOf.Put(tx, t.name, t.numbers[i]),
			headOf.Set(tx, int64(t.numbers[i])),
		)
		if err != nil {
			return err
		}
	}
	if t.vain {
		return errVain
	}
	t.in.w.did(d)
	return nil
}

// hasRun registers the updates of a trade whose function has run, with what it has done
// to the players' items.
func (t *trade) hasRun(w *world, on []*update, carried [][]change, gems int) {
	if t.updates != nil {
		w.fail(fmt.Errorf("%s ran trade %s twice in one try", t.in.name, t.name))
		return
	}
	for i, p := range t.players {
		if on[i].p != p {
			w.fail(fmt.Errorf("%s ran trade %s on %v for %v", t.in.name, t.name, on[i], p.key))
			return
		}
		u := w.check.make(t.numbers[i], on[i], append([]change{
			{document.Field(coinsField), strconv.Itoa(on[i].content.coins() + t.share(i))},
			{document.Element(gotField, t.name), strconv.Itoa(t.numbers[i])},
		}, carried[i]...))
		u.binding = true
		if i == 0 {
			u.gems = gems
		}
		t.updates = append(t.updates, u)
		p.coming = append(p.coming, u)
	}
	w.check.join(t.updates)
	w.trace.add("%s runs trade %s: %v", t.in.name, t.name, t.updates)
}

// traded checks what the one who traded was told.
func (w *world) traded(t *trade, err error) {
	if errors.Is(err, session.ErrNotFound) || errors.Is(err, errVain) {
		w.trace.add("%s ends: %v", w.current, err)
	} else {
		w.heard(err)
	}
	switch {
	case err == nil:
		w.found(t, true, nil)
	case !errors.Is(err, profile.ErrNotDurable):
		w.found(t, false, nil)
	}
}

// found checks a trade whose outcome is known, unless there is an error.
func (w *world) found(t *trade, happened bool, err error) {
	w.trace.add("%s happened: %v, %s", t.name, happened, errText(err))
	switch {
	case err != nil:
	case happened && t.updates == nil:
		w.fail(fmt.Errorf("%s happened, and its function did not run", t.name))
	case happened:
		for _, u := range t.updates {
			w.fail(w.check.kept(u, w.current.name))
		}
	default:
		for _, u := range t.updates {
			u.never = true
			u.p.coming = slices.DeleteFunc(u.p.coming, func(o *update) bool { return o == u })
			if u.within(u.p.durable) {
				w.fail(fmt.Errorf("%s was told that trade %s has not happened, but %v is durable", w.current, t.name, u))
			}
		}
	}
}
