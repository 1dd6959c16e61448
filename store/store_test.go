package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

// holds fails the test unless a key has a value; "-" is none.
func (e *env) holds(s *store.Store, key, want string) {
	e.Helper()
	got := "-"
	entry, err := s.Get(e.ctx, key)
	switch {
	case err == nil:
		got = string(entry.Value)
	case !errors.Is(err, store.ErrNotFound):
		e.Fatalf("Get(%q): %v", key, err)
	}
	if got != want {
		e.Errorf("Get(%q) = %q, want %q", key, got, want)
	}
}

// set sets a value that must be accepted.
func (e *env) set(s *store.Store, key, value string, o *store.WriteOptions) store.Entry {
	e.Helper()
	entry, err := s.Set(e.ctx, key, []byte(value), o)
	if err != nil {
		e.Fatalf("Set(%q): %v", key, err)
	}
	return entry
}

// as returns an update's function that writes a value.
func as(value string) func(store.Entry) ([]byte, error) {
	return func(store.Entry) ([]byte, error) { return []byte(value), nil }
}

func TestValue(t *testing.T) {
	t.Run("IsWhatWasSet", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.holds(s, "a", "-")
			began := time.Now()
			first := e.set(s, "a", "1", nil)
			e.sleep(time.Minute)
			second := e.set(s, "a", "2", nil)
			got, err := s.Get(e.ctx, "a")
			if err != nil {
				t.Fatalf("Get: %v", err)
			}
			want := store.Entry{Key: "a", Value: []byte("2"), Version: second.Version, Created: began.UTC(), Updated: began.Add(time.Minute).UTC()}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Get (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, second); diff != "" {
				t.Errorf("Set returned (-want +got):\n%s", diff)
			}
			if first.Version == second.Version || !first.Created.Equal(began) || !first.Updated.Equal(began) {
				t.Errorf("first Set = %+v, want a version of its own, created and updated at %v", first, began)
			}
		})
	})
	t.Run("FalseAndNothingAreValues", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.set(s, "empty", "", nil)
			e.holds(s, "empty", "")
			e.set(s, "a", "true", nil)
			for _, value := range []string{"false", ""} {
				if _, err := s.Update(e.ctx, "a", as(value), nil); err != nil {
					t.Errorf("Update to %q: %v", value, err)
				}
				e.holds(s, "a", value)
			}
			if _, err := s.Set(e.ctx, "nil", nil, nil); err != nil {
				t.Errorf("Set of nil: %v", err)
			}
			e.holds(s, "nil", "")
		})
	})
	t.Run("IsTheCallersOwn", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			value := []byte("abc")
			if _, err := s.Set(e.ctx, "a", value, nil); err != nil {
				t.Fatalf("Set: %v", err)
			}
			value[0] = 'X'
			got, err := s.Update(e.ctx, "a", func(entry store.Entry) ([]byte, error) {
				entry.Value[1] = 'Y'
				return nil, nil
			}, nil)
			if err != nil || string(got.Value) != "abc" {
				t.Errorf("Update that aborts = %q, %v, want what was there", got.Value, err)
			}
			e.holds(s, "a", "abc")
		})
	})
	t.Run("OfOneStoreIsNotInAnother", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.set(e.store("a"), "b/c", "1", nil)
			e.holds(e.store("a/b"), "c", "-")
			e.holds(e.store("b"), "b/c", "-")
			e.holds(e.store("a"), "b/c", "1")
		})
	})
}

