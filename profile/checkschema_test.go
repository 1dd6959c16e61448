package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// check checks what is stored against a schema.
func (w *world) check(s *profile.Schema, o *profile.CheckOptions) *profile.CheckReport {
	w.Helper()
	db, err := store.New(open{w.db}, nil)
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close(w.ctx)
	r, err := profile.CheckSchema(w.ctx, db, s, o)
	if err != nil {
		w.Fatalf("CheckSchema: %v", err)
	}
	return r
}

// summary returns a report in short.
func summary(r *profile.CheckReport) []string {
	lines := []string{fmt.Sprintf("checked %d, fails %d, due %d", r.Checked, r.Fails, r.Due)}
	for _, p := range r.Problems {
		parked := ""
		if p.Parked {
			parked = " (parked)"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s%s%s: %d %v", p.Severity, p.Kind, p.Field, p.Migration, parked, p.Count, p.Examples))
	}
	return lines
}

// corrupt lists one entry as damaged.
type corrupt struct {
	driver.DB
	key string
}

func (c corrupt) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	s, err := c.DB.List(ctx, q)
	for i := range s.Entries {
		if s.Entries[i].Key == c.key {
			s.Entries[i].Damaged = driver.ErrCorrupt
		}
	}
	return s, err
}

func (c corrupt) Close() error { return nil }

