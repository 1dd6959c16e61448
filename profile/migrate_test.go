package profile_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
)

// The same game in three versions: gold was called coins once, and got a bank then.
var (
	oldCoins = profile.Int("coins", 0)
	oldNote  = profile.String("note", "")
	gold     = profile.Int("gold", 0)
	bank     = profile.Int("bank", 0)

	rename = profile.Migration{Name: "coins are gold", Run: func(d *profile.Draft) error {
		return d.Rename("coins", "gold")
	}}
	addBank = profile.Migration{Name: "a bank", Compatible: true, Run: func(d *profile.Draft) error {
		var n int64
		if _, err := d.Get("gold", &n); err != nil {
			return err
		}
		return errors.Join(d.Set("bank", n/2), d.Set("gold", n-n/2))
	}}

	schema1 = profile.NewSchema("player", oldCoins, oldNote)
	schema2 = profile.NewSchema("player", gold, oldNote).Migrate(rename)
	schema3 = profile.NewSchema("player", gold, bank, oldNote).Migrate(rename, addBank)
)

// store stores a player by the program of a schema.
func (w *world) store(schema *profile.Schema, id string, fn func(*profile.Tx)) {
	w.Helper()
	srv := w.serverOn("storer", open{w.db}, schema, nil)
	p := w.load(srv, id)
	if fn != nil {
		w.update(p, fn)
	}
	if _, err := srv.Close(w.ctx); err != nil {
		w.Fatalf("Close of the storer: %v", err)
	}
}

// raw returns what is stored of a player, without the times of migrations.
func (w *world) raw(id string) string {
	w.Helper()
	srv := w.serverOn("reader", open{w.db}, schema1, &profile.Options{Tool: true})
	text := w.stored(srv, id)
	if _, err := srv.Close(w.ctx); err != nil {
		w.Fatalf("Close of the reader: %v", err)
	}
	return timeless(text)
}

func timeless(text string) string {
	for {
		before, after, ok := strings.Cut(text, `"at":"`)
		if !ok {
			return text
		}
		text = before + `"at:"` + after[strings.Index(after, `"`)+1:]
	}
}

func TestMigration(t *testing.T) {
	t.Run("IsAppliedBeforeAnybodyHasTheProfileAndOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 101) })
			for range 3 {
				srv := w.serverOn("new", open{w.db}, schema3, &profile.Options{OnOpen: func(p *profile.Profile) {
					if g, b := gold.Get(p), bank.Get(p); g != 51 || b != 50 {
						t.Errorf("OnOpen sees gold %d and bank %d, want 51 and 50", g, b)
					}
				}})
				w.load(srv, "p")
				if _, err := srv.Close(w.ctx); err != nil {
					t.Fatal(err)
				}
			}
			want := `{"bank":50,"gold":51,"~schema":{"a bank":{"at:","compatible":true},"coins are gold":{"at:"}}}`
			if got := w.raw("p"); got != want {
				t.Errorf("stored is\n%s, want\n%s", got, want)
			}
		})
	})
	t.Run("IsOneUpdateWithItsNote", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 101) })
			p := w.load(w.serverOn("new", open{w.db}, schema3, nil), "p")
			if got := p.Session().Revision(); got != 2 {
				t.Errorf("the revision is %d after one update and two migrations, want 2", got)
			}
			if !p.Dirty() {
				t.Error("a profile that was migrated is not dirty, so nobody would save it")
			}
		})
	})
	t.Run("WritesNothingIfNoneIsDue", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema3, "p", func(tx *profile.Tx) { gold.Set(tx, 1) })
			p := w.load(w.serverOn("new", open{w.db}, schema3, nil), "p")
			if got := p.Session().Revision(); got != 1 || p.Dirty() {
				t.Errorf("after a load the revision is %d, dirty %v; want 1, not dirty", got, p.Dirty())
			}
		})
	})
	t.Run("IsNotForANewProfile", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema3, "unwritten", nil)
			w.store(schema3, "p", func(tx *profile.Tx) { gold.Set(tx, 100) })
			srv := w.serverOn("new", open{w.db}, schema3, nil)
			if p := w.load(srv, "p"); gold.Get(p) != 100 || bank.Get(p) != 0 {
				t.Errorf("a new profile was migrated: gold %d, bank %d, want 100 and 0", gold.Get(p), bank.Get(p))
			}
			if p := w.load(srv, "unwritten"); bank.IsSet(p) || p.Dirty() {
				t.Errorf("a profile without a change was migrated: %s", dump(p))
			}
			if p := w.load(srv, "fresh"); !p.Fresh() || p.Dirty() {
				t.Errorf("a new profile is fresh: %v, dirty: %v; want true, false", p.Fresh(), p.Dirty())
			}
		})
	})
	t.Run("IsForAnOldProfileInWhichNothingIsStored", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", nil)
			if p := w.load(w.serverOn("new", open{w.db}, schema3, nil), "p"); !bank.IsSet(p) {
				t.Errorf("an old profile was taken for a new one: %s", dump(p))
			}
		})
	})
}

