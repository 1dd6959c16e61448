package demo

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// dialogue is a server of this process that the test gives orders to.
type dialogue struct {
	t       *testing.T
	orders  *lines
	stdin   io.Closer
	answers chan answer
	ended   chan error
	last    uint64 // order that was given
}

// newDialogue starts a server.
func newDialogue(t *testing.T, o *Options, name string, lease time.Duration) *dialogue {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	t.Cleanup(func() { stdin.Close() })
	d := &dialogue{t: t, orders: &lines{w: stdin}, stdin: stdin, answers: make(chan answer, 10_000), ended: make(chan error, 1)}
	go func() {
		d.ended <- Serve(t.Context(), in, out, &ServerOptions{Open: o.Open, OpenBus: o.OpenBus, Log: t.Output()})
		out.Close()
	}()
	go func() {
		defer close(d.answers)
		if err := readLines(newScanner(stdout), func(a answer) { d.answers <- a }); err != nil {
			t.Errorf("the server said: %v", err)
		}
	}()
	if err := d.orders.write(setup{Name: name, DB: o.DB, Bus: o.Bus, Lease: lease.Microseconds()}); err != nil {
		t.Fatal(err)
	}
	return d
}

// settle imports so many players.
func settle(t *testing.T, o *Options, n int) []*player {
	t.Helper()
	players, err := population(&Options{Players: n})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(t.Context(), o, o.DB, players); err != nil {
		t.Fatal(err)
	}
	return players
}

// finalsOf reads what the database holds of players.
func finalsOf(t *testing.T, o *Options, players []*player) map[string]*final {
	t.Helper()
	finals, err := readAll(t.Context(), o, o.DB, players)
	if err != nil {
		t.Fatal(err)
	}
	return finals
}

// ask gives an order and returns the answer.
func (d *dialogue) ask(o order) answer {
	d.t.Helper()
	return d.wait(d.tell(o))
}

// tell gives an order and returns a condition that its answer meets.
func (d *dialogue) tell(o order) func(answer) bool {
	d.t.Helper()
	d.last++
	o.ID = d.last
	if err := d.orders.write(o); err != nil {
		d.t.Fatal(err)
	}
	return func(a answer) bool { return a.ID == o.ID }
}

// wait returns the first answer that meets a condition. Those before it are
// dropped.
func (d *dialogue) wait(is func(answer) bool) answer {
	d.t.Helper()
	for a := range d.answers {
		if is(a) {
			return a
		}
	}
	d.t.Fatal("the server ended")
	return answer{}
}

// tellAll gives one order for each player and returns the answers, by player.
func (d *dialogue) tellAll(players []*player, o order) map[string]answer {
	d.t.Helper()
	first := d.last
	for _, p := range players {
		o.Player = p.id
		d.tell(o)
	}
	got := make(map[string]answer)
	for len(got) < len(players) {
		a := d.wait(func(a answer) bool { return a.ID > first })
		got[a.Player] = a
	}
	return got
}

// keepAll gives one order for each player until each was carried out: on a slow
// machine a server with a short lease may be suspended for a moment.
func (d *dialogue) keepAll(players []*player, o order) map[string]answer {
	d.t.Helper()
	got := d.tellAll(players, o)
	for _, p := range players {
		for got[p.id].Suspended {
			again := o
			again.Player = p.id
			got[p.id] = d.ask(again)
		}
		if a := got[p.id]; a.Error != "" || o.Durable && !a.Kept {
			d.t.Fatalf("%s %s = %+v, want it done", o.Do, p.id, a)
		}
	}
	return got
}

