package inventory

import (
	"github.com/holdfast-games/holdfast/profile"
)

// Create makes one instance of a unique item, with an id of its own, and returns it.
// Properties encode as a JSON object; nil stands for the item's own. From says where it
// comes from; nil says nothing.
//
// It is refused with ErrUnknownItem, ErrKind for an item that is not unique,
// ErrProperties, driver.ErrInvalid for an origin that is too long, or a *FullError.
func (b *Inventory) Create(tx *profile.Tx, item string, properties any, from *Origin) (Entry, error) {
	r, err := b.catalogue.known(item, true)
	if err == nil && b.places != nil {
		err = errPlaceless
	}
	var s stored
	if err == nil {
		s.props, err = r.properties(properties)
	}
	if err == nil {
		s.history, err = newHistory(tx.Profile().Key().String(), from)
	}
	if err == nil && (b.Count(tx, item) >= r.Most || b.free(tx) == 0) {
		err = &FullError{Item: item, Want: 1}
	}
	if err != nil {
		return Entry{}, b.refuse(tx, item, err)
	}
	id, err := tx.NewID()
	if err != nil {
		return Entry{}, b.refuse(tx, item, err)
	}
	key := instanceKey(item, id)
	if err := b.write(tx, key, &s); err != nil {
		return Entry{}, err
	}
	return Entry{Key: key, Item: item, Amount: 1, Properties: s.props, ID: id, history: s.history}, nil
}
