// Package mailbox gives players what others send them: gifts, rewards, news and
// compensations, each exactly once, wherever the player is.
//
// # Nouns
//
// A [Topic] is one sort of mail, with the type of its body and one handler: a typed
// handle, made once, usually in a package variable. A [Mailbox] is what a game server
// sends and handles mail with. A [Mail] is one piece of it in the hands of the handler.
// A [Grant] is mail for everybody, written down once.
//
//	type Present struct{ Coins int64 }
//
//	var Gift = mailbox.Topic[Present]("gift")
//
//	box, err := mailbox.Open(ctx, players, nil)
//	err = Gift.Handle(box, func(tx *profile.Tx, m *mailbox.Mail[Present]) error {
//		return Coins.Add(tx, m.Body.Coins)
//	})
//
// # Sending
//
// [Topic.Send] returns when the mail is in the database. From then on it is handled
// once, by whichever server has the player: at once if he is online anywhere, else
// when he is loaded next. What the handler changes and the note that it was handled
// are on disk together or not at all, so no crash, repetition or hand-over handles it
// twice or loses it. An id that the sender chooses makes sending repeatable: until the
// mail's time is over, mail of the same id to the same player is the same mail.
//
// [Topic.Give] sends something that a player has given away: what it takes from him
// and the mail go together, so nothing is doubled and nothing gets lost on the way.
// Whether the receiver is there and has room is checked before.
//
// A mailbox is bounded ([Options.Most]): a sender gets profile.ErrFull, and nothing is
// dropped silently. Mail that nobody has handled when its time is over ends.
//
// # What a handler answers
//
// nil: it is done. profile.ErrLater, or an error that wraps it: not now, say because
// the bag is full; the mail stays and is offered with the next load, the next mail, or
// [profile.Profile.HandleMessages]. Any other error, a panic, a body that does not fit
// the type, or a write that a field refuses: nothing of what the handler did remains,
// and the mail becomes a dead letter, which people look at ([Mailbox.Dead],
// [Mailbox.AllDead]) and send again when the fault is mended ([Mailbox.Resend],
// [Mailbox.ResendAll]) or discard for a reason ([Mailbox.Discard]). Mail of a topic that
// no handler takes stays where it is.
//
// # Grants
//
// [Topic.Grant] gives something to every player once: a compensation, the reset of a
// season. One entry is written, however many players there are, and none of them is
// touched: each gets it with his next load, and those who are loaded get it at once.
// The handler is that of the topic. That a player has got a grant is noted in the field
// [Received] of his own profile, in the same update; so the schema of the profiles must
// have that field. The note is in memory with the profile, so a load costs nothing as
// long as no grant is new to the player. A player whose data are restored to a version
// from before the grant gets it again with the rest of that.
//
// Every server keeps the list of the grants in memory. It reads it when somebody tells
// over the bus that it has changed, and every [Options.Poll] in any case. A grant that
// is cancelled may still be given until then.
//
// # Clocks
//
// When mail and grants end is told by the database's clock. If that is set back by more
// than an hour, what had ended may be handled again if it is also sent again.
package mailbox