func TestMigrationThatFails(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		run  func(d *profile.Draft) error
		want error
		text string
	}{
		"WithAnError":              {func(d *profile.Draft) error { return boom }, boom, "boom"},
		"WithAPanic":               {func(d *profile.Draft) error { panic("ouch") }, profile.ErrMigration, "panic: ouch"},
		"ByEndingItsGoroutine":     {func(d *profile.Draft) error { runtime.Goexit(); return nil }, profile.ErrMigration, "ended its goroutine"},
		"ByAWriteThatItIgnores":    {func(d *profile.Draft) error { d.Set("gold", func() {}); return nil }, document.ErrInvalid, `field "gold"`},
		"ByANameOfHoldfastsOwn":    {func(d *profile.Draft) error { d.Delete("~schema"); return nil }, document.ErrInvalid, `"~schema"`},
		"ByANameThatIsNone":        {func(d *profile.Draft) error { d.Set("", 1); return nil }, document.ErrInvalid, "empty field name"},
		"ByATypeThatIsNotTheField": {func(d *profile.Draft) error { return d.Set("gold", "much") }, profile.ErrWrongType, `field "gold" is of kind int`},
		"BySize":                   {func(d *profile.Draft) error { return d.Set("junk", strings.Repeat("x", 5<<20)) }, document.ErrTooLarge, "junk"},
		"ByANameThatIsTaken":       {func(d *profile.Draft) error { d.Set("gold", 1); return d.Rename("coins", "gold") }, profile.ErrMigration, "stored too"},
		"ByAnEditThatFails": {func(d *profile.Draft) error {
			d.Edit("coins", func(v any) (any, error) { return nil, boom })
			return nil
		}, boom, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100); oldNote.Set(tx, "mine") })
				before := w.raw("p")
				bad := profile.NewSchema("player", gold).Migrate(
					profile.Migration{Name: "fine", Run: func(d *profile.Draft) error { return d.Set("note", "lost?") }},
					profile.Migration{Name: "bad", Run: c.run})
				srv := w.serverOn("new", open{w.db}, bad, nil)
				p := w.loadAny(srv, "p")
				var failed *profile.MigrationError
				err := p.Err()
				if !errors.As(err, &failed) || failed.Migration != "bad" || failed.Key.ID != "p" || !errors.Is(err, profile.ErrMigration) || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("the profile's error is %v; want one of migration \"bad\" of p that is %v and says %q", err, c.want, c.text)
				}
				w.update(p, func(tx *profile.Tx) { gold.Set(tx, 7) }) // in memory only
				if _, err := srv.Peek(w.ctx, "p"); !errors.Is(err, profile.ErrMigration) {
					t.Errorf("Peek = %v, want ErrMigration", err)
				}
				if _, err := srv.Close(w.ctx); err != nil {
					t.Fatal(err)
				}
				strict := w.serverOn("strict", open{w.db}, bad, &profile.Options{OnLoadError: profile.RefusePlayer})
				if _, err := strict.Open(w.ctx, "p", nil); !errors.Is(err, c.want) {
					t.Errorf("Open = %v, want %v", err, c.want)
				}
				if _, err := strict.Close(w.ctx); err != nil {
					t.Fatal(err)
				}
				if got := w.raw("p"); got != before {
					t.Errorf("a migration that failed left\n%s, want\n%s", got, before)
				}
			})
		})
	}
}

