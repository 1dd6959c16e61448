package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

func TestKeys(t *testing.T) {
	odd := []string{"a/b", "a", "a%2Fb", "%", "~", "~store", "a~", "é", "日本", "😀", "a\x01", " ", "a.", "a/"}
	list := func(e *env, s *store.Store, prefix string) (keys []string) {
		e.Helper()
		for key, err := range s.Keys(e.ctx, prefix) {
			if err != nil {
				e.Fatalf("Keys(%q): %v", prefix, err)
			}
			keys = append(keys, key)
		}
		return keys
	}
	byStored := func(a, b string) int { return strings.Compare(store.JoinKey(a), store.JoinKey(b)) }
	t.Run("AreListedByPrefixWhateverIsInThem", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("pl/ay~%")
			for _, key := range odd {
				e.set(s, key, key, nil)
				e.set(e.store("pl"), key, "other", nil)
			}
			for _, prefix := range append([]string{"", "a", "x"}, odd...) {
				want := slices.DeleteFunc(slices.Clone(odd), func(key string) bool { return !strings.HasPrefix(key, prefix) })
				slices.SortFunc(want, byStored)
				got := list(e, s, prefix)
				if len(want)+len(got) > 0 && !cmp.Equal(want, got) {
					t.Errorf("Keys(%q) = %q, want %q", prefix, got, want)
				}
			}
		})
	})
	t.Run("WithoutAValueAreLeftOut", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", nil)
			e.set(s, "b", "", nil)
			if _, err := s.Delete(e.ctx, "a"); err != nil {
				t.Fatalf("Delete: %v", err)
			}
			if diff := cmp.Diff([]string{"b"}, list(e, s, "")); diff != "" {
				t.Errorf("Keys (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("ComeInPages", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			var want []string
			for i := range 600 {
				want = append(want, fmt.Sprintf("%03d", i))
				e.set(s, want[i], "", nil)
			}
			pages := 0
			e.drv.Use(func(c *faulty.Call) faulty.Fault {
				pages++
				if pages == 2 {
					return down
				}
				return faulty.Fault{}
			})
			if diff := cmp.Diff(want, list(e, s, "")); diff != "" {
				t.Errorf("Keys (-want +got):\n%s", diff)
			}
			if pages != 4 {
				t.Errorf("%d calls, want 3 pages and a repeat", pages)
			}
			for range s.Keys(e.ctx, "") {
				break
			}
			if pages != 5 {
				t.Errorf("%d calls for the first key, want 1", pages-4)
			}
		})
	})
	t.Run("DamagedOneIsNamedWithItsError", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			for _, key := range []string{"a", "b", "c"} {
				e.set(s, key, "1", nil)
			}
			if err := e.mem.Damage(store.SystemKey("store", "players", "b")); err != nil {
				t.Fatalf("Damage: %v", err)
			}
			var got []string
			for key, err := range s.Keys(e.ctx, "") {
				got = append(got, fmt.Sprint(key, " ", errors.Is(err, driver.ErrCorrupt)))
			}
			if diff := cmp.Diff([]string{"a false", "b true", "c false"}, got); diff != "" {
				t.Errorf("Keys (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("EndWithAnError", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(faulty.All(faulty.Fault{Err: driver.ErrCorrupt}))
			n := 0
			for _, err := range e.store("players").Keys(e.ctx, "") {
				if n++; !errors.Is(err, driver.ErrCorrupt) {
					t.Errorf("Keys: %v, want ErrCorrupt", err)
				}
			}
			if n != 1 {
				t.Errorf("Keys yielded %d times, want once", n)
			}
		})
	})
}

// checkJoin fails unless parts survive JoinKey and SplitKey, alone and below a
// name of the system's.
func checkJoin(t interface{ Fatalf(string, ...any) }, parts []string) {
	key := store.JoinKey(parts...)
	got, err := store.SplitKey(key)
	if err != nil || !slices.Equal(got, parts) {
		t.Fatalf("SplitKey(%q) = %q, %v, want %q", key, got, err, parts)
	}
	if strings.HasPrefix(key, "~") {
		t.Fatalf("JoinKey(%q) = %q, which is the system's", parts, key)
	}
	system := store.SystemKey("name", parts...)
	if got, err := store.SplitKey(system); err != nil || !slices.Equal(got[1:], parts) || got[0] != "~name" {
		t.Fatalf("SplitKey(%q) = %q, %v, want ~name and %q", system, got, err, parts)
	}
	if utf8.ValidString(strings.Join(parts, "")) && strings.Join(parts, "") != "" {
		if err := driver.CheckKey(key); err != nil && len(key) <= driver.MaxKey {
			t.Fatalf("JoinKey(%q) is no key: %v", parts, err)
		}
	}
}

func TestJoinKey(t *testing.T) {
	t.Run("IsUndoneBySplitKey", func(t *testing.T) {
		part := rapid.OneOf(rapid.String(), rapid.StringMatching(`[~/%.a2Ff\x00]{0,6}`))
		rapid.Check(t, func(t *rapid.T) {
			checkJoin(t, rapid.SliceOfN(part, 1, 5).Draw(t, "parts"))
		})
	})
	t.Run("KeepsPartsApart", func(t *testing.T) {
		part := rapid.StringMatching(`[~/%a2F]{0,4}`)
		rapid.Check(t, func(t *rapid.T) {
			a, b := rapid.SliceOfN(part, 1, 3).Draw(t, "a"), rapid.SliceOfN(part, 1, 3).Draw(t, "b")
			ka, kb := store.JoinKey(a...), store.JoinKey(b...)
			if (ka == kb) != slices.Equal(a, b) {
				t.Fatalf("JoinKey(%q) = %q and JoinKey(%q) = %q", a, ka, b, kb)
			}
			below := len(b) > len(a) && slices.Equal(a, b[:len(a)])
			if strings.HasPrefix(kb, ka+"/") != below {
				t.Fatalf("%q below %q, want %v", kb, ka, below)
			}
		})
	})
	t.Run("EscapesOnlyWhatItMust", func(t *testing.T) {
		if got, want := store.JoinKey("~a~", "b/c", "50%", "é", "\n"), "%7Ea~/b%2Fc/50%25/é/%0A"; got != want {
			t.Errorf("JoinKey = %q, want %q", got, want)
		}
		if got, want := store.SystemKey("lease"), "~lease"; got != want {
			t.Errorf("SystemKey = %q, want %q", got, want)
		}
	})
	t.Run("SplitKeyRefusesBrokenEscapes", func(t *testing.T) {
		for _, key := range []string{"%", "%2", "a/%2", "%2g", "%2f", "%%41"} {
			if got, err := store.SplitKey(key); !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("SplitKey(%q) = %q, %v, want ErrInvalid", key, got, err)
			}
		}
	})
}

func FuzzJoinKey(f *testing.F) {
	f.Add("a", "b")
	f.Add("~x/", "%2F")
	f.Add("", "\x00é")
	f.Fuzz(func(t *testing.T, a, b string) { checkJoin(t, []string{a, b}) })
}

func FuzzSplitKey(f *testing.F) {
	f.Add("~store/players/a%2Fb")
	f.Add("%zz")
	f.Fuzz(func(t *testing.T, key string) {
		parts, err := store.SplitKey(key)
		if err != nil {
			if !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("SplitKey(%q): %v, want ErrInvalid", key, err)
			}
			return
		}
		again, err := store.SplitKey(store.JoinKey(parts...))
		if err != nil || !slices.Equal(again, parts) {
			t.Errorf("SplitKey(JoinKey(%q)) = %q, %v", parts, again, err)
		}
	})
}
