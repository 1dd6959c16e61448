package webhook_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/webhook"
)

// A shop on the web tells the game of a purchase.
func Example() {
	const secret = "whsec_YSBzZWNyZXQgb2YgMjQgY2hhcmFjdGVy"
	v, err := webhook.New([]string{secret}, nil)
	if err != nil {
		log.Fatal(err)
	}
	game := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, receipt.MaxProof))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		events, err := v.Verify(r.Context(), receipt.Proof{Body: body, Header: r.Header})
		if errors.Is(err, receipt.ErrUnverified) {
			http.Error(w, "not signed by the shop", http.StatusUnauthorized)
			return
		}
		if err != nil {
			http.Error(w, "not a purchase", http.StatusBadRequest)
			return
		}
		for _, e := range events {
			fmt.Println(e.ID, e.Product, e.Quantity, e.Player, e.Refund)
		}
	})

	shop, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		log.Fatal(err)
	}
	send := func(signed, sent string) {
		r := httptest.NewRequest(http.MethodPost, "/purchases", strings.NewReader(sent))
		now := time.Now()
		signature, err := shop.Sign("msg_1", now, []byte(signed))
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("webhook-id", "msg_1")
		r.Header.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
		r.Header.Set("webhook-signature", signature)
		w := httptest.NewRecorder()
		game.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	order := `{"type":"purchase.completed","data":{"id":"webshop:10442","product":"gems","player":"7c1e","quantity":2}}`
	send(order, order)
	send(order, strings.Replace(order, `"quantity":2`, `"quantity":2000`, 1))
	// Output:
	// webshop:10442 gems 2 7c1e false
	// 200
	// 401
}
