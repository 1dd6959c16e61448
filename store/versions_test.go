package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/faulty"
	"github.com/holdfast-games/holdfast/store"
)

// values returns the values of a key's versions, "-" for a deletion.
func (e *env) values(s *store.Store, key string, o *store.VersionsOptions) (values []string) {
	e.Helper()
	for v, err := range s.Versions(e.ctx, key, o) {
		if err != nil {
			e.Fatalf("Versions(%q): %v", key, err)
		}
		if v.Value != nil {
			e.Errorf("Versions(%q) yields the value %q, want none", key, v.Value)
		}
		full, err := s.GetVersion(e.ctx, key, v.Version)
		if err != nil {
			e.Fatalf("GetVersion(%q, %v): %v", key, v.Version, err)
		}
		if full.Version != v.Version || !full.Updated.Equal(v.Updated) || full.Marked != v.Marked {
			e.Errorf("GetVersion(%q) = %+v, want what Versions told: %+v", key, full, v)
		}
		value := string(full.Value)
		if full.Deleted {
			value = "-"
		}
		values = append(values, value)
	}
	return values
}

func (e *env) wantValues(s *store.Store, o *store.VersionsOptions, want ...string) {
	e.Helper()
	if diff := cmp.Diff(want, e.values(s, "a", o)); diff != "" {
		e.Errorf("versions of a with %+v (-want +got):\n%s", o, diff)
	}
}

var everyVersion = &store.Options{Retention: &driver.Retention{}}

func TestVersions(t *testing.T) {
	t.Run("AreListedByTimeAndOrder", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			began := time.Now()
			for i := range 5 {
				e.set(s, "a", fmt.Sprint(i), nil)
				e.sleep(time.Minute)
			}
			at := func(i int) time.Time { return began.Add(time.Duration(i) * time.Minute) }
			e.wantValues(s, nil, "0", "1", "2", "3", "4")
			e.wantValues(s, &store.VersionsOptions{NewestFirst: true}, "4", "3", "2", "1", "0")
			e.wantValues(s, &store.VersionsOptions{From: at(1), To: at(3)}, "1", "2")
			e.wantValues(s, &store.VersionsOptions{From: at(3), NewestFirst: true}, "4", "3")
			e.wantValues(s, &store.VersionsOptions{To: at(1)}, "0")
			e.wantValues(s, &store.VersionsOptions{From: at(9)})
		})
	})
	t.Run("OfAKeyThatNeverWasAreNone", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.wantValues(s, nil)
			if _, err := s.GetVersion(e.ctx, "a", driver.Version{1}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("GetVersion: %v, want ErrNotFound", err)
			}
		})
	})
	t.Run("DefaultKeepsOnePerHourFor30Days", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			for i := range 24 * 4 { // every quarter of an hour, from midnight
				e.set(s, "a", fmt.Sprint(i), nil)
				e.sleep(15 * time.Minute)
			}
			e.set(s, "a", "last", nil)
			var want []string
			for i := 3; i < 24*4; i += 4 {
				want = append(want, fmt.Sprint(i))
			}
			e.wantValues(s, nil, append(want, "last")...)
			e.sleep(30 * 24 * time.Hour)
			e.set(s, "a", "later", nil)
			e.wantValues(s, nil, "last", "later")
		})
	})
	t.Run("MarkKeepsAVersionAndTheOneBefore", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "0", nil)
			e.set(s, "a", "1", nil)
			got := e.set(s, "a", "2", &store.WriteOptions{Mark: true})
			if !got.Marked {
				t.Error("Set with Mark returned an entry that is not marked")
			}
			e.set(s, "a", "3", nil)
			e.set(s, "a", "4", nil)
			e.wantValues(s, nil, "1", "2", "4")
			e.sleep(365 * 24 * time.Hour)
			e.set(s, "a", "5", nil)
			e.wantValues(s, nil, "1", "2", "4", "5")
		})
	})
	t.Run("OfAnInvalidKeyAreAnError", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			for _, err := range e.store("players").Versions(e.ctx, "", nil) {
				if !errors.Is(err, store.ErrName) {
					t.Errorf("Versions: %v, want ErrName", err)
				}
			}
			e.drv.Use(faulty.All(faulty.Fault{Err: driver.ErrCorrupt}, faulty.Versions))
			for _, err := range e.store("players").Versions(e.ctx, "a", nil) {
				if !errors.Is(err, driver.ErrCorrupt) {
					t.Errorf("Versions: %v, want ErrCorrupt", err)
				}
			}
		})
	})
}

