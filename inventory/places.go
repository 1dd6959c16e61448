package inventory

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-games/holdfast/profile"
)

// Places is a field of places that each hold one entry or are empty: what a player
// wears, a bar of tools. An entry that is put into a place comes out of an inventory,
// and keeps its key, properties and history; so nothing is in two places, or sold while
// it is worn.
type Places struct {
	profile.Field
	in *Inventory
}

// MaxPlaces is how many places a field may have.
const MaxPlaces = 200

// errPlaceless refuses what would give an entry no place.
var errPlaceless = fmt.Errorf("%w: entries come into places by Put", ErrPlace)

// NewPlaces declares a field of places by their names, which are 1 to MaxName bytes of
// UTF-8 without control characters and without '#', and all empty at first. Options
// and mistakes are those of New.
func NewPlaces(name string, c *Catalogue, places []string, opts ...profile.FieldOption) *Places {
	own := make([]string, len(places)) // never nil
	copy(own, places)
	in := declare(name, c, len(places), own, opts)
	return &Places{in.Field, in}
}

func checkPlaces(places []string) error {
	switch {
	case places == nil:
		return nil
	case len(places) == 0:
		return errors.New("no places")
	case len(places) > MaxPlaces:
		return fmt.Errorf("%d places, at most %d", len(places), MaxPlaces)
	}
	for i, p := range places {
		if err := checkName(p); err != nil {
			return fmt.Errorf("place: %w", err)
		}
		if slices.Contains(places[:i], p) {
			return fmt.Errorf("two places are named %q", p)
		}
	}
	return nil
}

// Names returns the places, in the order in which they were declared.
func (ps *Places) Names() []string { return slices.Clone(ps.in.places) }

// At returns what is in a place, and false if it is empty.
func (ps *Places) At(r profile.Reader, place string) (Entry, bool) {
	for e := range ps.in.All(r) {
		if e.Place == place {
			return e, true
		}
	}
	return Entry{}, false
}

// Inventory returns the entries as an inventory, to be read, edited and deleted. An
// entry of a place that is no longer declared is among them.
func (ps *Places) Inventory() *Inventory { return ps.in }

// Put takes a whole entry out of an inventory of the same profile into a place. What is
// there goes back into that inventory; out of the places' own Inventory, the two change
// places. It is refused with ErrPlace, profile.ErrMissing, ErrTwice, or a *FullError if
// what was there does not fit.
func (ps *Places) Put(tx *profile.Tx, place string, from *Inventory, key string) error {
	if !slices.Contains(ps.in.places, place) {
		return ps.in.refuse(tx, key, fmt.Errorf("%w: %q", ErrPlace, place))
	}
	s, err := from.entry(tx, key)
	if err != nil {
		return err
	}
	if err := from.elements.Delete(tx, key); err != nil {
		return err
	}
	if err := ps.vacate(tx, place, from, s.at); err != nil {
		return err
	}
	s.at = place
	return ps.place(tx, &s)
}

// vacate moves what is in a place back into an inventory; or to another place, if it is
// the places' own.
func (ps *Places) vacate(tx *profile.Tx, place string, into *Inventory, other string) error {
	e, ok := ps.At(tx, place)
	switch {
	case !ok:
		return nil
	case into != ps.in:
		return ps.Take(tx, place, into)
	}
	s, err := ps.in.entry(tx, e.Key)
	if err != nil {
		return err
	}
	s.at = other
	return ps.in.write(tx, s.key, &s.stored)
}

// place stores an entry that has its place.
func (ps *Places) place(tx *profile.Tx, s *stack) error {
	key := s.key
	if !s.unique() {
		have, _ := ps.in.holdings(nil, tx, s.item)
		key = stackKey(s.item, numbers(have)())
	} else if ps.in.elements.Has(tx, key) {
		return ps.in.refuse(tx, key, ErrTwice)
	}
	return ps.in.write(tx, key, &s.stored)
}

// Take moves what is in a place into an inventory of the same profile. It is refused
// with profile.ErrMissing if the place is empty, and as Move is.
func (ps *Places) Take(tx *profile.Tx, place string, into *Inventory) error {
	e, ok := ps.At(tx, place)
	if !ok {
		return ps.in.refuse(tx, "", fmt.Errorf("%w: place %q is empty", profile.ErrMissing, place))
	}
	_, err := ps.in.Move(tx, e.Key, e.Amount, into)
	return err
}
