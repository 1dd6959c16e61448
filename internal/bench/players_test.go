package bench

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

func TestPlayerData(t *testing.T) {
	for items, want := range map[int]int{smallBag: 2 << 10, largeBag: 200 << 10} {
		for _, i := range []int{0, 7, 99_999} {
			data := playerData(i, items)
			d, err := document.Parse(data, nil)
			if err != nil {
				t.Fatalf("playerData(%d, %d) cannot be parsed: %v", i, items, err)
			}
			if n := d.Size(); n != len(data) || n < want*9/10 || n > want*11/10 {
				t.Errorf("playerData(%d, %d) has %d bytes, %d when parsed, want about %d", i, items, len(data), n, want)
			}
		}
	}
}

func TestEach(t *testing.T) {
	t.Run("CallsEachOnce", func(t *testing.T) {
		var calls [100]atomic.Int32
		if err := each(7, len(calls), func(i int) error { calls[i].Add(1); return nil }); err != nil {
			t.Fatal(err)
		}
		for i := range calls {
			if n := calls[i].Load(); n != 1 {
				t.Errorf("each called fn(%d) %d times, want once", i, n)
			}
		}
	})
	t.Run("StopsAtTheFirstError", func(t *testing.T) {
		broken := errors.New("broken")
		var calls atomic.Int32
		err := each(1, 100, func(i int) error {
			calls.Add(1)
			if i == 3 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || calls.Load() != 4 {
			t.Errorf("each: %v after %d calls, want %v after 4", err, calls.Load(), broken)
		}
	})
	t.Run("OfNothingIsNothing", func(t *testing.T) {
		if err := each(5, 0, func(int) error { return errors.New("called") }); err != nil {
			t.Error(err)
		}
	})
}