func TestCheckSchema(t *testing.T) {
	t.Run("CountsWhatALoadWouldSay", func(t *testing.T) {
		bubble(t, func(w *world) {
			raw := profile.NewSchema("player")
			put := func(id string, fields ...string) {
				w.store(raw, id, func(tx *profile.Tx) {
					for i := 0; i < len(fields); i += 2 {
						profile.PutField(tx, fields[i], []byte(fields[i+1]))
					}
				})
			}
			put("fine", "coins", "5")
			put("huge", "coins", "2000000")
			put("longnick", "nick", `"`+strings.Repeat("x", 21)+`"`)
			put("killer", "kills", `{"a":-1}`)
			put("friendly", "friends", `{"a":true,"b":true,"c":true,"d":true}`)
			put("typed", "coins", `"5"`, "nick", "7")
			put("typed2", "coins", `{}`)
			put("more", "pet", `"cat"`, "pet2", "1")
			put("~schema", "~schema", "5")
			put("large", "big", `"`+strings.Repeat("x", 3000)+`"`)
			put("damaged", "coins", "5")
			w.store(profile.NewSchema("guild"), "1", func(tx *profile.Tx) { profile.PutField(tx, "coins", []byte(`"x"`)) })
			playing := w.load(w.server("playing", nil), "playing")
			w.update(playing, func(tx *profile.Tx) { coins.Set(tx, 9) })
			db, err := store.New(corrupt{w.db, "player/damaged"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close(w.ctx)
			told := 0
			got, err := profile.CheckSchema(w.ctx, db, player, &profile.CheckOptions{
				Limits: document.Limits{Size: 2000}, Progress: func(n int) { told = n },
			})
			if err != nil {
				t.Fatal(err)
			}
			want := []string{
				"checked 12, fails 5, due 0",
				"fails wrong type coins: 2 [typed typed2]",
				"fails wrong type ~schema: 1 [~schema]",
				"fails damaged : 1 [damaged]",
				"fails too large : 1 [large]",
				"fails wrong type nick: 1 [typed]",
				"warns out of bounds friends: 1 [friendly]",
				"warns out of bounds coins: 1 [huge]",
				"warns out of bounds kills: 1 [killer]",
				"warns out of bounds nick: 1 [longnick]",
				"informs unknown field pet: 1 [more]",
				"informs unknown field pet2: 1 [more]",
			}
			if d := cmp.Diff(want, summary(got)); d != "" {
				t.Errorf("the report differs (-want +got):\n%s", d)
			}
			if told != 12 {
				t.Errorf("Progress was told of %d at the end, want 12", told)
			}
		})
	})
	t.Run("LooksIntoParkedSlots", func(t *testing.T) {
		bubble(t, func(w *world) {
			level, nick := profile.Int("level", 0, profile.PerSlot()), profile.String("nick", "", profile.PerSlot())
			was := profile.NewSchema("player", coins, level, nick)
			for _, id := range []string{"fine", "typed", "moved", "cut", "played"} {
				srv := w.serverOn("was-"+id, open{w.db}, was, nil)
				p := w.load(srv, id)
				for i := range 3 { // the first and the second are parked then
					if i > 0 {
						if _, err := p.CreateSlot(w.ctx, "another", true); err != nil {
							w.Fatal(err)
						}
					}
					w.update(p, func(tx *profile.Tx) {
						level.Set(tx, int64(i))
						if id == "typed" && i < 2 {
							nick.Set(tx, "seven")
						}
					})
				}
				if id != "played" {
					w.close(p)
				}
			}
			w.put("player/moved/slot/1", `{"format":1,"slot":"2"}`)
			w.put("player/cut/slot/2", `{"format":1,`)
			now := profile.NewSchema("player", coins, profile.Int("level", 0, profile.PerSlot()), profile.Int("nick", 0, profile.PerSlot())).
				Migrate(profile.Migration{Name: "odd", PerSlot: true, Run: func(d *profile.Draft) error {
					var n int
					if _, err := d.Get("level", &n); err != nil || n == 1 && d.Key().ID == "fine" {
						return errors.Join(err, errors.New("one is odd"))
					}
					return nil
				}})
			got := w.check(now, nil)
			want := []string{
				"checked 5, fails 4, due 5",
				"fails damaged  (parked): 2 [cut moved]",
				"fails migration odd (parked): 1 [fine]",
				"fails wrong type nick (parked): 1 [typed]",
			}
			if d := cmp.Diff(want, summary(got)); d != "" {
				t.Errorf("the report differs (-want +got):\n%s", d)
			}
			sampled := w.check(now, &profile.CheckOptions{Sample: 5})
			if d := cmp.Diff(want[0], summary(sampled)[0]); d != "" {
				t.Errorf("a sample of all differs (-want +got):\n%s", d)
			}
		})
	})
	t.Run("TriesMigrationsOnCopies", func(t *testing.T) {
		bubble(t, func(w *world) {
			for i := range 4 {
				w.store(schema1, fmt.Sprint(i), func(tx *profile.Tx) { oldCoins.Set(tx, int64(i)) })
			}
			w.store(schema3, "future", nil)
			picky := profile.NewSchema("player", gold).Migrate(rename, profile.Migration{Name: "picky", Run: func(d *profile.Draft) error {
				var n int
				if _, err := d.Get("gold", &n); err != nil || n == 3 {
					return errors.Join(err, errors.New("three is too much"))
				}
				return nil
			}})
			before := w.raw("1")
			want := []string{
				"checked 5, fails 1, due 5",
				"fails migration picky: 1 [3]",
				"informs unknown field bank: 1 [future]",
			}
			got := w.check(picky, nil)
			if d := cmp.Diff(want[:2], summary(got)[:2]); d != "" {
				t.Errorf("the report differs (-want +got):\n%s", d)
			}
			if got := w.raw("1"); got != before {
				t.Errorf("the check left %s, want %s", got, before)
			}
			want = []string{"checked 5, fails 1, due 0", "fails newer schema coins are gold: 1 [future]"}
			if d := cmp.Diff(want, summary(w.check(schema1, nil))); d != "" {
				t.Errorf("by the old schema the report differs (-want +got):\n%s", d)
			}
		})
	})
	t.Run("BySchemaFromAFileOnlyWarnsOfWhatAMigrationMayMend", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.store(profile.NewSchema("player"), "p", func(tx *profile.Tx) { profile.PutField(tx, "gold", []byte(`"many"`)) })
			text, err := json.Marshal(schema2)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := profile.ParseSchema(text)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"checked 1, fails 0, due 1", "warns not migrated coins are gold: 1 [p]", "warns wrong type gold: 1 [p]"}
			if d := cmp.Diff(want, summary(w.check(parsed, nil))); d != "" {
				t.Errorf("the report differs (-want +got):\n%s", d)
			}
		})
	})
	t.Run("DrawsASample", func(t *testing.T) {
		bubble(t, func(w *world) {
			for i := range 20 {
				w.store(player, fmt.Sprint(i), nil)
			}
			if r := w.check(player, &profile.CheckOptions{Sample: 7}); r.Checked != 7 {
				t.Errorf("a sample of 7 checked %d", r.Checked)
			}
			if r := w.check(player, &profile.CheckOptions{Sample: 70}); r.Checked != 20 {
				t.Errorf("a sample of 70 of 20 checked %d", r.Checked)
			}
		})
	})
	t.Run("RefusesWhatItCannotDo", func(t *testing.T) {
		bubble(t, func(w *world) {
			for _, o := range []*profile.CheckOptions{{Sample: -1}, {Examples: -1}, {MigrationTime: -1}} {
				if _, err := profile.CheckSchema(w.ctx, nil, player, o); !errors.Is(err, driver.ErrInvalid) {
					t.Errorf("CheckSchema(%+v) = %v, want ErrInvalid", o, err)
				}
			}
			if _, err := profile.CheckSchema(w.ctx, nil, nil, nil); !errors.Is(err, profile.ErrSchema) {
				t.Errorf("CheckSchema(nil) = %v, want ErrSchema", err)
			}
		})
	})
}
