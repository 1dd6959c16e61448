package bench

import (
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

func TestPurchases(t *testing.T) {
	t.Run("LeaveNoRecords", func(t *testing.T) {
		r := &run{Options: *newOptions(t), ctx: t.Context(), sizes: small}
		before := otherRecord(t, &r.Options)
		if _, err := r.purchases(); err != nil {
			t.Fatal(err)
		}
		if got := records(t, &r.Options); len(got) != 1 || got[0] != before {
			t.Errorf("after the measurement there are the records %q, want only that of another's, %q", got, before)
		}
	})
	t.Run("AreLimitedOnPostgreSQL", func(t *testing.T) {
		for rate, missed := range map[float64]bool{2000: false, 1999: true} {
			if f := (Figure{Value: rate}).purchaseLimited(); f.Missed() != missed {
				t.Errorf("%v purchases a second: %+v, want missed %v", rate, f, missed)
			}
		}
	})
}

// otherRecord writes the record of a purchase that is none of the measurement's,
// and returns its key.
func otherRecord(t *testing.T, o *Options) string {
	t.Helper()
	key := store.SystemKey("receipt", "shop:1")
	db, err := o.Open(t.Context(), o.URL("purchase"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b := driver.Batch{ID: bareVersion(1, 1), Writes: []driver.Write{{Key: key, Value: []byte("{}")}}}
	if _, err := db.Commit(t.Context(), driver.Group{Batches: []driver.Batch{b}}); err != nil {
		t.Fatal(err)
	}
	return key
}

// records returns the keys of all records of purchases.
func records(t *testing.T, o *Options) (keys []string) {
	t.Helper()
	db, err := o.Open(t.Context(), o.URL("purchase"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	page, err := db.List(t.Context(), driver.Query{KeysOnly: true, Prefix: store.SystemKey("receipt") + "/"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		keys = append(keys, e.Key)
	}
	return keys
}
