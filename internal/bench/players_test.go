package bench

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestRepeat(t *testing.T) {
	t.Run("CallsEachOnceHoweverLate", func(t *testing.T) {
		var calls [100]atomic.Int32
		err := repeat(len(calls), 0, func(caller, turn int) error { calls[caller].Add(int32(turn) + 1); return nil })
		if err != nil {
			t.Fatal(err)
		}
		for i := range calls {
			if n := calls[i].Load(); n != 1 {
				t.Errorf("caller %d called %d times in no time, want once", i, n)
			}
		}
	})
	t.Run("StopsAtAnError", func(t *testing.T) {
		broken := errors.New("broken")
		err := repeat(2, time.Hour, func(_, turn int) error {
			if turn == 3 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("repeat: %v, want %v", err, broken)
		}
	})
}

func TestOwn(t *testing.T) {
	const things, callers = 8, 3
	var got [callers][]int
	for caller := range callers {
		for turn := range 4 {
			got[caller] = append(got[caller], own(things, callers, caller, turn))
		}
	}
	if diff := cmp.Diff([callers][]int{{0, 3, 6, 0}, {1, 4, 7, 1}, {2, 5, 2, 5}}, got); diff != "" {
		t.Errorf("what each caller uses differs (-want +got):\n%s", diff)
	}
}