func TestMigrationThatLoops(t *testing.T) {
	loops := func(run func(*profile.Draft) error) *profile.Schema {
		return profile.NewSchema("player", gold).Migrate(profile.Migration{Name: "loops", Run: run})
	}
	t.Run("FailsTheLoadInTime", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100) })
			stop := make(chan struct{})
			defer close(stop)
			srv := w.serverOn("new", open{w.db}, loops(func(d *profile.Draft) error {
				d.Set("gold", 1)
				<-stop
				return nil
			}), nil)
			began := time.Now()
			p := w.loadAny(srv, "p")
			if err := p.Err(); !errors.Is(err, profile.ErrTooSlow) || !strings.Contains(err.Error(), `"loops"`) {
				t.Errorf("the profile's error is %v, want ErrTooSlow of \"loops\"", err)
			}
			if took := time.Since(began); took < 5*time.Second || took > 6*time.Second {
				t.Errorf("the load took %v, want 5s", took)
			}
			w.close(p)
			if got, want := w.raw("p"), `{"coins":100}`; got != want {
				t.Errorf("stored is %s, want %s", got, want)
			}
		})
	})
	t.Run("EndsWhenItNextUsesItsDraft", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100) })
			ended := make(chan struct{})
			srv := w.serverOn("new", open{w.db}, loops(func(d *profile.Draft) error {
				defer close(ended)
				for {
					time.Sleep(time.Second)
					d.Set("gold", 1)
				}
			}), &profile.Options{MigrationTime: 1500 * time.Millisecond})
			w.loadAny(srv, "p")
			<-ended
		})
	})
	t.Run("IsNotBegunAgainAndAgain", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100) })
			stop := make(chan struct{})
			var begun atomic.Int32
			defer close(stop)
			srv := w.serverOn("new", open{w.db}, loops(func(d *profile.Draft) error {
				begun.Add(1)
				<-stop
				return nil
			}), &profile.Options{MigrationTime: time.Millisecond})
			for range 40 {
				if _, err := srv.Peek(w.ctx, "p"); !errors.Is(err, profile.ErrTooSlow) {
					t.Fatalf("Peek = %v, want ErrTooSlow", err)
				}
			}
			if n := begun.Load(); n > 16 {
				t.Errorf("%d runs go on, want at most 16", n)
			}
		})
	})
	t.Run("DoesNotKeepItsCallersWaiting", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100) })
			stop := make(chan struct{})
			defer close(stop)
			srv := w.serverOn("new", open{w.db}, loops(func(*profile.Draft) error { <-stop; return nil }), nil)
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			began := time.Now()
			if _, err := srv.Open(ctx, "p", nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("Open = %v after %v, want the end of its context after 1s", err, time.Since(began))
			}
			if p := w.loadAny(srv, "p"); !errors.Is(p.Err(), profile.ErrTooSlow) { // after the first load has ended
				t.Errorf("the next Open gives a profile with error %v, want ErrTooSlow", p.Err())
			}
		})
	})
}

