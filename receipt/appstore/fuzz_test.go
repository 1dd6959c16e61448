package appstore_test

import (
	"encoding/json"
	"testing"

	"github.com/holdfast-games/holdfast/receipt/appstore"
)

// The ways in which FuzzVerify hands in what it made up. What is not signed is
// refused early, so most of them sign it.
const (
	asBody = iota
	asTransaction
	asNotification
	asHeader
	asRefunded
	ways
)

func FuzzVerify(f *testing.F) {
	s := newStore(nil)
	v := s.verifier(appstore.Options{})
	header, transaction := must(json.Marshal(s.header())), must(json.Marshal(bought(nil)))
	signed := s.sign(bought(nil))
	for way, text := range [ways][]byte{
		asBody:         s.request(notified("DID_RENEW", signed, nil)),
		asTransaction:  transaction,
		asNotification: must(json.Marshal(notified("REFUND", signed, nil))),
		asHeader:       header,
		asRefunded:     must(json.Marshal(bought(object{"revocationDate": 1}))),
	} {
		f.Add(text, byte(way))
	}
	f.Add([]byte(signed), byte(asBody))
	f.Add([]byte(`{"signedPayload":"a.b.c"}`), byte(asBody))
	f.Fuzz(func(t *testing.T, text []byte, way byte) {
		body := string(text)
		switch way % ways {
		case asTransaction:
			body = s.signText(header, text)
		case asNotification:
			body = string(must(json.Marshal(object{"signedPayload": s.signText(header, text)})))
		case asHeader:
			body = s.signText(text, transaction)
		case asRefunded:
			body = string(s.request(notified("REFUND", s.signText(header, text), nil)))
		}
		events, err := verify(v, body)
		if err != nil && events != nil {
			t.Errorf("Verify() = %+v, %v, want events or an error", events, err)
		}
		for _, e := range events {
			if err := e.Check(); err != nil {
				t.Errorf("Check() of an event that Verify returned = %v: %+v", err, e)
			}
		}
	})
}
