package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

var (
	alice = session.Key{Kind: "player", ID: "alice"}
	start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

func write(t *testing.T, db *store.DB, at time.Time, a audit.Act) audit.Act {
	t.Helper()
	a, err := audit.Write(t.Context(), db, "tool", at, a)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	return a
}

// read returns the reasons of the acts that are listed, and the errors among them.
func read(t *testing.T, db *store.DB, o *audit.LogOptions) (reasons []string, failed []error) {
	t.Helper()
	for a, err := range audit.Log(t.Context(), db, o) {
		if err != nil {
			failed = append(failed, err)
			continue
		}
		reasons = append(reasons, a.Reason)
	}
	return reasons, failed
}

func TestActsOfOneMillisecondAreInOrder(t *testing.T) {
	db := open(t)
	var want []string
	for i := range 30 {
		write(t, db, start, audit.Act{By: "bob", What: "edit", Reason: fmt.Sprint(i)})
		want = append(want, fmt.Sprint(i))
	}
	if got, _ := read(t, db, nil); !slices.Equal(got, want) {
		t.Errorf("the acts are listed in the order %v", got)
	}
}

func TestLog(t *testing.T) {
	db := open(t)
	for i := range 600 { // more than two pages
		key := session.Key{}
		if i%2 == 0 {
			key = alice
		}
		by := "carol"
		if i%3 == 0 {
			by = "bob"
		}
		write(t, db, start.Add(time.Duration(i)*time.Second), audit.Act{By: by, What: "edit", Key: key, Reason: fmt.Sprint(i)})
	}
	for name, c := range map[string]struct {
		o     *audit.LogOptions
		n     int
		first string
	}{
		"AllInTheOrderOfTime": {nil, 600, "0"},
		"OfOnePlayer":         {&audit.LogOptions{Key: alice}, 300, "0"},
		"OfOneOperator":       {&audit.LogOptions{By: "bob"}, 200, "0"},
		"SinceItsVeryMoment":  {&audit.LogOptions{Since: start.Add(500 * time.Second)}, 100, "500"},
		"UntilAMoment":        {&audit.LogOptions{Until: start.Add(10 * time.Second)}, 10, "0"},
		"OfOnePlayerSince":    {&audit.LogOptions{Key: alice, Since: start.Add(501 * time.Second)}, 49, "502"},
		"OfAnotherSort":       {&audit.LogOptions{What: "restore"}, 0, ""},
		"OfNobody":            {&audit.LogOptions{Key: session.Key{Kind: "player", ID: "eve"}}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := read(t, db, c.o)
			if len(got) != c.n || len(failed) != 0 || c.n > 0 && got[0] != c.first {
				t.Errorf("%d acts from %.20q on, errors %v; want %d from %q on", len(got), got, failed, c.n, c.first)
			}
		})
	}
	t.Run("AKeyThatIsNoneIsRefused", func(t *testing.T) {
		if _, failed := read(t, db, &audit.LogOptions{Key: session.Key{Kind: "player"}}); len(failed) != 1 {
			t.Errorf("errors %v, want one", failed)
		}
	})
}

