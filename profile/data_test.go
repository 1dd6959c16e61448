package profile_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// TestData has a test for each way in which data have been lost elsewhere.
func TestData(t *testing.T) {
	t.Run("01DefaultsAreNeverSavedOverRealData", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, "a text"); _ = foreignExtra.Set(tx, "precious") })
			srv := w.server("a", nil)
			want := w.stored(srv, "1")
			p := w.loadAny(srv, "1")
			if !errors.Is(p.Err(), profile.ErrWrongType) {
				t.Fatalf("Err() = %v, want ErrWrongType", p.Err())
			}
			if got := coins.Get(p); got != 500 {
				t.Errorf("coins of an errored profile = %d, want the default 500", got)
			}
			w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
			if got := coins.Get(p); got != 501 {
				t.Errorf("coins after an update in memory = %d, want 501", got)
			}
			if err := p.Save(w.ctx); !errors.Is(err, profile.ErrErrored) || !errors.Is(err, profile.ErrWrongType) {
				t.Errorf("Save() = %v, want ErrErrored because of ErrWrongType", err)
			}
			time.Sleep(time.Hour) // autosaves
			if _, err := srv.Close(w.ctx); err != nil {
				t.Errorf("Close() = %v", err)
			}
			b := w.server("b", nil)
			if got := w.stored(b, "1"); got != want {
				t.Errorf("after an errored profile %s is stored, want %s", got, want)
			}
		})
	})
	t.Run("02DefaultsAreNotSharedByReference", func(t *testing.T) {
		bubble(t, func(w *world) {
			srv := w.server("a", nil)
			p, q := w.load(srv, "1"), w.load(srv, "2")
			settings.Get(p).Keys["jump"] = 1
			settings.Get(p).Tags[0].Name = "changed"
			blob.Get(p)[0] = 99
			want := Settings{Volume: 7, Music: true, Keys: map[string]int{"jump": 32}, Tags: []Item{{Name: "first", Level: 9}}}
			if diff := cmp.Diff(want, settings.Get(q)); diff != "" {
				t.Errorf("another player's default (-want +got):\n%s", diff)
			}
			if got := blob.Get(q); got[0] != 1 {
				t.Errorf("another player's default bytes = %v, want 1 first", got)
			}
		})
	})
	t.Run("03OneBadProfileDoesNotEndTheAutosaveOfAll", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			for i := range 5 {
				p := w.load(srv, fmt.Sprint(i))
				w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(i)) })
			}
			db.set(func() { db.refuse["player/2"] = driver.ErrInvalid })
			hung, release := make(chan struct{}), make(chan struct{})
			stuck := w.load(srv, "stuck")
			go func() {
				_ = stuck.Update(func(*profile.Tx) error { close(hung); <-release; return nil })
			}()
			<-hung
			time.Sleep(11 * time.Minute)
			for _, id := range []string{"0", "1", "3", "4"} {
				p, _ := srv.Profile(id)
				if p.Dirty() {
					t.Errorf("player %s was not saved beside a profile that cannot be and one whose update hangs", id)
				}
			}
			if p, _ := srv.Profile("2"); !p.Dirty() {
				t.Errorf("the profile whose save was refused counts as saved")
			}
			close(release)
			db.set(func() { clear(db.refuse) })
		})
	})
	t.Run("04DirtyStaysUntilTheSaveHasSucceeded", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			db.set(func() { db.refuse["player/1"] = driver.ErrReadOnly })
			if err := p.Save(w.ctx); !errors.Is(err, driver.ErrReadOnly) {
				t.Errorf("Save() = %v, want ErrReadOnly", err)
			}
			if !p.Dirty() {
				t.Errorf("the profile is not dirty after a failed save")
			}
			db.set(func() { clear(db.refuse) })
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			saved := make(chan error)
			go func() { saved <- p.Save(w.ctx) }()
			synctest.Wait()
			if !p.Dirty() {
				t.Errorf("the profile is not dirty while its save is under way")
			}
			close(hold)
			if err := <-saved; err != nil || p.Dirty() {
				t.Errorf("Save() = %v, then Dirty() = %v; want nil and false", err, p.Dirty())
			}
		})
	})
	t.Run("05ChangesMadeWhileASaveRunsAreKept", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			hold := make(chan struct{})
			db.set(func() { db.hold["player/1"] = hold })
			saved := make(chan error)
			go func() { saved <- p.Save(w.ctx) }()
			synctest.Wait()
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 2) })
			close(hold)
			if err := <-saved; err != nil {
				t.Fatalf("Save() = %v", err)
			}
			if got := coins.Saved(p); got != 1 || !p.Dirty() {
				t.Errorf("after the save: saved value %d, dirty %v; want 1 and true", got, p.Dirty())
			}
			if err := p.Save(w.ctx); err != nil || coins.Saved(p) != 2 {
				t.Errorf("second Save() = %v, saved value %d; want nil and 2", err, coins.Saved(p))
			}
		})
	})
	t.Run("06AnUpdateRunsOnce", func(t *testing.T) {
		bubble(t, func(w *world) {
			db := newFaults(w.db)
			srv := w.serverOn("a", db, player, nil)
			p := w.load(srv, "1")
			runs := 0
			db.set(func() { db.refuse["player/1"] = driver.ErrUnavailable })
			w.update(p, func(tx *profile.Tx) { runs++; _ = coins.Add(tx, 10) })
			saved := make(chan error)
			go func() { saved <- p.Save(w.ctx) }()
			time.Sleep(time.Minute)
			db.set(func() { clear(db.refuse) })
			if err := <-saved; err != nil || runs != 1 || coins.Saved(p) != 510 {
				t.Errorf("Save() = %v after %d runs, %d coins; want nil after 1 run, 510 coins", err, runs, coins.Saved(p))
			}
		})
	})
	t.Run("07TheFinalSaveKeepsWhatIsBesideTheFields", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignExtra.Set(tx, "kept") })
			srv := w.server("a", nil)
			before, err := srv.Session().Peek(w.ctx, player.Key("1"))
			if err != nil {
				t.Fatal(err)
			}
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 3) })
			w.close(p)
			after, err := srv.Session().Peek(w.ctx, player.Key("1"))
			if err != nil {
				t.Fatal(err)
			}
			if after.Birth != before.Birth || !after.Created.Equal(before.Created) {
				t.Errorf("birth %v and creation %v became %v and %v", before.Birth, before.Created, after.Birth, after.Created)
			}
			if v, _ := after.Document.Get(document.Field("extra")); string(v) != `"kept"` {
				t.Errorf("a field that the schema does not know = %s, want it kept", v)
			}
		})
	})
	t.Run("08CorruptBytesAreNotReplaced", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignExtra.Set(tx, "precious") })
			if err := w.db.Damage("player/1"); err != nil {
				t.Fatal(err)
			}
			want, _ := w.db.Read(w.ctx, "player/1")
			srv := w.server("a", nil)
			p := w.loadAny(srv, "1")
			if !errors.Is(p.Err(), driver.ErrCorrupt) {
				t.Errorf("Err() = %v, want ErrCorrupt", p.Err())
			}
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			if _, err := srv.Close(w.ctx); err != nil {
				t.Errorf("Close() = %v", err)
			}
			got, _ := w.db.Read(w.ctx, "player/1")
			if diff := cmp.Diff(want.Entries[0].Value, got.Entries[0].Value); diff != "" {
				t.Errorf("damaged bytes were changed:\n%s", diff)
			}
		})
	})
	t.Run("09ClosingValidatesNothingAway", func(t *testing.T) {
		bubble(t, func(w *world) {
			w.plant("1", func(tx *profile.Tx) { _ = foreignCoins.Set(tx, -5) }) // below Min
			srv := w.server("a", nil)
			p := w.load(srv, "1")
			if got := coins.Get(p); got != -5 {
				t.Errorf("coins stored under another rule = %d, want -5", got)
			}
			w.update(p, func(tx *profile.Tx) { _ = nick.Set(tx, "x") })
			w.close(p)
			if got := w.stored(srv, "1"); !strings.Contains(got, `"coins":-5`) {
				t.Errorf("stored after close: %s, want coins still -5", got)
			}
		})
	})
	t.Run("11BadValuesAreRefusedAtTheWrite", func(t *testing.T) {
		bubble(t, func(w *world) {
			o := &profile.Options{}
			o.Session.Limits = document.Limits{Size: 4096}
			srv := w.serverOn("a", open{w.db}, badValues, o)
			w.close(w.load(srv, "1"))
			p := w.load(srv, "1")
			cycle := &node{}
			cycle.Next = cycle
			deep := &node{}
			for range 80 {
				deep = &node{Next: deep}
			}
			for name, c := range map[string]struct {
				want  error
				write func(tx *profile.Tx)
			}{
				"NaN":            {profile.ErrRange, func(tx *profile.Tx) { _ = badFloat.Set(tx, math.NaN()) }},
				"Infinite":       {profile.ErrRange, func(tx *profile.Tx) { _ = badFloat.Set(tx, math.Inf(-1)) }},
				"NaNInside":      {document.ErrInvalid, func(tx *profile.Tx) { _ = badAny.Set(tx, []float64{math.NaN()}) }},
				"Cyclic":         {document.ErrInvalid, func(tx *profile.Tx) { _ = badNode.Set(tx, cycle) }},
				"InvalidUTF8":    {document.ErrInvalid, func(tx *profile.Tx) { _ = badText.Set(tx, "a\xffb") }},
				"UTF8Inside":     {document.ErrInvalid, func(tx *profile.Tx) { _ = badAny.Set(tx, []string{"a\xff"}) }},
				"UTF8InName":     {document.ErrInvalid, func(tx *profile.Tx) { _ = badMap.Put(tx, "a\xff", 1) }},
				"TooDeep":        {document.ErrTooDeep, func(tx *profile.Tx) { _ = badNode.Set(tx, deep) }},
				"TooLarge":       {document.ErrTooLarge, func(tx *profile.Tx) { _ = badText.Set(tx, strings.Repeat("x", 5000)) }},
				"TooLargeInAll":  {document.ErrTooLarge, func(tx *profile.Tx) { _ = badText.Set(tx, strings.Repeat("x", 4090)) }},
				"Unencodable":    {document.ErrInvalid, func(tx *profile.Tx) { _ = badAny.Set(tx, make(chan int)) }},
				"NotReadBack":    {document.ErrInvalid, func(tx *profile.Tx) { _ = badOneWay.Set(tx, oneWay{N: 1}) }},
				"PanicInMarshal": {document.ErrInvalid, func(tx *profile.Tx) { _ = badOneWay.Set(tx, oneWay{N: 2}) }},
				"LongName":       {document.ErrInvalid, func(tx *profile.Tx) { _ = badMap.Put(tx, strings.Repeat("n", 257), 1) }},
			} {
				t.Run(name, func(t *testing.T) {
					inner := *w
					inner.T = t
					inner.refuses(p, c.want, c.write)
				})
			}
		})
	})
	t.Run("12LargeNumbersKeepTheirDigits", func(t *testing.T) {
		bubble(t, func(w *world) {
			const big = math.MaxInt64 - 1
			w.plant("1", func(tx *profile.Tx) {
				_ = foreignBig.Set(tx, jsonNumber)
				_ = foreignBag.Set(tx, map[string]any{"exact": map[string]any{"name": "", "level": 1}})
			})
			srv := w.server("a", nil)
			p := w.load(srv, "1")
			w.update(p, func(tx *profile.Tx) { _ = kills.Set(tx, "bears", big) })
			w.close(p)
			want := `"big":9007199254740993`
			if got := w.stored(srv, "1"); !strings.Contains(got, want) || !strings.Contains(got, fmt.Sprint(int64(big))) {
				t.Errorf("stored: %s, want %s and %d in it", got, want, int64(big))
			}
			if got := kills.Get(w.load(srv, "1"), "bears"); got != big {
				t.Errorf("bears = %d, want %d", got, int64(big))
			}
		})
	})
	t.Run("13IncrementsOnTwoServersAreBothKept", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.server("a", nil), w.server("b", nil)
			for _, srv := range []*profile.Server{a, b, a, b} {
				p := w.load(srv, "1")
				w.update(p, func(tx *profile.Tx) { _ = coins.Add(tx, 1) })
			}
			if got := coins.Get(w.load(a, "1")); got != 504 {
				t.Errorf("coins = %d after four increments on two servers, want 504", got)
			}
		})
	})
}

// node can be nested without end.
type node struct {
	Next *node `json:"next,omitempty"`
}

// oneWay writes what it cannot read, or panics.
type oneWay struct{ N int }

func (o oneWay) MarshalJSON() ([]byte, error) {
	if o.N == 2 {
		panic("two")
	}
	if o.N == 0 {
		return []byte("0"), nil
	}
	return []byte(`"one"`), nil
}

func (o *oneWay) UnmarshalJSON(b []byte) error {
	if string(b) != "0" {
		return errors.New("only 0 is understood")
	}
	return nil
}

var (
	badFloat  = profile.Float("float", 0)
	badAny    = profile.Value[any]("any", nil)
	badNode   = profile.Value[*node]("node", nil)
	badText   = profile.String("text", "")
	badMap    = profile.Map[int]("map")
	badOneWay = profile.Value("oneway", oneWay{})
	badValues = profile.NewSchema("player", badFloat, badAny, badNode, badText, badMap, badOneWay)
)
