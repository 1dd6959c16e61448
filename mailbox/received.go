package mailbox

import (
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/profile"
)

// Received is the field in which a profile keeps which grants it has got. The schema of
// the profiles must have it. A game has no reason to read or write it. It has one number
// for each grant, under an id that no other grant has: the Unix second after which the
// number is of no use any more, as the grant is over.
var Received = profile.Map[int64]("mailbox.received", profile.Private())

// noteStays is how much longer than the grant itself the note of it is kept: a clock
// that is set back by less does no harm.
const noteStays = time.Hour

// offers returns the grants that a profile is to get now. It is the mailbox's
// profile.Source.
func (b *Mailbox) offers(p *profile.Profile) []profile.Offer {
	due := b.due()
	if len(due) == 0 || p.Session() == nil {
		return nil
	}
	var offers []profile.Offer
	p.View(func(r profile.Reader) {
		for _, g := range due {
			if (g.Newcomers || !born(p).After(g.birth.Time())) && !Received.Has(r, g.birth.String()) {
				offers = append(offers, b.offer(g))
			}
		}
	})
	return offers
}

// born is when a profile began, by the clock of the server that began it.
func born(p *profile.Profile) time.Time { return p.Session().Birth().Time() }

func (b *Mailbox) offer(g *grant) profile.Offer {
	return profile.Offer{
		Message: profile.Message{
			ID: offerID(g), Topic: g.Topic, Body: g.Body, Until: g.Until, Reason: g.Reason, From: g.By, Sent: g.Made,
		},
		Note: func(tx *profile.Tx) error { return b.note(tx, g) },
	}
}

// note notes that a profile has got a grant, and forgets those that are over.
func (b *Mailbox) note(tx *profile.Tx, g *grant) error {
	now := b.srv.Session().Now().Unix()
	var over []string
	for id, until := range Received.All(tx) {
		if until < now {
			over = append(over, id)
		}
	}
	for _, id := range over {
		if err := Received.Delete(tx, id); err != nil {
			return err
		}
	}
	return Received.Put(tx, g.birth.String(), g.Until.Add(noteStays).Unix())
}

// The id of a grant as a message, which is seen in dead letters: no message that was
// sent has such a one.
const offerPrefix = "~grant/"

func offerID(g *grant) string { return offerPrefix + g.birth.String() + "/" + g.ID }

// grantOf returns the id of the grant that a message is, or an empty text.
func grantOf(message string) string {
	rest, ok := strings.CutPrefix(message, offerPrefix)
	if !ok {
		return ""
	}
	_, id, _ := strings.Cut(rest, "/")
	return id
}