func TestUpdate(t *testing.T) {
	t.Run("NilFromTheTransformAborts", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			before := e.set(s, "a", "1", nil)
			made := e.record()
			for _, fn := range []func(store.Entry) ([]byte, error){
				func(store.Entry) ([]byte, error) { return nil, nil },
				func(store.Entry) ([]byte, error) { return []byte("2"), store.ErrSkip },
			} {
				got, err := s.Update(e.ctx, "a", fn, nil)
				if err != nil {
					t.Errorf("Update: %v, want nil", err)
				}
				if diff := cmp.Diff(before, got); diff != "" {
					t.Errorf("Update returned (-want +got):\n%s", diff)
				}
			}
			if len(made.keys) != 0 {
				t.Errorf("commits %v, want none", made.keys)
			}
		})
	})
	t.Run("ErrorFromTheTransformIsReturnedAsItIs", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			mine := errors.New("mine")
			if _, err := s.Update(e.ctx, "a", func(store.Entry) ([]byte, error) { return nil, mine }, nil); !errors.Is(err, mine) {
				t.Errorf("Update: %v, want it to match the transform's error", err)
			}
			e.holds(s, "a", "-")
		})
	})
	t.Run("TransformThatPanicsFreesItsKey", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			func() {
				defer func() { _ = recover() }()
				_, _ = s.Update(e.ctx, "a", func(store.Entry) ([]byte, error) { panic("mine") }, nil)
			}()
			if n := s.QueueLen("a"); n != 0 {
				t.Errorf("QueueLen = %d, want 0", n)
			}
			e.set(s, "a", "1", nil)
		})
	})
	t.Run("TransformThatRunsTwiceAppliesOnce", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.set(s, "coins", "100", nil)
			other := e.second()
			runs := 0
			_, err := s.Update(e.ctx, "coins", func(entry store.Entry) ([]byte, error) {
				if runs++; runs == 1 {
					if _, err := other.Add(e.ctx, "coins", 1); err != nil {
						t.Errorf("Add: %v", err)
					}
				}
				n, err := strconv.Atoi(string(entry.Value))
				return strconv.AppendInt(nil, int64(n+10), 10), err
			}, nil)
			if err != nil || runs != 2 {
				t.Errorf("Update: %v after %d runs, want nil after 2", err, runs)
			}
			e.holds(s, "coins", "111")
		})
	})
	t.Run("LostAnswersApplyOnce", func(t *testing.T) {
		bubble(t, &store.Options{Tries: -1}, func(e *env) {
			s := e.store("players")
			e.drv.Use(faulty.Random(1, 0.3, 0.3))
			for i := range int64(200) {
				if got, err := s.Add(e.ctx, "coins", 1); err != nil || got != i+1 {
					t.Fatalf("addition %d = %d, %v", i+1, got, err)
				}
			}
		})
	})
}

// second returns the store "players" of another DB over the same storage, as
// another server has it.
func (e *env) second() *store.Store {
	e.Helper()
	db, err := store.New(e.mem, nil)
	if err != nil {
		e.Fatalf("New: %v", err)
	}
	s, err := db.Store("players")
	if err != nil {
		e.Fatalf("Store: %v", err)
	}
	return s
}

func TestAdd(t *testing.T) {
	t.Run("TwoServersLoseNone", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			var wg sync.WaitGroup
			for _, s := range []*store.Store{e.store("players"), e.second(), e.second()} {
				for range 4 {
					wg.Go(func() {
						for range 25 {
							if _, err := s.Add(e.ctx, "coins", 1); err != nil {
								t.Errorf("Add: %v", err)
							}
						}
					})
				}
			}
			wg.Wait()
			e.holds(e.store("players"), "coins", "300")
		})
	})
	t.Run("StaysWithinInt64", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			for _, edge := range []int64{math.MaxInt64, math.MinInt64} {
				e.set(s, "n", strconv.FormatInt(edge, 10), nil)
				if _, err := s.Add(e.ctx, "n", edge/math.MaxInt64); !errors.Is(err, store.ErrNotInteger) {
					t.Errorf("Add over the edge of %d: %v, want ErrNotInteger", edge, err)
				}
				if got, err := s.Add(e.ctx, "n", 0); err != nil || got != edge {
					t.Errorf("Add(0) = %d, %v, want %d", got, err, edge)
				}
			}
		})
	})
	t.Run("RefusesWhatIsNoInteger", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			for _, value := range []string{"", "1.5", "x", "9223372036854775808"} {
				e.set(s, "n", value, nil)
				if _, err := s.Add(e.ctx, "n", 1); !errors.Is(err, store.ErrNotInteger) {
					t.Errorf("Add to %q: %v, want ErrNotInteger", value, err)
				}
				e.holds(s, "n", value)
			}
		})
	})
}

