package webhook

import (
	"cmp"
	stdjson "encoding/json"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/receipt"
)

// The types of message that concern purchases.
const (
	typeCompleted = "purchase.completed"
	typeRefunded  = "purchase.refunded"
)

// message is a request's body. What is in data depends on the type, so it is
// read after that.
type message struct {
	Type string         `json:"type"`
	Data jsontext.Value `json:"data"`
}

// purchase is data as it is sent.
type purchase struct {
	ID       string         `json:"id"`
	Product  string         `json:"product"`
	Player   string         `json:"player"`
	Payer    string         `json:"payer"`
	Quantity int64          `json:"quantity"`
	At       time.Time      `json:"at"`
	Sandbox  bool           `json:"sandbox"`
	Details  jsontext.Value `json:"details"`
}

// readBody returns the event of a body whose signature holds.
func readBody(body []byte) ([]receipt.Event, error) {
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("%w: body: %w", receipt.ErrMalformed, err)
	}
	switch m.Type {
	case "":
		return nil, fmt.Errorf("%w: body without a type", receipt.ErrMalformed)
	case typeCompleted, typeRefunded:
	default:
		return nil, nil
	}
	if m.Data.Kind() != '{' {
		return nil, fmt.Errorf("%w: %s without data", receipt.ErrMalformed, m.Type)
	}
	var sent purchase
	if err := json.Unmarshal(m.Data, &sent); err != nil {
		return nil, fmt.Errorf("%w: data: %w", receipt.ErrMalformed, err)
	}
	e := receipt.Event{Purchase: sent.purchase(), Refund: m.Type == typeRefunded}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("%w: data: %w", receipt.ErrMalformed, err)
	}
	return []receipt.Event{e}, nil
}

func (p *purchase) purchase() receipt.Purchase {
	if p.Details.Kind() == 'n' {
		p.Details = nil
	}
	return receipt.Purchase{
		ID:       p.ID,
		Product:  p.Product,
		Player:   p.Player,
		Payer:    p.Payer,
		Quantity: cmp.Or(p.Quantity, 1),
		At:       p.At.UTC(),
		Sandbox:  p.Sandbox,
		Details:  stdjson.RawMessage(p.Details),
	}
}
