package demo

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// dialogue is a server of this process that the test gives orders to.
type dialogue struct {
	t       *testing.T
	orders  *lines
	stdin   io.Closer
	answers chan answer
	ended   chan error
	o       *Options
	players []*player
}

func newDialogue(t *testing.T) *dialogue {
	t.Helper()
	o := testOptions(t)
	o.DB = "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "server.db"))
	players, err := population(&Options{Players: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(t.Context(), o, o.DB, players); err != nil {
		t.Fatal(err)
	}
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	t.Cleanup(func() { stdin.Close() })
	d := &dialogue{t: t, orders: &lines{w: stdin}, stdin: stdin, answers: make(chan answer, 1000), ended: make(chan error, 1), o: o, players: players}
	go func() {
		d.ended <- Serve(t.Context(), in, out, &ServerOptions{Name: "amber", DB: o.DB, Open: o.Open, Log: t.Output()})
		out.Close()
	}()
	go func() {
		defer close(d.answers)
		if err := readLines(stdout, func(a answer) { d.answers <- a }); err != nil {
			t.Errorf("the server said: %v", err)
		}
	}()
	return d
}

// ask gives an order and returns the answer.
func (d *dialogue) ask(o order) answer {
	d.t.Helper()
	o.ID = 7
	if err := d.orders.write(o); err != nil {
		d.t.Fatal(err)
	}
	return d.wait(func(a answer) bool { return a.ID == o.ID })
}

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

func TestServerCarriesOutOrders(t *testing.T) {
	d := newDialogue(t)
	ann, ben := d.players[0].id, d.players[1].id
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
	finals, err := readAll(t.Context(), d.o, d.o.DB, d.players)
	if err != nil {
		t.Fatal(err)
	}
	if f := finals[ben]; !f.same || f.updates != 1 || len(f.items) != itemsEach+1 || f.holder != "" || f.err != nil {
		t.Errorf("%s ends as %+v, want one item more", ben, f)
	}
}

func TestServerSavesEverybodyWhenItsDirectorIsGone(t *testing.T) {
	d := newDialogue(t)
	ann := d.players[0].id
	d.ask(order{Do: doOpen, Player: ann})
	d.ask(order{Do: doUpdate, Player: ann, Op: 1})
	d.stdin.Close()
	if err := <-d.ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
	finals, err := readAll(t.Context(), d.o, d.o.DB, d.players)
	if err != nil {
		t.Fatal(err)
	}
	if f := finals[ann]; f.updates != 1 || f.holder != "" {
		t.Errorf("%s ends as %+v, want his update, and nobody who holds him", ann, f)
	}
}

func TestServerEndsOnNonsense(t *testing.T) {
	d := newDialogue(t)
	if err := d.orders.write("nonsense"); err != nil {
		t.Fatal(err)
	}
	if err := <-d.ended; err == nil || !strings.Contains(err.Error(), "not understood") {
		t.Errorf("Serve of nonsense = %v, want an error that says so", err)
	}
}