func TestMetadata(t *testing.T) {
	o := &store.WriteOptions{Meta: map[string]string{"season": "3"}, Users: []string{"7", "8"}}
	// same compares what is kept beside a value.
	same := func(t *testing.T, s *store.Store, meta map[string]string, users []string) {
		t.Helper()
		got, err := s.Get(context.Background(), "a")
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		if diff := cmp.Diff(meta, got.Meta) + cmp.Diff(users, got.Users); diff != "" {
			t.Errorf("metadata and users (-want +got):\n%s", diff)
		}
	}
	t.Run("IsKeptUnlessChanged", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", o)
			same(t, s, o.Meta, o.Users)
			e.set(s, "a", "2", nil)
			_, err := s.Update(e.ctx, "a", as("3"), nil)
			_, errAdd := s.Add(e.ctx, "a", 1)
			if err != nil || errAdd != nil {
				t.Fatalf("Update and Add: %v, %v", err, errAdd)
			}
			same(t, s, o.Meta, o.Users)
			e.set(s, "a", "5", &store.WriteOptions{Users: []string{"9"}})
			same(t, s, o.Meta, []string{"9"})
			e.set(s, "a", "6", &store.WriteOptions{Meta: map[string]string{}})
			same(t, s, nil, []string{"9"})
		})
	})
	t.Run("GoesWithTheValue", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", o)
			old, err := s.Delete(e.ctx, "a")
			if err != nil || string(old.Value) != "1" || old.Meta["season"] != "3" {
				t.Errorf("Delete = %+v, %v, want what was there", old, err)
			}
			e.set(s, "a", "2", nil)
			same(t, s, nil, nil)
		})
	})
	long := func(n int) map[string]string { return map[string]string{"k": strings.Repeat("x", n-len(`{"k":""}`))} }
	users := func(n int, id string) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = id
		}
		return list
	}
	for _, test := range []struct {
		name string
		o    store.WriteOptions
		want error
	}{
		{"Meta300Bytes", store.WriteOptions{Meta: long(300)}, nil},
		{"Meta301Bytes", store.WriteOptions{Meta: long(301)}, store.ErrTooLarge},
		{"MetaInvalidUTF8", store.WriteOptions{Meta: map[string]string{"k": "\xff"}}, driver.ErrInvalid},
		{"Users16", store.WriteOptions{Users: users(16, "u")}, nil},
		{"Users17", store.WriteOptions{Users: users(17, "u")}, store.ErrTooLarge},
		{"UserEmpty", store.WriteOptions{Users: []string{""}}, driver.ErrInvalid},
		{"User65Bytes", store.WriteOptions{Users: users(1, strings.Repeat("u", 65))}, driver.ErrInvalid},
		{"UserInvalidUTF8", store.WriteOptions{Users: []string{"\xff"}}, driver.ErrInvalid},
		{"AllAtTheirLongest", store.WriteOptions{Meta: long(300), Users: users(16, strings.Repeat("\x01", 64))}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, nil, func(e *env) {
				s := e.store("players")
				_, err := s.Set(e.ctx, "a", []byte("1"), &test.o)
				if !errors.Is(err, test.want) {
					t.Fatalf("Set: %v, want %v", err, test.want)
				}
				if test.want != nil {
					e.holds(s, "a", "-")
					return
				}
				same(t, s, test.o.Meta, test.o.Users)
			})
		})
	}
	t.Run("StaysJSON", func(t *testing.T) {
		if b, err := json.Marshal(long(300)); err != nil || len(b) != 300 {
			t.Errorf("the test's metadata is %d bytes, %v, want 300", len(b), err)
		}
	})
}

