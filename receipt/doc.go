// Package receipt grants purchases exactly once, and takes them back at most once.
//
// # Nouns
//
// A [Purchase] is something that was paid for. Its id is unique in the world, and
// the same whenever anybody tells of it. A [Product] is what is sold, with the
// function that gives it to a player and the one that takes it back. A [Book] grants
// the purchases of one profile.Server's players; each server of a game has one. A
// [Receipt] is the record of a purchase, which is kept for ever. A [Proof] is what a
// store sends or a client hands in, and a [Verifier] tells whether to believe it:
// packages receipt/appstore and receipt/webhook have two.
//
//	book, err := receipt.New(srv, []receipt.Product{{Name: "gems.large", Grant: giveGems, Refund: takeGems}}, nil)
//	http.Handle("/webhook", receipt.Handler(book, verifier)) // a store tells of it
//	_, err = book.Deliver(ctx, verifier, proof, playerID)    // a client hands it in
//
// Any server may be told of any purchase, as often as the store likes: the player
// may be on it, on another one, or offline.
//
// # The states of a purchase
//
//	absent ──▶ claimed ──▶ granted ──▶ refunded
//	   │          ├───────────────────────▲
//	   │          └──▶ released ──▶ (the next claim: absent ──▶ …)
//	   └──────────────────────────────────▶ refunded: nobody will ever have it
//	                                        spent: its player was erased
//
// They only go from left to right. Who may take which step:
//
//   - Anybody creates a claim, by one conditional commit: the record
//     ~receipt/<id>, which must be absent and names the player; an entry in the index
//     of his purchases, <kind>/<id>/~receipt/<id>; and a message to his server. So of
//     two players who present one receipt, one has it for ever; and from here on the
//     purchase is granted whoever crashes, as the message waits for the player.
//   - The owner of the player alone takes every further step: the server that has
//     him, or one that opens his profile for a moment. It does so in an update of the
//     profile, which carries the award, the record and the end of the message: in
//     the journal they are one, and in the database they come with one commit of
//     the player's root. So there is no moment at which a crash leaves an award
//     without its record, or a record without the award. If the product's function
//     returns an error, nothing of all that happens: the purchase stays claimed, and
//     the message waits.
//   - Anybody may create the record of a refund that comes before every claim.
//     Otherwise a refund is a further message to the owner. One that finds the purchase
//     not granted yet makes that for ever.
//   - An operator releases a claim by a message as well. Its record stays the
//     player's; the next claim of the purchase has one of its own,
//     ~receipt/<id>/2. So nothing that the first player's server still has to write
//     can ever touch what is another's.
//
// The owner must know what it has granted itself and not saved yet, as the database
// lags behind it by milliseconds: it asks its session first
// (session.Session.Attached), and reads the database only if nothing is on its way.
//
// # Not yet, and never
//
// [Book.Grant] returns without an error only when award and record are on disk.
// A [NotProcessedError] means not yet: the product is not known where the player is,
// its function says no, the profile is errored, nobody answers, the database is
// away. The store delivers again; and if the claim is on disk (Recorded), the
// player's next load grants it even if the store does not. Every other error is for
// ever. A purchase may name a save slot of the player's: it is granted, and taken
// back, while that slot is loaded, and otherwise it is not yet (profile.ErrOtherSlot).
// If the slot is gone for good the reason is profile.ErrUnknownSlot: the claim stays
// until it is refunded or released. [Handler] turns the two into the answers that a store understands.
//
// When a player is erased, his purchases keep their ids and lose everything else: they
// are spent. Whoever delivers one is told so for ever, also for a new profile under the
// same id.
//
// Records live beside the player's data and not in them: they outlive a restored
// version, whose loss of the award is not made good by delivering again. Nobody has
// to remember the last n ids, so a purchase that is delivered again after years is
// known.
//
// # What it costs
//
// A purchase is two commits and one append, each shared with those of others who
// buy at the same time: the claim; the append, after which Grant returns; and the save of
// the root with the record.
package receipt
