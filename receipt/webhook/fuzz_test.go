package webhook_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/holdfast-games/holdfast/receipt"
)

func FuzzVerify(f *testing.F) {
	v := newVerifier(f, secret, oldSecret)
	p := proof(secret, completed)
	f.Add(p.Body, p.Header.Get("webhook-id"), p.Header.Get("webhook-timestamp"), p.Header.Get("webhook-signature"), true)
	f.Add([]byte(`{"type":"purchase.refunded","data":{"id":"a:b","product":"c","at":"0000-01-01T00:00:00Z"}}`), "i", "1772366400", "v1,AAAA", true)
	f.Add([]byte(completed), "i", "-1", "v1, v1,", false)
	f.Fuzz(func(t *testing.T, body []byte, id, timestamp, signature string, signed bool) {
		p := receipt.Proof{Body: body, Header: http.Header{
			"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature},
		}}
		// What is not signed is refused early.
		if signed {
			p = proof(oldSecret, string(body))
		}
		events, err := v.Verify(context.Background(), p)
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