func TestServerCarriesOutOrders(t *testing.T) {
	o := testOptions(t)
	players := settle(t, o, 2)
	d := newDialogue(t, o, "amber", long)
	ann, ben := players[0].id, players[1].id
	for _, id := range []string{ann, ben} {
		if a := d.ask(order{Do: doOpen, Player: id}); a.Error != "" || a.Ordinal != 1 || a.Seq != 0 {
			t.Fatalf("open %s = %+v, want opening 1", id, a)
		}
	}
	if a := d.ask(order{Do: doOpen, Player: ann}); a.Error != "" || !a.Again || a.Ordinal != 1 {
		t.Errorf("open %s twice = %+v, want opening 1 again", ann, a)
	}
	if a := d.ask(order{Do: doUpdate, Player: ann, Op: 1}); a.Error != "" || a.Made == 0 || a.Kept || a.Seq != 1 {
		t.Errorf("update = %+v, want made and not said to be kept", a)
	}
	if a := d.ask(order{Do: doUpdate, Player: ann, Op: 2, Durable: true}); a.Error != "" || !a.Kept || a.Seq != 2 {
		t.Errorf("durable update = %+v, want kept", a)
	}
	if a := d.ask(order{Do: doUpdate, Player: ann, Op: 2, Durable: true}); a.Error == "" || a.Kept || a.Made != 0 {
		t.Errorf("an update of the same number = %+v, want it refused", a)
	}
	if a := d.ask(order{Do: doGive, Player: ann, Op: 3, To: ben, ToOp: 1, Durable: true}); a.Error != "" || !a.Kept || a.ToSeq != 1 {
		t.Errorf("give = %+v, want kept", a)
	}
	if a := d.ask(order{Do: doSave, Player: ann}); a.Error != "" || !a.Kept || a.Seq != 3 {
		t.Errorf("save = %+v, want three updates kept", a)
	}
	if a := d.ask(order{Do: doLeave, Player: ben}); a.Error != "" {
		t.Errorf("leave = %+v", a)
	}
	for _, o := range []order{{Do: doUpdate, Player: ben, Op: 9}, {Do: doOpen, Player: "nobody"}, {Do: "dance"}} {
		if a := d.ask(o); a.Error == "" {
			t.Errorf("%s %s = %+v, want an error", o.Do, o.Player, a)
		}
	}
	if a := d.ask(order{Do: doClose}); a.Error != "" || len(a.Results) != 1 || a.Results[0] != (result{Player: ann}) {
		t.Errorf("close = %+v, want %s released", a, ann)
	}
	if err := <-d.ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
	finals := finalsOf(t, o, players)
	if f := finals[ben]; !f.same || f.updates != 1 || len(f.items) != itemsEach+1 || f.holder != "" || f.err != nil {
		t.Errorf("%s ends as %+v, want one item more", ben, f)
	}
}

func TestServerSavesEverybodyWhenItsDirectorIsGone(t *testing.T) {
	o := testOptions(t)
	players := settle(t, o, 1)
	d := newDialogue(t, o, "amber", long)
	ann := players[0].id
	d.ask(order{Do: doOpen, Player: ann})
	d.ask(order{Do: doUpdate, Player: ann, Op: 1})
	d.stdin.Close()
	if err := <-d.ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
	finals := finalsOf(t, o, players)
	if f := finals[ann]; f.updates != 1 || f.holder != "" {
		t.Errorf("%s ends as %+v, want his update, and nobody who holds him", ann, f)
	}
}

func TestServerDoesNotQuoteItsSetup(t *testing.T) {
	for name, in := range map[string]string{
		"Nothing":  "",
		"Nonsense": "postgres://game:secret@db\n",
		"Order":    `{"db":"postgres://game:secret@db","lease_us":"long"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			err := Serve(t.Context(), strings.NewReader(in), io.Discard, &ServerOptions{Open: openDB, Log: t.Output()})
			if !errors.Is(err, errSetup) || strings.Contains(err.Error(), "secret") {
				t.Errorf("Serve = %v, want %v", err, errSetup)
			}
		})
	}
}

func TestServerEndsOnNonsense(t *testing.T) {
	d := newDialogue(t, testOptions(t), "amber", long)
	if err := d.orders.write("nonsense"); err != nil {
		t.Fatal(err)
	}
	if err := <-d.ended; err == nil || !strings.Contains(err.Error(), "not understood") {
		t.Errorf("Serve of nonsense = %v, want an error that says so", err)
	}
}
