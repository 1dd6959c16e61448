// Package webhook verifies purchases that are told of by a signed request, in a
// form of Holdfast's own: for a shop on the web, or for anything that stands
// between a store and the game. It is signed as Standard Webhooks has it
// (https://www.standardwebhooks.com), for which there are libraries in most
// languages, with a secret that both sides share.
//
// # The request
//
// Its header has three fields, each exactly once and of at most 4 KiB:
//
//	webhook-id         names the message; the same when it is sent again
//	webhook-timestamp  when it was sent, in seconds since 1970; at most five
//	                   minutes from this machine's clock
//	webhook-signature  "v1," and the signature by HMAC-SHA256, in base64; or
//	                   several, with spaces between, one of which must hold
//
// Its body is JSON in UTF-8, in which no object has a name twice:
//
//	{
//	  "type": "purchase.completed",
//	  "data": {
//	    "id":       "webshop:10442",
//	    "product":  "gems.large",
//	    "player":   "7c1e",
//	    "payer":    "a generous aunt",
//	    "quantity": 2,
//	    "at":       "2026-03-01T12:00:00Z",
//	    "sandbox":  false,
//	    "details":  {"order": 10442}
//	  }
//	}
//
// The type purchase.completed tells of a purchase and purchase.refunded, with
// the same data, of its refund. Any other type gives no event. The members of
// data are those of receipt.Purchase and have its limits: id and product must
// be there, and the others may be missing or null. The id is taken as it is, so
// the sender writes it with the prefix that keeps it apart from the ids of other
// stores. Members that are not named here are ignored.
//
// A request may come twice, and be sent again by whoever saw it within the five
// minutes. That is harmless, since a purchase is granted once for its id; the
// webhook-id has no further use here.
package webhook