func TestLimit(t *testing.T) {
	fifty := strings.Repeat("é", 25)
	for _, test := range []struct {
		name string
		text string
		ok   bool
	}{
		{"Empty", "", false},
		{"OneByte", "a", true},
		{"50Bytes", fifty, true},
		{"50BytesOfSeparators", strings.Repeat("/", 50), true},
		{"51Bytes", fifty + "a", false},
		{"InvalidUTF8", "a\xff", false},
		{"NUL", "a\x00", false},
		{"ControlCharacter", "a\x01\n\x7f", true},
	} {
		t.Run("Name"+test.name, func(t *testing.T) {
			bubble(t, nil, func(e *env) {
				_, err := e.db.Store(test.text)
				_, errKey := e.store("players").Set(e.ctx, test.text, nil, nil)
				if errors.Is(err, store.ErrName) == test.ok || errors.Is(errKey, store.ErrName) == test.ok {
					t.Errorf("Store(%q): %v; Set: %v, want accepted: %v", test.text, err, errKey, test.ok)
				}
				if test.ok {
					e.holds(e.store(fifty), test.text, "-")
					e.set(e.store(test.text), test.text, "x", nil)
					e.holds(e.store(test.text), test.text, "x")
				}
			})
		})
	}
	t.Run("ValueAtTheLimitIsAccepted", func(t *testing.T) {
		bubble(t, &store.Options{MaxValue: 1000}, func(e *env) {
			s := e.store("players")
			e.set(s, "a", strings.Repeat("x", 1000), nil)
			if _, err := s.Set(e.ctx, "a", make([]byte, 1001), nil); !errors.Is(err, store.ErrTooLarge) {
				t.Errorf("Set of 1,001 bytes: %v, want ErrTooLarge", err)
			}
			if _, err := s.Update(e.ctx, "a", as(strings.Repeat("y", 1001)), nil); !errors.Is(err, store.ErrTooLarge) {
				t.Errorf("Update to 1,001 bytes: %v, want ErrTooLarge", err)
			}
			e.holds(s, "a", strings.Repeat("x", 1000))
		})
	})
	t.Run("LargestValueWithAllElseIsAccepted", func(t *testing.T) {
		bubble(t, &store.Options{MaxValue: driver.MaxValue - 8192}, func(e *env) {
			o := &store.WriteOptions{}
			for range 16 {
				o.Users = append(o.Users, strings.Repeat("<", 64))
			}
			if _, err := e.store("players").Set(e.ctx, "a", make([]byte, driver.MaxValue-8192), o); err != nil {
				t.Errorf("Set: %v", err)
			}
		})
	})
	t.Run("DefaultValueIsFourMegabytes", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			_, err := s.Set(e.ctx, "a", make([]byte, 4<<20), nil)
			_, errMore := s.Set(e.ctx, "a", make([]byte, 4<<20+1), nil)
			if err != nil || !errors.Is(errMore, store.ErrTooLarge) {
				t.Errorf("Set of 4 MiB: %v; of a byte more: %v", err, errMore)
			}
		})
	})
}

func TestDamagedEntryIsRefusedAndNeverOverwritten(t *testing.T) {
	bubble(t, nil, func(e *env) {
		s := e.store("players")
		before := e.set(s, "a", "1", nil)
		key := store.SystemKey("store", "players", "a")
		if err := e.mem.Damage(key); err != nil {
			t.Fatalf("Damage: %v", err)
		}
		made := e.record()
		_, errGet := s.Get(e.ctx, "a")
		_, errSet := s.Set(e.ctx, "a", []byte("2"), nil)
		_, errUpdate := s.Update(e.ctx, "a", as("2"), nil)
		_, errAdd := s.Add(e.ctx, "a", 1)
		_, errDelete := s.Delete(e.ctx, "a")
		errPurge := s.Purge(e.ctx, "a")
		for what, err := range map[string]error{"Get": errGet, "Set": errSet, "Update": errUpdate, "Add": errAdd, "Delete": errDelete, "Purge": errPurge} {
			if !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("%s: %v, want ErrCorrupt", what, err)
			}
		}
		if len(made.keys) != 0 || e.at(key) != before.Version {
			t.Errorf("commits %v, want none", made.keys)
		}
	})
}