func TestRestore(t *testing.T) {
	t.Run("WritesAnOldVersionAsANewOneAndMarksBoth", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			o := &store.WriteOptions{Meta: map[string]string{"k": "old"}, Users: []string{"7"}}
			old := e.set(s, "a", "old", o)
			e.set(s, "a", "new", &store.WriteOptions{Meta: map[string]string{"k": "new"}, Users: []string{"8"}})
			got, err := s.Restore(e.ctx, "a", old.Version)
			if err != nil {
				t.Fatalf("Restore: %v", err)
			}
			if got.Version == old.Version || string(got.Value) != "old" || got.Meta["k"] != "old" || !slices.Equal(got.Users, o.Users) || !got.Marked {
				t.Errorf("Restore = %+v, want a marked new version with all that the old one had", got)
			}
			e.wantValues(s, nil, "old", "new", "old")
		})
	})
	t.Run("OfAVersionWithoutMetadataLeavesNone", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			old := e.set(s, "a", "old", nil)
			e.set(s, "a", "new", &store.WriteOptions{Meta: map[string]string{"k": "new"}, Users: []string{"8"}})
			if got, err := s.Restore(e.ctx, "a", old.Version); err != nil || got.Meta != nil || got.Users != nil {
				t.Errorf("Restore = %+v, %v, want neither metadata nor users", got, err)
			}
		})
	})
	t.Run("BringsBackWhatWasDeleted", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.sleep(59 * time.Minute)
			old := e.set(s, "a", "old", nil)
			e.sleep(2 * time.Minute)
			if _, err := s.Delete(e.ctx, "a"); err != nil {
				t.Fatalf("Delete: %v", err)
			}
			e.holds(s, "a", "-")
			if _, err := s.Restore(e.ctx, "a", old.Version); err != nil {
				t.Errorf("Restore: %v", err)
			}
			e.holds(s, "a", "old")
		})
	})
	t.Run("OfADeletionOrOfNothingIsNotFound", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", nil)
			if _, err := s.Delete(e.ctx, "a"); err != nil {
				t.Fatalf("Delete: %v", err)
			}
			deletion := e.at(store.SystemKey("store", "players", "a"))
			for _, v := range []driver.Version{deletion, {9}} {
				if _, err := s.Restore(e.ctx, "a", v); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Restore(%v): %v, want ErrNotFound", v, err)
				}
			}
		})
	})
	t.Run("BehindAPurgeFindsNothing", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			old := e.set(s, "a", "old", nil)
			e.set(s, "a", "new", nil)
			e.drv.Use(faulty.All(faulty.Fault{Hold: true}, faulty.Commit))
			purged, restored := make(chan error, 1), make(chan error, 1)
			go func() { purged <- s.Purge(e.ctx, "a") }()
			e.open(purged)
			go func() {
				_, err := s.Restore(e.ctx, "a", old.Version)
				restored <- err
			}()
			e.open(restored)
			e.drv.Use()
			e.step()
			if err := e.ended(purged); err != nil {
				t.Errorf("Purge: %v", err)
			}
			if err := e.ended(restored); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Restore: %v, want ErrNotFound", err)
			}
		})
	})
}

func TestDelete(t *testing.T) {
	t.Run("OfNothingIsNotFound", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			if _, err := s.Delete(e.ctx, "a"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Delete: %v, want ErrNotFound", err)
			}
			e.set(s, "a", "1", nil)
			_, err1 := s.Delete(e.ctx, "a")
			_, err2 := s.Delete(e.ctx, "a")
			if err1 != nil || !errors.Is(err2, store.ErrNotFound) {
				t.Errorf("Delete twice: %v, %v, want nil and ErrNotFound", err1, err2)
			}
		})
	})
	t.Run("KeepsOldVersions", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", nil)
			if _, err := s.Delete(e.ctx, "a"); err != nil {
				t.Fatalf("Delete: %v", err)
			}
			e.wantValues(s, nil, "1", "-")
		})
	})
	t.Run("UpdateAfterwardsFindsNothing", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", nil)
			if _, err := s.Delete(e.ctx, "a"); err != nil {
				t.Fatalf("Delete: %v", err)
			}
			_, err := s.Update(e.ctx, "a", func(entry store.Entry) ([]byte, error) {
				if entry.Found() || entry.Value != nil {
					t.Errorf("Update got %+v, want an entry that is not found", entry)
				}
				return []byte("2"), nil
			}, nil)
			if err != nil {
				t.Errorf("Update: %v", err)
			}
			e.holds(s, "a", "2")
			if sum, err := s.Add(e.ctx, "n", 3); err != nil || sum != 3 {
				t.Errorf("Add to nothing = %d, %v, want 3", sum, err)
			}
		})
	})
}

func TestPurge(t *testing.T) {
	t.Run("LeavesNoContentAtAll", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", &store.WriteOptions{Mark: true, Meta: map[string]string{"secret": "x"}})
			e.set(s, "a", "2", nil)
			if err := s.Purge(e.ctx, "a"); err != nil {
				t.Fatalf("Purge: %v", err)
			}
			e.holds(s, "a", "-")
			e.wantValues(s, nil, "-")
			snap, err := e.mem.List(context.Background(), driver.Query{})
			if err != nil || len(snap.Entries) != 1 || string(snap.Entries[0].Value[2:]) != `{"deleted":true}` {
				t.Errorf("the database holds %+v, %v, want the mark of a deletion", snap.Entries, err)
			}
		})
	})
	t.Run("AfterADeletionRemovesTheVersions", func(t *testing.T) {
		bubble(t, everyVersion, func(e *env) {
			s := e.store("players")
			e.set(s, "a", "1", nil)
			_, err1 := s.Delete(e.ctx, "a")
			err2 := s.Purge(e.ctx, "a")
			if err1 != nil || err2 != nil {
				t.Fatalf("Delete: %v; Purge: %v", err1, err2)
			}
			e.wantValues(s, nil, "-")
		})
	})
	t.Run("OfNothingWritesNothing", func(t *testing.T) {
		bubble(t, nil, func(e *env) {
			made := e.record()
			if err := e.store("players").Purge(e.ctx, "a"); err != nil || len(made.keys) != 0 {
				t.Errorf("Purge: %v with commits %v, want nil and none", err, made.keys)
			}
		})
	})
}
