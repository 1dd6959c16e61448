package profile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// everyKind is a field of each kind.
type everyKind struct {
	num    *profile.IntField
	frac   *profile.FloatField
	flag   *profile.BoolField
	text   *profile.StringField
	when   *profile.TimeField
	bytes  *profile.BytesField
	value  *profile.ValueField[Settings]
	items  *profile.MapField[Item]
	list   *profile.ListField[Item]
	set    *profile.SetField
	counts *profile.CountersField
}

func newEveryKind(prefix string, opts ...profile.FieldOption) everyKind {
	with := func(more ...profile.FieldOption) []profile.FieldOption { return append(more, opts...) }
	return everyKind{
		profile.Int(prefix+"num", 5, with(profile.Min(0))...),
		profile.Float(prefix+"frac", 0.5, with()...),
		profile.Bool(prefix+"flag", true, with()...),
		profile.String(prefix+"text", "none", with(profile.MaxLen(20))...),
		profile.Time(prefix+"when", time.Unix(0, 0), with()...),
		profile.Bytes(prefix+"bytes", []byte{1}, with()...),
		profile.Value(prefix+"value", Settings{Volume: 7, Keys: map[string]int{"jump": 32}}, with()...),
		profile.Map[Item](prefix+"items", with(profile.MaxLen(3))...),
		profile.List[Item](prefix+"list", with()...),
		profile.Set(prefix+"set", with()...),
		profile.Counters(prefix+"counts", with()...),
	}
}

func (k everyKind) fields() []profile.Field {
	return []profile.Field{k.num, k.frac, k.flag, k.text, k.when, k.bytes, k.value, k.items, k.list, k.set, k.counts}
}

// change writes all of the fields, in every way.
func (k everyKind) change(tx *profile.Tx, n int) {
	_ = k.num.Add(tx, int64(n))
	_ = k.frac.Add(tx, float64(n)/8)
	_ = k.flag.Set(tx, n%2 == 0)
	_ = k.text.Set(tx, fmt.Sprint("text ", n))
	_ = k.when.Set(tx, time.Unix(int64(n), 0))
	_ = k.bytes.Set(tx, []byte{byte(n)})
	_ = k.value.Edit(tx, func(s *Settings) error { s.Volume += n; s.Keys["run"] = n; return nil })
	_ = k.items.Put(tx, "first", Item{Level: n})
	_ = k.items.Edit(tx, "first", func(i *Item) error { i.Level++; return nil })
	_ = k.items.Put(tx, "gone", Item{})
	_ = k.items.Delete(tx, "gone")
	_ = k.list.Append(tx, Item{Level: n}, Item{Level: n + 1})
	_ = k.list.Remove(tx, 0)
	_ = k.list.Edit(tx, 0, func(i *Item) error { i.Name = "edited"; return nil })
	_ = k.set.Add(tx, fmt.Sprint(n))
	_ = k.set.Add(tx, "gone")
	_ = k.set.Delete(tx, "gone")
	_ = k.counts.Add(tx, "bears", int64(n))
	if n%3 == 0 {
		_ = k.num.Reset(tx)
		_ = k.items.Clear(tx)
		_ = k.set.Clear(tx)
	}
}

func (k everyKind) read(r profile.Reader) string {
	var all []any
	all = append(all, k.num.Get(r), k.frac.Get(r), k.flag.Get(r), k.text.Get(r), k.when.Get(r), k.bytes.Get(r), k.value.Get(r))
	for name, item := range k.items.All(r) {
		one, ok := k.items.Get(r, name)
		all = append(all, name, item, one, ok)
	}
	for name, n := range k.counts.All(r) {
		all = append(all, name, n, k.counts.Get(r, name), k.counts.Has(r, name))
	}
	all = append(all, k.list.Get(r), k.items.Len(r), k.set.Len(r))
	for name := range k.set.Keys(r) {
		all = append(all, name, k.set.Has(r, name))
	}
	for _, f := range k.fields() {
		all = append(all, f.IsSet(r))
	}
	return words(all...)
}

var (
	stored   = newEveryKind("s")
	fleeting = newEveryKind("v", profile.Volatile())
	both     = profile.NewSchema("player", append(append(stored.fields(), fleeting.fields()...), coins)...)
)

// twins fails unless the volatile fields read as the stored ones do.
func twins(t *testing.T, when string, r profile.Reader) {
	t.Helper()
	if s, v := stored.read(r), fleeting.read(r); s != v {
		t.Errorf("%s the volatile fields read\n%s\nthe stored ones\n%s", when, v, s)
	}
}

func (w *world) both(name string) *profile.Server { return w.serverOn(name, open{w.db}, both, nil) }

