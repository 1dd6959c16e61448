package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// shop stands for a store where products are bought for money. Like a real one it tells
// the game of a purchase by a signed request, tells it again until the game says that
// all is done, and tells it more often than needed.
type shop struct {
	secret string
	signer *standardwebhooks.Webhook
	logins *logins
	front  *front
}

func newShop(l *logins, f *front) (*shop, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	return &shop{secret: secret, signer: signer, logins: l, front: f}, nil
}

// order is what a page wants to buy. Its id is the page's, so that it can order again
// when it has not heard the answer, and pays once.
type order struct {
	login
	Product string `json:"product"`
	Order   string `json:"order"`
}

// bought is the answer to an order.
type bought struct {
	Purchase string `json:"purchase"`
	Told     int    `json:"told"` // how often the game was told of it, and said that all is done
}

const (
	tellTimes   = 2 // once is enough: the second shows that it does no harm
	tellWithin  = 30 * time.Second
	tellAgainIn = 500 * time.Millisecond
	maxOrder    = 40
)

// buy sells something, for no money at all.
func (s *shop) buy(w http.ResponseWriter, r *http.Request) {
	var o order
	if !readJSON(w, r, &o) {
		return
	}
	switch {
	case !s.logins.holds(o.login):
		http.Error(w, "This key is not that hero's.", http.StatusForbidden)
		return
	case !slices.ContainsFunc(products, func(p product) bool { return p.Name == o.Product }):
		http.Error(w, "The shop has no such product.", http.StatusBadRequest)
		return
	case o.Order == "" || len(o.Order) > maxOrder:
		http.Error(w, fmt.Sprintf("An order has an id of 1 to %d bytes.", maxOrder), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), tellWithin)
	defer cancel()
	b := bought{Purchase: "testshop:" + o.ID + ":" + o.Order}
	for b.Told < tellTimes {
		if err := s.tell(ctx, b.Told, b.Purchase, &o); err == nil {
			b.Told++
			continue
		}
		if wait(ctx, tellAgainIn); ctx.Err() != nil {
			http.Error(w, "It is paid, and the game will have it later.", http.StatusAccepted)
			return
		}
	}
	writeJSON(w, b)
}

// tell tells one of the game servers of a purchase, whichever has the hero.
func (s *shop) tell(ctx context.Context, nr int, purchase string, o *order) error {
	body, err := json.Marshal(map[string]any{
		"type": "purchase.completed",
		"data": map[string]any{"id": purchase, "product": o.Product, "player": o.ID, "sandbox": true},
	})
	if err != nil {
		return err
	}
	address, err := s.front.anyServer(nr)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/purchases", bytes.NewReader(body))
	if err != nil {
		return err
	}
	id, now := rand.Text(), time.Now()
	signature, err := s.signer.Sign(id, now, body)
	if err != nil {
		return err
	}
	q.Header.Set("webhook-id", id)
	q.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	q.Header.Set("webhook-signature", signature)
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the game says %s", answer.Status)
	}
	return nil
}