func TestActIsReadAsItWasWritten(t *testing.T) {
	db := open(t)
	want := write(t, db, start, audit.Act{By: "bob", What: "edit", Key: alice, Reason: "ticket 1", Details: []byte(`{"coins":5}`), Result: "refused: no"})
	write(t, db, start, audit.Act{By: "bob", What: "edit", Key: alice, Reason: "ticket 2"})
	var got []audit.Act
	for a, err := range audit.Log(t.Context(), db, &audit.LogOptions{Key: alice}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	if len(got) != 2 {
		t.Fatalf("%d acts, want 2", len(got))
	}
	for _, a := range got {
		switch {
		case a.Server != "tool" || a.By != "bob" || a.Key != alice || !a.At.Equal(start):
			t.Errorf("%+v is not what was written", a)
		case a.ID == want.ID && (string(a.Details) != `{"coins":5}` || a.Result != "refused: no"):
			t.Errorf("%+v, want %+v", a, want)
		case a.ID != want.ID && a.Result != audit.Done:
			t.Errorf("result %q of an act that was done, want %q", a.Result, audit.Done)
		}
	}
}

func TestActThatCannotBeReadIsToldAndTheNextFollow(t *testing.T) {
	db := open(t)
	first := write(t, db, start, audit.Act{By: "bob", What: "edit", Reason: "first"})
	write(t, db, start.Add(time.Second), audit.Act{By: "bob", What: "edit", Reason: "second"})
	for value, want := range map[string]error{`{"format":2}`: driver.ErrFormat, `nonsense`: driver.ErrCorrupt} {
		id, err := db.NewVersion()
		if err != nil {
			t.Fatal(err)
		}
		b := driver.Batch{ID: id, Writes: []driver.Write{{Key: audit.EntryKey(first.ID), Mode: driver.Always, Value: []byte(value)}}}
		if _, err := db.Commit(t.Context(), store.Attempt{Batch: b}); err != nil {
			t.Fatal(err)
		}
		got, failed := read(t, db, nil)
		if len(got) != 1 || got[0] != "second" || len(failed) != 1 || !errors.Is(failed[0], want) {
			t.Errorf("with %s: acts %q, errors %v; want the second and %v", value, got, failed, want)
		}
	}
}

func TestActOutOfBoundsIsRefused(t *testing.T) {
	db := open(t)
	fine := audit.Act{By: "bob", What: "edit", Key: alice, Reason: "ticket"}
	for name, spoil := range map[string]func(*audit.Act){
		"NoBy":          func(a *audit.Act) { a.By = "" },
		"ALongBy":       func(a *audit.Act) { a.By = strings.Repeat("x", audit.MaxBy+1) },
		"NoWhat":        func(a *audit.Act) { a.What = "" },
		"NoReason":      func(a *audit.Act) { a.Reason = "" },
		"ALongReason":   func(a *audit.Act) { a.Reason = strings.Repeat("x", audit.MaxReason+1) },
		"ControlChars":  func(a *audit.Act) { a.Reason = "a\x1b[2J" },
		"NotUTF8":       func(a *audit.Act) { a.By = "\xff" },
		"ALongResult":   func(a *audit.Act) { a.Result = strings.Repeat("x", audit.MaxResult+1) },
		"LargeDetails":  func(a *audit.Act) { a.Details = []byte(`"` + strings.Repeat("x", audit.MaxDetails) + `"`) },
		"BadDetails":    func(a *audit.Act) { a.Details = []byte(`{`) },
		"AKeyOfNothing": func(a *audit.Act) { a.Key = session.Key{Kind: "player"} },
	} {
		t.Run(name, func(t *testing.T) {
			a := fine
			spoil(&a)
			if _, err := audit.Write(t.Context(), db, "tool", start, a); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Write = %v, want driver.ErrInvalid", err)
			}
		})
	}
	if got, _ := read(t, db, nil); len(got) != 0 {
		t.Errorf("acts %q were written", got)
	}
}

func TestCleanMakesTextOfAnything(t *testing.T) {
	for in, want := range map[string]string{"bob": "bob", "a\x00b\n": "ab", "\xff\xfex": "x", "ααααα": "αα"} {
		if got := audit.Clean(in, 5); got != want && in != "ααααα" || len(got) > 5 {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func Example() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = audit.Write(ctx, db, "admin-tool", time.Now(), audit.Act{
		By: "alice@support", What: "ban", Key: session.Key{Kind: "player", ID: "42"}, Reason: "ticket 4711",
	})
	if err != nil {
		log.Fatal(err)
	}
	for act, err := range audit.Log(ctx, db, &audit.LogOptions{By: "alice@support"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(act.What, act.Key, act.Reason, act.Result)
	}
	if err := db.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ban player/42 ticket 4711 done
}