func TestVolatileFieldsAreLikeOthers(t *testing.T) {
	bubble(t, func(w *world) {
		srv := w.both("a")
		p, q := w.load(srv, "1"), w.load(srv, "2")
		errored := w.errored(srv)
		twins(t, "at first", p)
		change := func(n int) func(tx *profile.Tx) {
			return func(tx *profile.Tx) {
				stored.change(tx, n)
				fleeting.change(tx, n)
				twins(t, "in the update", tx)
			}
		}
		for n := 1; n <= 7; n++ {
			w.update(p, change(n))
			w.update(errored, change(n))
			twins(t, "after it", p)
			twins(t, "in an errored profile", errored)
			p.View(func(r profile.Reader) { twins(t, "in a view", r) })
			if err := profile.VerifyUnchanged(p); err != nil {
				t.Error(err)
			}
			before, failure := read2(p)+read2(q)+read2(errored), errors.New("the game's")
			_ = p.Update(func(tx *profile.Tx) error { change(n + 1)(tx); return failure })
			_ = errored.Update(func(tx *profile.Tx) error { change(n + 1)(tx); return failure })
			_ = p.Update(func(tx *profile.Tx) error { change(n + 1)(tx); _ = coins.Add(tx, -1e6); return nil })
			_ = p.Update(func(tx *profile.Tx) error { change(n + 1)(tx); _ = fleeting.num.Add(tx, -1e6); return nil })
			_ = profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
				change(n + 1)(txs[0])
				change(n + 2)(txs[1])
				return failure
			})
			if after := read2(p) + read2(q) + read2(errored); after != before {
				t.Errorf("after updates that failed the fields read\n%s\nwant\n%s", after, before)
			}
			err := profile.UpdateAll([]*profile.Profile{p, q}, func(txs []*profile.Tx) error {
				change(n + 1)(txs[0])
				change(n + 2)(txs[1])
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			twins(t, "after UpdateAll", p)
			twins(t, "after UpdateAll", q)
		}
	})
}

func read2(r profile.Reader) string { return stored.read(r) + "\n" + fleeting.read(r) + "\n" }

func TestVolatileEvents(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.both("a"), "1")
		told := func(k everyKind, n int) string {
			var all []string
			defer p.OnChange(func(c profile.Change) {
				all = append(all, fmt.Sprintf("%s %s>%s", c.Path.String()[1:], c.Old, c.New))
			})()
			defer k.text.OnChange(p, func(old, new string) { all = append(all, words(old, new)) })()
			defer k.num.OnChange(p, func(old, new int64) { all = append(all, words(old, new)) })()
			defer k.items.OnChange(p, func(name string, old, new *Item) { all = append(all, words(name, old != nil, new != nil)) })()
			w.update(p, func(tx *profile.Tx) { k.change(tx, n) })
			return strings.Join(all, "\n")
		}
		for _, n := range []int{1, 2, 3, 4} {
			if s, v := told(stored, n), told(fleeting, n); s != v || s == "" {
				t.Errorf("changes of volatile fields\n%s\nof stored ones\n%s", v, s)
			}
		}
	})
}

func TestVolatileIsKeptInMemoryOnly(t *testing.T) {
	t.Run("NothingIsWritten", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, both, nil)
			p := w.load(srv, "1")
			before, revision := db.saves(), p.Revision()
			for n := range 20 {
				err := p.Update(func(tx *profile.Tx) error { fleeting.change(tx, n); return nil }, profile.Durable(w.ctx))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
			}
			if err := p.Save(w.ctx); err != nil {
				t.Fatal(err)
			}
			if p.Dirty() || db.saves() != before || dump(p) != "{}" || p.Revision() != revision {
				t.Errorf("dirty %v, %d saves, %s stored, revision %d after %d; want nothing of all that",
					p.Dirty(), db.saves()-before, dump(p), p.Revision(), revision)
			}
			if got := fleeting.num.Saved(p); got != 5 {
				t.Errorf("Saved() = %d, want the default", got)
			}
		})
	})
	t.Run("ACrashLosesItAlone", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			p := w.load(w.serverOn("a", db, both, nil), "1")
			w.durable(p, func(tx *profile.Tx) { stored.change(tx, 2); fleeting.change(tx, 2) })
			was := stored.read(p)
			db.set(func() { db.down = true })
			q := w.load(w.both("b"), "1")
			if got := stored.read(q); got != was {
				t.Errorf("stored fields after the crash\n%s\nwant\n%s", got, was)
			}
			if got, want := fleeting.read(q), fleeting.read(w.load(w.both("c"), "new")); got != want {
				t.Errorf("volatile fields after the crash\n%s\nwant the defaults\n%s", got, want)
			}
		})
	})
	t.Run("AHandOverAndACloseResetIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.both("a"), w.both("b")
			p := w.load(a, "1")
			w.update(p, func(tx *profile.Tx) { _ = fleeting.num.Set(tx, 9); _ = coins.Set(tx, 9) })
			p = w.load(b, "1")
			if got := words(fleeting.num.Get(p), coins.Get(p)); got != "5 9" {
				t.Errorf("after a hand-over: %s, want the default and 9", got)
			}
			w.update(p, func(tx *profile.Tx) { _ = fleeting.num.Set(tx, 9) })
			w.close(p)
			if got := fleeting.num.Get(w.load(b, "1")); got != 5 {
				t.Errorf("after a close: %d, want the default", got)
			}
		})
	})
	t.Run("AClosingThatIsRefusedKeepsIt", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			p := w.load(w.serverOn("a", db, both, nil), "1")
			w.update(p, func(tx *profile.Tx) { _ = fleeting.num.Set(tx, 9) })
			db.set(func() { db.refuse["player/1"] = errors.New("no") })
			if err := p.Close(w.ctx); err == nil {
				t.Fatal("Close = nil, want the refusal")
			}
			db.set(func() { clear(db.refuse) })
			if got := fleeting.num.Get(p); got != 9 {
				t.Errorf("after a refused closing: %d, want 9", got)
			}
		})
	})
	t.Run("WhatWasStoredUnderTheNameStays", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "not even a number") })
			fleet := profile.Int("coins", 1, profile.Volatile())
			srv := w.serverOn("a", open{w.db}, profile.NewSchema("player", fleet, nick), nil)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) {
				_ = fleet.Add(tx, 1)
				_ = nick.Set(tx, "x")
				_ = fleet.Reset(tx)
				_ = fleet.Add(tx, 2)
			})
			if got := words(fleet.Get(p), fleet.Saved(p), dump(p)); got != `3 1 {"coins":"not even a number","nick":"x"}` {
				t.Errorf("got %s", got)
			}
			w.close(p)
			c := w.peek(srv, "1")
			if got := words(fleet.Get(c), fleet.IsSet(c), string(c.JSON())); got != `1 false {"coins":"not even a number","nick":"x"}` {
				t.Errorf("a copy reads %s", got)
			}
		})
	})
}

