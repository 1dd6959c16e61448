package demo

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// alives returns processes that are taken for servers at work.
func alives(names ...string) (list []*process) {
	for _, name := range names {
		ready := make(chan struct{})
		close(ready)
		list = append(list, &process{name: name, state: alive, ready: ready, silent: make(chan struct{})})
	}
	return list
}

func TestOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outages
		all := alives("amber", "birch")
		began := time.Now()
		o.left(all[0], absent{since: began, why: "refused"})
		time.Sleep(time.Second)
		if _, is := o.begin(all); is {
			t.Error("an outage began while a server reached the database")
		}
		if _, is := o.begin(nil); is {
			t.Error("an outage began without any server")
		}
		o.left(all[1], absent{since: time.Now()})
		if why, is := o.begin(all); !is || why != "refused" {
			t.Errorf("begin = %q, %v, want an outage: refused", why, is)
		}
		if _, is := o.begin(all); is {
			t.Error("one outage began twice")
		}
		time.Sleep(time.Second)
		if took, is := o.lasts(); !is || took != 2*time.Second {
			t.Errorf("lasts = %v, %v, want 2s", took, is)
		}
		if took, ended := o.back(all[1]); !ended || took != 2*time.Second {
			t.Errorf("back of the first server = %v, %v, want the end after 2s", took, ended)
		}
		if _, ended := o.back(all[0]); ended {
			t.Error("back of the second server ended the outage once more")
		}
		time.Sleep(time.Hour)
		for _, c := range []struct{ from, to, want time.Duration }{
			{0, time.Hour, 2 * time.Second},
			{time.Second, time.Hour, time.Second},
			{0, time.Second, time.Second},
			{3 * time.Second, time.Hour, 0},
			{-time.Hour, 0, 0},
		} {
			if got := o.within(began.Add(c.from), began.Add(c.to)); got != c.want {
				t.Errorf("within(%v, %v) = %v, want %v", c.from, c.to, got, c.want)
			}
		}
		if got := o.hinder(began, began.Add(time.Second), time.Minute); got != time.Minute+time.Second {
			t.Errorf("hinder = %v, want the outage and a lease", got)
		}
		if got := o.hinder(began.Add(time.Minute), time.Now(), time.Minute); got != 0 {
			t.Errorf("hinder without an outage = %v, want 0", got)
		}
		if n, longest := o.all(); n != 1 || longest != 2*time.Second {
			t.Errorf("all = %d, %v, want one of 2s", n, longest)
		}
	})
}

func TestSuspensionsCountOnlyWhatLiesInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outages
		var s suspensions
		all := alives("amber", "birch")
		s.begin(all[0], 3) // the machine was slow
		time.Sleep(time.Second)
		if one, ok := s.end(all[0]); !ok || one.held != 3 || one.lost != 0 {
			t.Errorf("end = %+v, %v, want 3 sessions and none lost", one, ok)
		}
		time.Sleep(time.Second)
		o.left(all[0], absent{since: time.Now()})
		o.begin(all[:1])
		time.Sleep(time.Second)
		s.begin(all[0], 5)
		s.begin(all[1], 7)
		s.took(all[1])
		time.Sleep(time.Second)
		o.back(all[0])
		time.Sleep(time.Second)
		s.end(all[0])
		if _, ok := s.end(all[0]); ok {
			t.Error("one suspension ended twice")
		}
		time.Sleep(time.Second)
		s.end(all[1])
		s.took(all[1]) // after it
		if n, sum := s.inOutage(&o); n != 2 || sum.held != 12 || sum.lost != 1 {
			t.Errorf("inOutage = %d with %d sessions and %d lost, want 2, 12 and 1", n, sum.held, sum.lost)
		}
	})
}

func TestPatienceStandsStillWhileTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &director{view: newView(discard{})}
		d.servers = alives("amber")
		ctx, cancel := d.patient(t.Context())
		defer cancel()
		time.Sleep(patience / 2)
		d.outages.left(d.servers[0], absent{since: time.Now()})
		d.lookAway()
		time.Sleep(2 * patience)
		if err := context.Cause(ctx); err != nil {
			t.Errorf("patience ended while the database was away: %v", err)
		}
		d.found(d.servers[0])
		time.Sleep(patience / 4)
		if err := context.Cause(ctx); err != nil {
			t.Errorf("patience ended before its time: %v", err)
		}
		time.Sleep(patience)
		if err := context.Cause(ctx); !errors.Is(err, errTooLong) {
			t.Errorf("patience ended with %v, want %v", err, errTooLong)
		}
	})
}

func TestPatienceEndsWithADatabaseThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &director{view: newView(discard{})}
		d.servers = alives("amber")
		d.outages.left(d.servers[0], absent{since: time.Now()})
		d.lookAway()
		began := time.Now()
		if err := d.whenBack(t.Context()); !errors.Is(err, errAway) || time.Since(began) < mostAway {
			t.Errorf("whenBack = %v after %v, want %v after %v", err, time.Since(began), errAway, mostAway)
		}
	})
}

func TestNoOutageBeginsWhileAServerIsHalted(t *testing.T) {
	d := &director{view: newView(discard{})}
	d.servers = alives("amber")
	d.outages.left(d.servers[0], absent{since: time.Now()})
	d.halting.Store(true)
	d.lookAway()
	if _, is := d.outages.lasts(); is {
		t.Error("an outage began while a server was being stopped")
	}
	d.halting.Store(false)
	d.lookAway()
	if _, is := d.outages.lasts(); !is {
		t.Error("no outage began though no server reaches the database")
	}
}
