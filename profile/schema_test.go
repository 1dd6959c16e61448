package profile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

func TestSchemaNamesEveryMistake(t *testing.T) {
	for name, c := range map[string]struct {
		schema *profile.Schema
		want   []string
	}{
		"InOrder":        {player, nil},
		"Kind":           {profile.NewSchema(""), []string{"kind of 0 bytes"}},
		"LongKind":       {profile.NewSchema(strings.Repeat("k", 51)), []string{"kind of 51 bytes"}},
		"NilField":       {profile.NewSchema("k", nil), []string{"field 1 is nil"}},
		"TwoOfOneName":   {profile.NewSchema("k", profile.Int("a", 0), profile.Bool("a", true)), []string{`two fields are named "a"`}},
		"EmptyName":      {profile.NewSchema("k", profile.Int("", 0)), []string{"empty field name"}},
		"ControlInName":  {profile.NewSchema("k", profile.Int("a\n", 0)), []string{"control character"}},
		"BelowMin":       {profile.NewSchema("k", profile.Int("a", -1, profile.Min(0))), []string{`default of field "a"`, "at least 0"}},
		"AboveMax":       {profile.NewSchema("k", profile.Float("a", 2, profile.Max(1.5))), []string{`default of field "a"`, "at most 1.5"}},
		"TooLong":        {profile.NewSchema("k", profile.String("a", "abc", profile.MaxLen(2))), []string{"too long: 3, at most 2"}},
		"NotUTF8":        {profile.NewSchema("k", profile.String("a", "\xff")), []string{`default of field "a"`}},
		"Unencodable":    {profile.NewSchema("k", profile.Value("a", func() {})), []string{`default of field "a"`}},
		"Cyclic":         {profile.NewSchema("k", profile.Value("a", cyclic())), []string{`default of field "a"`}},
		"Validate":       {profile.NewSchema("k", profile.Value("a", 1, profile.Validate(refuse))), []string{"refused by the game"}},
		"ValidateOfType": {profile.NewSchema("k", profile.Int("a", 1, profile.Validate(func(string) error { return nil }))), []string{"func(int64) error"}},
		"FloatBound":     {profile.NewSchema("k", profile.Int("a", 1, profile.Min(0.5))), []string{"0.5 is not an integer"}},
		"MinOfBool":      {profile.NewSchema("k", profile.Bool("a", true, profile.Min(0))), []string{"Min and Max are for numbers"}},
		"MaxLenOfInt":    {profile.NewSchema("k", profile.Int("a", 1, profile.MaxLen(3))), []string{"MaxLen is for"}},
		"MaxLenOfZero":   {profile.NewSchema("k", profile.Set("a", profile.MaxLen(0))), []string{"MaxLen of 0"}},
		"ValidateOfBool": {profile.NewSchema("k", profile.Bool("a", true, profile.Validate(func(bool) error { return nil }))), []string{"does not apply"}},
		"RankedOfFloat":  {profile.NewSchema("k", profile.Float("a", 1, profile.Ranked("r"))), []string{"Ranked is for Int"}},
		"RankedTwice":    {profile.NewSchema("k", profile.Int("a", 1, profile.Ranked("r")), profile.Int("b", 1, profile.RankedLowest("r"))), []string{`"a" and "b" feed one ranking, "r"`}},
		"RankedNameless": {profile.NewSchema("k", profile.Int("a", 1, profile.Ranked(""))), []string{"ranking name of 0 bytes"}},
		"All":            {profile.NewSchema("", profile.Int("", 0), profile.Int("b", 3, profile.Max(2))), []string{"kind of", "empty field", "at most 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.schema.Err()
			if c.want == nil {
				if err != nil {
					t.Errorf("Err() = %v, want nil", err)
				}
				return
			}
			if !errors.Is(err, profile.ErrSchema) {
				t.Fatalf("Err() = %v, want ErrSchema", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("Err() = %v, want %q in it", err, part)
				}
			}
		})
	}
}

func refuse(int) error { return errors.New("refused by the game") }

func cyclic() *node {
	n := &node{}
	n.Next = n
	return n
}

func TestOpenReturnsTheSchemasMistakes(t *testing.T) {
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := profile.Open(t.Context(), db, profile.NewSchema(""), nil); !errors.Is(err, profile.ErrSchema) {
		t.Errorf("Open() = %v, want ErrSchema", err)
	}
	if _, err := profile.Open(t.Context(), db, nil, nil); !errors.Is(err, profile.ErrSchema) {
		t.Errorf("Open() without a schema = %v, want ErrSchema", err)
	}
}

func TestServersOfSeveralSchemas(t *testing.T) {
	bubble(t, func(w *world) {
		motto := profile.String("motto", "none")
		guild := profile.NewSchema("guild", motto, coins) // a field may be in several schemas
		players := w.server("a", nil)
		guilds, err := players.With(guild)
		if err != nil {
			t.Fatalf("With() = %v", err)
		}
		p, g := w.load(players, "1"), w.load(guilds, "1")
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
		w.update(g, func(tx *profile.Tx) { _ = coins.Set(tx, 2) })
		if a, b := coins.Get(p), coins.Get(g); a != 1 || b != 2 {
			t.Errorf("coins of player and guild = %d, %d; want 1, 2", a, b)
		}
		if ps := guilds.Profiles(); len(ps) != 1 || ps[0] != g {
			t.Errorf("Profiles() of the guilds = %v, want the guild", ps)
		}
		if _, err := players.With(profile.NewSchema("guild", motto)); !errors.Is(err, profile.ErrSchema) {
			t.Errorf("With() a second schema of a kind = %v, want ErrSchema", err)
		}
		if r, err := players.Close(w.ctx); err != nil || len(r) != 2 {
			t.Errorf("Close() = %v, %v; want results of both", r, err)
		}
	})
}

func TestFieldOfAnotherSchema(t *testing.T) {
	bubble(t, func(w *world) {
		p := w.load(w.server("a", nil), "1")
		stranger := profile.Int("stranger", 77)
		strangers := profile.Map[int]("strangers")
		if got := stranger.Get(p); got != 77 {
			t.Errorf("Get() = %d, want the default", got)
		}
		if _, ok := strangers.Get(p, "x"); ok {
			t.Error("Get() of an element = true, want false")
		}
		w.refuses(p, profile.ErrUnknownField, func(tx *profile.Tx) { _ = stranger.Set(tx, 1) })
		w.refuses(p, profile.ErrUnknownField, func(tx *profile.Tx) { _ = strangers.Put(tx, "x", 1) })
		w.refuses(p, profile.ErrUnknownField, func(tx *profile.Tx) { _ = stranger.Reset(tx) })
	})
}

func TestFieldsOfASchema(t *testing.T) {
	if got := player.Field("bag"); got != bag {
		t.Errorf(`Field("bag") = %v, want the field`, got)
	}
	if got := player.Field("nothing"); got != nil {
		t.Errorf(`Field("nothing") = %v, want nil`, got)
	}
	if n := len(player.Fields()); n != 13 || player.Kind() != "player" {
		t.Errorf("schema of %d fields and kind %q, want 13 and player", n, player.Kind())
	}
	if !secret.Private() || secret.Lazy() || !lazy.Lazy() || lazy.Private() {
		t.Error("the options Private and Lazy are not as declared")
	}
}