func TestVolatileWhereNothingWouldComeOfIt(t *testing.T) {
	t.Run("CopiesRefuseTheWrite", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.both("a")
			c, err := profile.Detached(srv, both.Key("1"), new(document.Document))
			if err != nil {
				t.Fatal(err)
			}
			_, err = profile.RunDetached([]*profile.Profile{c}, func(txs []*profile.Tx) error {
				_ = coins.Add(txs[0], 1)
				_ = fleeting.num.Add(txs[0], 1)
				return nil
			})
			if !errors.Is(err, profile.ErrVolatile) || coins.Get(c) != 500 || fleeting.num.Get(c) != 5 {
				t.Errorf("RunDetached = %v, and fields %d, %d; want ErrVolatile and the defaults", err, coins.Get(c), fleeting.num.Get(c))
			}
		})
	})
	t.Run("OperationsById", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := together(w)
			ps.schema = both
			a, b := ps.start("a", nil), ps.start("b", nil)
			p := w.load(a, "1")
			w.change(b, "1", nil, fleeting.num.AddOp(2), fleeting.items.PutOp("x", Item{Level: 3}), coins.AddOp(1))
			if got := words(fleeting.num.Get(p), fleeting.items.Len(p), coins.Get(p)); got != "7 1 501" {
				t.Errorf("after a change by id: %s", got)
			}
			w.change(a, "1", nil, fleeting.num.ExpectOp(7), fleeting.num.ResetOp(), fleeting.num.ExpectUnsetOp())
			w.close(p)
			_, err := b.Change(w.within(time.Minute), "1", []profile.Op{coins.AddOp(1), fleeting.num.AddOp(2)}, nil)
			if !errors.Is(err, profile.ErrVolatile) || !errors.Is(err, profile.ErrRefused) {
				t.Errorf("Change of a player who is offline = %v, want ErrVolatile", err)
			}
			w.change(b, "1", nil, fleeting.num.ExpectOp(5), coins.ExpectOp(501))
		})
	})
}

func TestVolatileLimits(t *testing.T) {
	bubble(t, func(w *world) {
		o := &profile.Options{Session: session.Options{Limits: document.Limits{Size: 200}}}
		text, more := profile.String("text", "", profile.Volatile()), profile.Map[string]("more", profile.Volatile())
		p := w.load(w.serverOn("a", open{w.db}, profile.NewSchema("player", nick, text, more), o), "1")
		w.update(p, func(tx *profile.Tx) { _ = text.Set(tx, strings.Repeat("x", 150)) })
		for name, write := range map[string]func(tx *profile.Tx) error{
			"a field":    func(tx *profile.Tx) error { return text.Set(tx, strings.Repeat("x", 250)) },
			"an element": func(tx *profile.Tx) error { return more.Put(tx, "a", strings.Repeat("x", 60)) },
		} {
			if err := p.Update(write); !errors.Is(err, document.ErrTooLarge) {
				t.Errorf("%s beyond the limit: %v, want ErrTooLarge", name, err)
			}
		}
		if got := words(len(text.Get(p)), more.Len(p)); got != "150 0" {
			t.Errorf("after that: %s", got)
		}
	})
}

func TestVolatileDeclarations(t *testing.T) {
	f := profile.Int("x", 0, profile.Volatile(), profile.Private())
	if !f.Volatile() || !f.Private() || f.Stored() || coins.Volatile() || !coins.Stored() {
		t.Error("Volatile() or Stored() does not tell what was declared")
	}
	s := profile.NewSchema("player", profile.Int("x", 0, profile.Volatile(), profile.Lazy()))
	if err := s.Err(); !errors.Is(err, profile.ErrSchema) || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("Lazy and Volatile: %v, want ErrSchema", err)
	}
}
