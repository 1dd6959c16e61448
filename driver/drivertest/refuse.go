package drivertest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
)

// badKeys are keys that the contract refuses.
var badKeys = map[string]string{
	"empty":    "",
	"too long": strings.Repeat("k", driver.MaxKey+1),
	"not text": "a\xff",
	"half":     "a\xe2\x82",
	"NUL":      "a\x00b",
}

var refusalFacts = []fact{
	{"KeyAtItsLimitIsFine", 0, func(e *env) {
		long := strings.Repeat("k", driver.MaxKey-2) + "é"
		e.apply(always(long, "1"))
		e.holds(long, "1")
	}},
	{"BadKeysAreInvalidInCommit", 0, func(e *env) {
		for name, key := range badKeys {
			check := batch(always("k", "1"))
			check.Checks = []driver.Check{{Key: key}}
			forget := batch(always("k", "1"))
			forget.Forget = []string{key}
			for _, b := range []driver.Batch{batch(always(key, "1")), batch(always("k", "1"), always(key, "1")), check, forget} {
				out, err := e.db.Commit(e.ctx, driver.Group{Batches: []driver.Batch{b}})
				if !errors.Is(err, driver.ErrInvalid) {
					e.Errorf("Commit with a key that is %s = %v, %v, want ErrInvalid", name, out, err)
				}
			}
		}
		e.holds("k", "-")
	}},
	{"BadKeysAreInvalidInReads", 0, func(e *env) {
		for name, key := range badKeys {
			calls := map[string]func() error{
				"Read":     func() error { _, err := e.db.Read(e.ctx, "k", key); return err },
				"Versions": func() error { _, err := e.db.Versions(e.ctx, key); return err },
				"ReadVersion": func() error {
					_, err := e.db.ReadVersion(e.ctx, key, newID())
					return err
				},
			}
			if key != "" { // there it means that there is no bound
				calls["List"] = func() error { _, err := e.db.List(e.ctx, driver.Query{Prefix: key}); return err }
				calls["Count"] = func() error { _, _, err := e.db.Count(e.ctx, key, "z", 1); return err }
				calls["Count To"] = func() error { _, _, err := e.db.Count(e.ctx, "a", key, 1); return err }
				calls["List After"] = func() error { _, err := e.db.List(e.ctx, driver.Query{After: key}); return err }
				calls["DeleteRange"] = func() error { _, err := e.db.DeleteRange(e.ctx, key, "z"); return err }
				calls["DeleteRange to"] = func() error { _, err := e.db.DeleteRange(e.ctx, "a", key); return err }
			}
			for call, f := range calls {
				if err := f(); !errors.Is(err, driver.ErrInvalid) {
					e.Errorf("%s of a key that is %s: %v, want ErrInvalid", call, name, err)
				}
			}
		}
	}},
	{"ValueBeyondItsLimitIsInvalid", 0, func(e *env) {
		value := bytes.Repeat([]byte("x"), driver.MaxValue+1)
		e.invalid(driver.Group{Batches: []driver.Batch{batch(driver.Write{Key: "k", Mode: driver.Always, Value: value})}})
		e.apply(driver.Write{Key: "k", Mode: driver.Always, Value: value[:driver.MaxValue]})
		if got := e.read("k"); len(got.Value) != driver.MaxValue || got.Damaged != nil {
			e.Errorf("value at its limit read back as %d bytes, damaged %v", len(got.Value), got.Damaged)
		}
	}},
	{"GroupBeyondItsLimitIsInvalid", 0, func(e *env) {
		e.invalid(driver.Group{})
		group := make([]driver.Batch, driver.MaxGroup+1)
		for i := range group {
			group[i] = batch(always(fmt.Sprintf("k/%d", i), "x"))
		}
		e.invalid(driver.Group{Batches: group})
		if got := e.keys(driver.Query{Limit: 1}); got != nil {
			e.Errorf("an invalid group left %q", got)
		}
	}},
	{"BatchBeyondItsLimitIsInvalid", 0, func(e *env) {
		b := batch()
		for i := range driver.MaxBatch {
			b.Writes = append(b.Writes, always(fmt.Sprintf("k/%d", i), "x"))
		}
		b.Forget = []string{"other"}
		e.invalid(driver.Group{Batches: []driver.Batch{b}})
	}},
	{"ReadBeyondItsLimitIsInvalid", 0, func(e *env) {
		keys := make([]string, driver.MaxRead+1)
		for i := range keys {
			keys[i] = fmt.Sprintf("k/%d", i)
		}
		if s, err := e.db.Read(e.ctx, keys[1:]...); err != nil || len(s.Entries) != driver.MaxRead {
			e.Errorf("Read of %d keys = %d entries, %v", driver.MaxRead, len(s.Entries), err)
		}
		if _, err := e.db.Read(e.ctx, keys...); !errors.Is(err, driver.ErrInvalid) {
			e.Errorf("Read of %d keys: %v, want ErrInvalid", len(keys), err)
		}
	}},
	{"ListLimitOutOfRangeIsInvalid", 0, func(e *env) {
		for _, limit := range []int{-1, driver.MaxRead + 1} {
			if _, err := e.db.List(e.ctx, driver.Query{Limit: limit}); !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("List with limit %d: %v, want ErrInvalid", limit, err)
			}
		}
		e.list(driver.Query{Limit: driver.MaxRead})
	}},
	{"WritesThatContradictThemselvesAreInvalid", 0, func(e *env) {
		id := newID()
		for name, b := range map[string]driver.Batch{
			"no id":                     {Writes: []driver.Write{always("k", "1")}},
			"no write":                  {ID: id, Checks: []driver.Check{{Key: "k"}}},
			"key written twice":         {ID: id, Writes: []driver.Write{always("k", "1"), always("k", "2")}},
			"key written and checked":   {ID: id, Writes: []driver.Write{always("k", "1")}, Checks: []driver.Check{{Key: "k"}}},
			"key checked twice":         {ID: id, Writes: []driver.Write{always("k", "1")}, Checks: []driver.Check{{Key: "c"}, {Key: "c"}}},
			"expects its own version":   {ID: id, Writes: []driver.Write{expect("k", id, "1")}},
			"deletion with a value":     {ID: id, Writes: []driver.Write{{Key: "k", Delete: true, Value: []byte{}}}},
			"deletion that is Once":     {ID: id, Writes: []driver.Write{{Key: "k", Delete: true, Mode: driver.Once}}},
			"deletion with a schedule":  {ID: id, Writes: []driver.Write{{Key: "k", Delete: true, Retain: &driver.Retention{}}}},
			"mark without a schedule":   {ID: id, Writes: []driver.Write{{Key: "k", Mark: true}}},
			"Always with a version":     {ID: id, Writes: []driver.Write{{Key: "k", Mode: driver.Always, Version: newID()}}},
			"a mode that there is none": {ID: id, Writes: []driver.Write{{Key: "k", Mode: driver.Once + 1}}},
		} {
			out, err := e.db.Commit(e.ctx, driver.Group{Batches: []driver.Batch{b}})
			if !errors.Is(err, driver.ErrInvalid) {
				e.Errorf("Commit of a batch with %s = %v, %v, want ErrInvalid", name, out, err)
			}
		}
		e.holds("k", "-")
	}},
}
