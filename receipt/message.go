package receipt

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
)

// topic is that of the messages by which the server of a player learns of his
// purchases.
const topic = "~receipt"

// messageLife is how long a message may wait: a purchase that is never delivered
// again by its store is granted if its player comes back, or his bag has room,
// before that.
const messageLife = profile.MaxMessageLife - 24*time.Hour

// verb is what a message asks for.
type verb string

const (
	verbGrant   verb = "grant"
	verbRefund  verb = "refund"
	verbRelease verb = "release"
)

// errand is the body of a message.
type errand struct {
	Do     verb   `json:"do"`
	ID     string `json:"id"` // of the purchase
	Claim  int    `json:"claim"`
	Reason string `json:"reason,omitempty"`
}

// messageID names the message of an errand: there is one of each sort for a claim.
func (e errand) messageID() string {
	return fmt.Sprintf("%s:%s:%d:%s", topic, e.Do, e.Claim, nameOf(e.ID))
}

// message returns the message of an errand to the player whose claim it is.
func (b *Book) message(e errand, birth driver.Version) (profile.Message, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return profile.Message{}, fmt.Errorf("encode the message: %w", err)
	}
	return profile.Message{
		ID: e.messageID(), Topic: topic, Body: body, For: birth, Until: b.ss.Now().Add(messageLife),
		Reason: fmt.Sprintf("%s purchase %.150s", e.Do, nameOf(e.ID)),
	}, nil
}

// news is what the server of a player answers: how the record stands now.
type news struct {
	State    State `json:"state"`
	Granted  *act  `json:"granted,omitempty"`
	Refunded *act  `json:"refunded,omitempty"`
	Released *act  `json:"released,omitempty"`
}

func (r *record) news() (json.RawMessage, error) {
	return json.Marshal(news{r.State, r.Granted, r.Refunded, r.Released})
}

// hear returns the record as the news tell it.
func (r *record) hear(text json.RawMessage) (*record, error) {
	var n news
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("%w: the answer of the player's server: %w", driver.ErrCorrupt, err)
	}
	next := *r
	next.State, next.Granted, next.Refunded, next.Released = n.State, n.Granted, n.Refunded, n.Released
	if err := next.check(); err != nil {
		return nil, fmt.Errorf("the answer of the player's server: %w", err)
	}
	return &next, nil
}