func TestNewerFormatIsRefusedAndNeverOverwritten(t *testing.T) {
	bubble(t, nil, func(e *env) {
		at := e.create(store.SystemKey("store", "players", "a"))
		at.Batch.Writes[0].Value = []byte{2, 0, 'x'}
		if _, err := e.db.Commit(e.ctx, at); err != nil {
			t.Fatalf("Commit: %v", err)
		}
		_, err := e.store("players").Get(e.ctx, "a")
		_, errSet := e.store("players").Set(e.ctx, "a", nil, nil)
		if !errors.Is(err, driver.ErrFormat) || !errors.Is(errSet, driver.ErrFormat) {
			t.Errorf("Get: %v; Set: %v, want ErrFormat", err, errSet)
		}
	})
}

func TestErrorOfADatabaseThatDoesNotTakeIt(t *testing.T) {
	t.Run("ReadOnlyIsToldAtOnce", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(faulty.All(faulty.Fault{Err: driver.ErrReadOnly}, faulty.Commit))
			_, err := e.store("players").Set(e.ctx, "a", nil, nil)
			if !errors.Is(err, driver.ErrReadOnly) || errors.Is(err, store.ErrUncertain) {
				t.Errorf("Set: %v, want ErrReadOnly for certain", err)
			}
		})
	})
	t.Run("FullIsWaitedFor", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(faulty.Nth(faulty.Commit, faulty.Fault{Err: driver.ErrFull}, 1, 2, 3))
			e.set(e.store("players"), "a", "1", nil)
		})
	})
	t.Run("FullForLongIsUncertainAndSaysWhy", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			e.drv.Use(faulty.All(faulty.Fault{Err: driver.ErrFull}, faulty.Commit))
			_, err := e.store("players").Set(e.ctx, "a", nil, nil)
			if !errors.Is(err, driver.ErrFull) || !errors.Is(err, store.ErrUncertain) {
				t.Errorf("Set: %v, want ErrUncertain and ErrFull", err)
			}
		})
	})
	t.Run("NamesRequestKeyAndStore", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			_, err := e.store("players").Get(e.ctx, "jo")
			if want := `get "jo" in store "players": not found`; err == nil || err.Error() != want {
				t.Errorf("Get: %v, want %s", err, want)
			}
		})
	})
}

func TestCancelledCallerEndsTheWaitNeverTheAttempt(t *testing.T) {
	bubble(t, nil, func(e *env) {
		s := e.store("players")
		e.drv.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Commit))
		ctx, cancel := context.WithTimeout(e.ctx, time.Second)
		defer cancel()
		if _, err := s.Set(ctx, "a", []byte("1"), nil); !errors.Is(err, store.ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set: %v, want ErrUncertain and the deadline", err)
		}
		if n := s.QueueLen("a"); n != 1 {
			t.Errorf("QueueLen = %d, want 1: the attempt goes on", n)
		}
		next := make(chan error, 1)
		go func() {
			entry, err := s.Get(e.ctx, "a")
			if string(entry.Value) != "1" {
				t.Errorf("Get = %q, %v, want what the attempt wrote", entry.Value, err)
			}
			next <- err
		}()
		e.open(next)
		e.step()
		if err := e.ended(next); err != nil {
			t.Errorf("next request: %v", err)
		}
		synctest.Wait()
	})
}