func TestOldAndNewServers(t *testing.T) {
	t.Run("AnIncompatibleMigrationIsRefusedByTheOldAndStays", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100) })
			w.store(schema2, "p", nil)
			before := w.raw("p")
			srv := w.serverOn("old", open{w.db}, schema1, nil)
			p := w.loadAny(srv, "p")
			var newer *profile.NewerSchemaError
			if !errors.As(p.Err(), &newer) || newer.Migration != "coins are gold" || newer.Key.ID != "p" || newer.At.IsZero() || !errors.Is(p.Err(), profile.ErrNewerSchema) {
				t.Errorf("the profile's error is %v, want a NewerSchemaError of \"coins are gold\"", p.Err())
			}
			w.update(p, func(tx *profile.Tx) { oldCoins.Set(tx, 1) })
			if _, err := srv.Peek(w.ctx, "p"); !errors.Is(err, profile.ErrNewerSchema) {
				t.Errorf("Peek = %v, want ErrNewerSchema", err)
			}
			if _, err := srv.Close(w.ctx); err != nil {
				t.Fatal(err)
			}
			if got := w.raw("p"); got != before {
				t.Errorf("an old server left\n%s, want\n%s", got, before)
			}
			w.store(schema2, "p", func(tx *profile.Tx) { gold.Add(tx, 1) })
			if got := w.raw("p"); !strings.Contains(got, `"gold":101`) {
				t.Errorf("stored is %s, want gold 101", got)
			}
		})
	})
	t.Run("ACompatibleOneGoesBackAndForth", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema2, "p", func(tx *profile.Tx) { gold.Set(tx, 100) })
			older := w.serverOn("old", open{w.db}, schema2, nil)
			newer := w.serverOn("new", open{w.db}, schema3, nil)
			for n := range 3 { // each open asks the other server to hand over
				p := w.load(newer, "p")
				w.update(p, func(tx *profile.Tx) { bank.Add(tx, 1) })
				p = w.load(older, "p")
				w.update(p, func(tx *profile.Tx) { gold.Add(tx, 10) })
				if got, want := timeless(dump(p)), fmt.Sprintf(`"bank":%d`, 51+n); !strings.Contains(got, want) {
					t.Errorf("the old server has %s, want %s in it", got, want)
				}
			}
			p := w.load(newer, "p")
			if g, b := gold.Get(p), bank.Get(p); g != 80 || b != 53 {
				t.Errorf("gold %d, bank %d, want 80 and 53: the migration once, and what both did", g, b)
			}
		})
	})
	t.Run("ByIDFromEither", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100) })
			newer := w.serverOn("new", open{w.db}, schema2, nil)
			if _, err := newer.Change(w.ctx, "p", []profile.Op{gold.AddOp(5)}, nil); err != nil {
				t.Fatalf("Change = %v", err)
			}
			c, err := newer.Peek(w.ctx, "p")
			if err != nil || gold.Get(c) != 105 {
				t.Errorf("Peek: gold is %d, %v; want 105", gold.Get(c), err)
			}
		})
	})
}

func TestMigrationOutOfOrder(t *testing.T) {
	mark := func(name string, compatible bool) profile.Migration {
		return profile.Migration{Name: name, Compatible: compatible, Run: func(d *profile.Draft) error { return d.Set(name, true) }}
	}
	for _, compatible := range []bool{true, false} {
		t.Run(fmt.Sprintf("BeforeOneThatIsCompatible%v", compatible), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.store(profile.NewSchema("player", gold), "p", func(tx *profile.Tx) { gold.Set(tx, 1) })
				w.store(profile.NewSchema("player", gold).Migrate(mark("a", true), mark("c", compatible)), "p", nil)
				merged := profile.NewSchema("player", gold).Migrate(mark("a", true), mark("b", true), mark("c", compatible))
				p := w.loadAny(w.serverOn("merged", open{w.db}, merged, nil), "p")
				switch {
				case compatible && (p.Err() != nil || !strings.Contains(dump(p), `"b":true`)):
					t.Errorf("the profile is %s, error %v; want b applied after c", dump(p), p.Err())
				case !compatible && (!errors.Is(p.Err(), profile.ErrMigration) || !strings.Contains(p.Err().Error(), `"b"`) || !strings.Contains(p.Err().Error(), `"c"`)):
					t.Errorf("the profile's error is %v, want one that b comes before c", p.Err())
				}
			})
		})
	}
}

