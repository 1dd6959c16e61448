package bench

import (
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

func TestRanks(t *testing.T) {
	t.Run("LeaveNoRows", func(t *testing.T) {
		sizes := small
		sizes.members = 25_000 // some of which are beyond what is counted each time
		r := &run{Options: *newOptions(t), ctx: t.Context(), sizes: sizes}
		figures, err := r.ranks()
		if err != nil {
			t.Fatal(err)
		}
		if len(figures) != 2 || figures[0].Limit == "" || figures[1].Limit == "" {
			t.Errorf("figures %+v, want two with limits", figures)
		}
		t.Logf("%+v", figures)
		db, err := r.Open(t.Context(), r.URL("rank"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		page, err := db.List(t.Context(), driver.Query{Prefix: store.SystemKey("ranked") + "/", KeysOnly: true})
		if err != nil || len(page.Entries) != 0 {
			t.Errorf("%d rows are left, %v", len(page.Entries), err)
		}
	})
}
