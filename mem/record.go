package mem

import (
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
)

// record is what is stored under one key.
type record struct {
	created  time.Time
	recent   []driver.Version // as in driver.Entry
	present  version
	retained []version // in the order in which they were replaced
}

// version is one stored version. Its value is never changed in place.
type version struct {
	version driver.Version
	value   []byte
	sum     uint32
	updated driver.Moment
	marked  bool // written with Mark

	kept     bool      // retained: whatever the schedule's Every and For
	replaced time.Time // retained: when another took its place
}

// entry returns the present version as the caller's own. A nil record is an
// absent entry.
func (r *record) entry(key string, withValue bool) driver.Entry {
	if r == nil {
		return driver.Entry{Key: key}
	}
	e := r.present.entry(key, r.created, withValue)
	e.Recent = slices.Clone(r.recent)
	return e
}

// entry returns the version as the caller's own.
func (v *version) entry(key string, created time.Time, withValue bool) driver.Entry {
	e := driver.Entry{Key: key, Version: v.version, Created: created, Updated: v.updated, Marked: v.marked}
	if withValue {
		e.Value = append([]byte{}, v.value...)
		e.Damaged = driver.Verify(key, v.version, v.value, driver.Format, v.sum)
	}
	return e
}

// at returns the version that the entry is at, zero if it is absent.
func (r *record) at() driver.Version {
	if r == nil {
		return driver.Version{}
	}
	return r.present.version
}

// find returns the index of a retained version, or -1.
func (r *record) find(v driver.Version) int {
	if r == nil {
		return -1
	}
	return slices.IndexFunc(r.retained, func(old version) bool { return old.version == v })
}

// replace makes v the present version by the write w, and retires the one that
// it replaces. A write that is repeated under its id replaces only itself.
func (r *record) replace(v version, w *driver.Write) {
	if r.present.version != v.version {
		r.retire(w.Retire(r.present.updated.Wall, r.present.marked, v.updated.Wall), v)
	}
	rest := slices.DeleteFunc(slices.Clone(r.recent), func(id driver.Version) bool { return id == v.version })
	r.recent = append([]driver.Version{v.version}, rest[:min(len(rest), driver.RecentVersions-1)]...)
	r.present = v
}

// retire carries out what the schedule asks, before v takes the place of the
// present version.
func (r *record) retire(a driver.Retirement, v version) {
	r.drop(func(old version) bool { return old.version == v.version || old.version == r.present.version })
	if a.Keep {
		old := r.present
		old.kept, old.replaced = a.Marked, v.updated.Wall
		r.retained = append(r.retained, old)
	}
	r.drop(func(old version) bool {
		at := old.updated.Wall
		again := !at.Before(a.From) && at.Before(a.To)
		expired := !a.Expired.IsZero() && !old.replaced.After(a.Expired)
		return !old.kept && (again || expired)
	})
	if a.Max > 0 {
		r.limit(a.Max)
	}
}

// drop removes the retained versions for which f holds.
func (r *record) drop(f func(version) bool) {
	r.retained = slices.DeleteFunc(r.retained, f)
}

// limit removes the retained versions beyond n, those that are not kept first,
// and among them those that were replaced first.
func (r *record) limit(n int) {
	if len(r.retained) <= n {
		return
	}
	order := slices.Clone(r.retained)
	slices.SortStableFunc(order, func(a, b version) int {
		if a.kept != b.kept {
			if b.kept {
				return -1
			}
			return 1
		}
		return a.replaced.Compare(b.replaced)
	})
	gone := make(map[driver.Version]bool)
	for _, old := range order[:len(order)-n] {
		gone[old.version] = true
	}
	r.drop(func(old version) bool { return gone[old.version] })
}