func TestPeekMigratesInMemoryOnly(t *testing.T) {
	bubble(t, func(w *world) {
		w.store(schema1, "p", func(tx *profile.Tx) { oldCoins.Set(tx, 100) })
		before := w.raw("p")
		srv := w.serverOn("new", open{w.db}, schema3, nil)
		c, err := srv.Peek(w.ctx, "p")
		if err != nil || gold.Get(c) != 50 || bank.Get(c) != 50 {
			t.Fatalf("Peek: gold %d, bank %d, %v; want 50 and 50", gold.Get(c), bank.Get(c), err)
		}
		for name := range c.Fields() {
			if strings.HasPrefix(name, "~") {
				t.Errorf("Fields lists %q, which is Holdfast's own", name)
			}
		}
		if got := w.raw("p"); got != before {
			t.Errorf("Peek left %s, want %s", got, before)
		}
	})
}

func TestFollowAcrossVersions(t *testing.T) {
	bubble(t, func(w *world) {
		older := w.serverOn("old", open{w.db}, schema1, nil)
		newer := w.serverOn("new", open{w.db}, schema2, nil)
		p := w.load(older, "p")
		w.update(p, func(tx *profile.Tx) { oldCoins.Set(tx, 1) })
		var last int64
		var names []string
		f, err := newer.Follow(w.ctx, "p", func(f profile.Followed) {
			last = gold.Get(f.Profile)
			for _, c := range f.Changes {
				names = append(names, c.Path.String())
			}
		}, nil)
		if err != nil {
			t.Fatalf("Follow = %v", err)
		}
		defer f.Close()
		for n := int64(2); n < 5; n++ {
			w.update(p, func(tx *profile.Tx) { oldCoins.Set(tx, n) })
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if last != n {
				t.Errorf("the follower has gold %d, want %d", last, n)
			}
		}
		p = w.load(newer, "p") // which migrates it for good
		w.update(p, func(tx *profile.Tx) { gold.Add(tx, 10) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if last != 14 {
			t.Errorf("the follower has gold %d, want 14", last)
		}
		for _, name := range names {
			if name != "gold" {
				t.Errorf("the follower was told of %s, want gold alone", name)
			}
		}
	})
}

func TestMistakesInMigrations(t *testing.T) {
	run := func(*profile.Draft) error { return nil }
	for name, ms := range map[string][]profile.Migration{
		"NoName":           {{Run: run}},
		"ALongName":        {{Name: strings.Repeat("x", 51), Run: run}},
		"AControlChar":     {{Name: "a\nb", Run: run}},
		"NotUTF8":          {{Name: "\xff", Run: run}},
		"NoRun":            {{Name: "a"}},
		"TheSameNameTwice": {{Name: "a", Run: run}, {Name: "a", Run: run}},
		"TooMany":          make([]profile.Migration, profile.MaxMigrations+1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := profile.NewSchema("player").Migrate(ms...).Err(); !errors.Is(err, profile.ErrSchema) {
				t.Errorf("Err() = %v, want ErrSchema", err)
			}
		})
	}
	t.Run("AFieldOfHoldfastsOwn", func(t *testing.T) {
		err := profile.NewSchema("player", profile.Int("~schema", 0)).Err()
		if !errors.Is(err, profile.ErrSchema) || !strings.Contains(err.Error(), `"~schema"`) {
			t.Errorf("Err() = %v, want ErrSchema that names the field", err)
		}
	})
	t.Run("TheSchemaItselfStaysAsItIs", func(t *testing.T) {
		if n := len(schema2.Migrations()); n != 1 {
			t.Errorf("schema2 has %d migrations after schema3 was made, want 1", n)
		}
	})
}
