// Package appstore verifies what Apple's App Store signs: transactions, and
// the notifications that it sends to a game's server.
//
// A proof is one of two things, told apart by its first byte:
//
//   - a signed transaction (JWSTransaction), as StoreKit gives it to the game's
//     client in jwsRepresentation: a JSON Web Signature in its compact form;
//   - the body of a request by App Store Server Notifications, version 2:
//     {"signedPayload":"…"}, whose payload holds a signed transaction in turn.
//     Both signatures are verified, each by its own certificates.
//
// # What is verified
//
// The signature is ES256, and nothing else. Its header brings exactly three
// certificates: Apple's for signing receipts, the intermediate of Worldwide
// Developer Relations, and a root, which has to be one that the caller trusts.
// The first two bear the extensions by which Apple marks them, and all three
// were valid when the payload says that it was signed, which must not lie in
// the future. Then the payload must name the game's bundle and an environment
// that is allowed.
//
// Apple's servers are not asked, so a certificate that Apple has revoked is
// believed until it expires.
//
// Apple's root certificate is not part of this package: fetch "Apple Root CA -
// G3" from https://www.apple.com/certificateauthority/ and pass the file to
// Roots.
//
// # What becomes of it
//
// A transaction is a purchase with the id "appstore:<transactionId>". Each
// renewal of a subscription is a transaction of its own. A transaction with a
// revocationDate is a refund. A notification gives an event as follows; any
// other type gives none.
//
//	SUBSCRIBED, DID_RENEW, ONE_TIME_CHARGE, OFFER_REDEEMED,
//	DID_CHANGE_RENEWAL_PREF with subtype UPGRADE       a purchase
//	REFUND, REVOKE, or any with a revocationDate       a refund
//	REFUND_REVERSED                                    none
//
// Types that merely mention an old purchase (CONSUMPTION_REQUEST, EXPIRED) are
// not taken for its announcement: a game that began to keep records after that
// purchase would hand it out anew. A refund is final, so that events may arrive
// in any order: REFUND_REVERSED gives no event, and what it should give back is
// for an operator to grant.
package appstore
