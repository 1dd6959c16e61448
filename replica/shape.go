package replica

import "github.com/holdfast-games/holdfast/profile"

// shape is what a server knows of the fields of its profiles.
type shape struct {
	fields   []profile.Field
	position map[string]int
	derived  [][]int // by position: the computed fields that depend on the field
	computed []bool  // by position: it is computed
	grows    []bool  // by position: it changes without an update, or depends on one that does
}

func newShape(s *profile.Schema) *shape {
	sh := &shape{fields: s.Fields(), position: make(map[string]int)}
	n := len(sh.fields)
	sh.derived, sh.computed, sh.grows = make([][]int, n), make([]bool, n), make([]bool, n)
	for i, f := range sh.fields {
		sh.position[f.Name()] = i
	}
	for i, f := range sh.fields {
		seen := make(map[string]bool)
		sh.grows[i] = sh.follow(f, seen)
		sh.computed[i] = len(seen) > 0
		for name := range seen {
			if at, ok := sh.position[name]; ok {
				sh.derived[at] = append(sh.derived[at], i)
			}
		}
	}
	return sh
}

// follow notes what a field depends on, directly or by others, and reports whether a
// play time is among that, or is the field.
func (sh *shape) follow(f profile.Field, seen map[string]bool) (grows bool) {
	if _, ok := f.(*profile.PlayTimeField); ok {
		return true
	}
	c, ok := f.(interface{ Dependencies() []profile.Field })
	if !ok {
		return false
	}
	for _, d := range c.Dependencies() {
		seen[d.Name()] = true
		grows = sh.follow(d, seen) || grows
	}
	return grows
}
