package web

import (
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/mailbox"
	"github.com/holdfast-games/holdfast/profile"
)

// Kind is the kind of the heroes' keys: one of the game's own, so that it meets no
// players of another game in the same database.
const Kind = "holdfast-game"

const (
	maxName  = 20 // bytes
	maxLook  = 5  // looks are numbered from 0
	maxSlots = 3
	bagSize  = 16
	// startCoins are what a hero begins with in each of his save slots.
	startCoins = 10
)

// What a hero has. Gems and letters are the account's; the rest is that of the save slot
// which is loaded.
var (
	name    = profile.String("name", "", profile.MaxLen(maxName))
	look    = profile.Int("look", 0, profile.Min(0), profile.Max(maxLook))
	gems    = profile.Int("gems", 0, profile.Min(0))
	letters = profile.Value("letters", []letter(nil))
	coins   = profile.Int("coins", startCoins, profile.Min(0), profile.PerSlot())
	bag     = inventory.New("bag", goods, &inventory.Options{Capacity: bagSize}, profile.PerSlot())
	worn    = inventory.NewPlaces("worn", goods, []string{"hat", "hand", "pet"}, profile.PerSlot())

	hero = profile.NewSchema(Kind, name, look, gems, letters, coins, bag, worn, mailbox.Received).
		WithSlots(profile.SlotRules{Max: maxSlots, Summary: []profile.Field{coins}})
)

// letter is a gift that has come. The hero keeps the last few of them.
type letter struct {
	ID    string `json:"id"`
	From  string `json:"from"`
	Text  string `json:"text,omitempty"`
	Goods parcel `json:"goods"`
}

const keptLetters = 5

// receive is the handler of gifts: what it changes and the note that the gift was
// handled are on disk together.
func receive(tx *profile.Tx, m *mailbox.Mail[present]) error {
	if g := m.Body.Goods; g.N > 0 {
		if room, err := bag.Room(tx, g.Item, nil); err != nil || room < g.N {
			return profile.ErrLater // it waits until the bag has room
		}
	}
	if err := m.Body.Goods.add(tx); err != nil {
		return err
	}
	kept := append([]letter{{m.ID, m.Body.From, m.Body.Text, m.Body.Goods}}, letters.Get(tx)...)
	return letters.Set(tx, kept[:min(len(kept), keptLetters)])
}

// gift is the mail with which heroes give each other something.
var gift = mailbox.Topic[present]("gift")

// present is the body of a gift.
type present struct {
	From  string `json:"from"` // the giver's name
	Text  string `json:"text,omitempty"`
	Goods parcel `json:"goods"`
}
