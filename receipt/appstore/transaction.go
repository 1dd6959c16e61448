package appstore

import (
	stdjson "encoding/json"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast-games/holdfast/receipt"
)

// transaction is what is read of a JWSTransactionDecodedPayload. Times are in
// milliseconds since 1970.
type transaction struct {
	TransactionID   string      `json:"transactionId"`
	ProductID       string      `json:"productId"`
	BundleID        string      `json:"bundleId"`
	Environment     Environment `json:"environment"`
	AppAccountToken string      `json:"appAccountToken"`
	Quantity        int64       `json:"quantity"`
	PurchaseDate    int64       `json:"purchaseDate"`
	kept
}

// kept is the rest that a record keeps, in Apple's names and values. It holds
// nothing that differs from one signing of the same state to the next.
type kept struct {
	OriginalTransactionID jsontext.Value `json:"originalTransactionId,omitzero"`
	Type                  jsontext.Value `json:"type,omitzero"`
	InAppOwnershipType    jsontext.Value `json:"inAppOwnershipType,omitzero"`
	TransactionReason     jsontext.Value `json:"transactionReason,omitzero"`
	ExpiresDate           jsontext.Value `json:"expiresDate,omitzero"`
	Price                 jsontext.Value `json:"price,omitzero"`
	Currency              jsontext.Value `json:"currency,omitzero"`
	Storefront            jsontext.Value `json:"storefront,omitzero"`
	OfferIdentifier       jsontext.Value `json:"offerIdentifier,omitzero"`
	RevocationDate        jsontext.Value `json:"revocationDate,omitzero"`
	RevocationReason      jsontext.Value `json:"revocationReason,omitzero"`
	RevocationType        jsontext.Value `json:"revocationType,omitzero"`
	RevocationPercentage  jsontext.Value `json:"revocationPercentage,omitzero"`
}

// openTransaction verifies a signed transaction and whom it is meant for.
func (v *Verifier) openTransaction(compact string) (*transaction, error) {
	text, err := v.open(compact)
	if err != nil {
		return nil, fmt.Errorf("open signed transaction: %w", err)
	}
	t := new(transaction)
	if err := json.Unmarshal(text, t); err != nil {
		return nil, fmt.Errorf("%w: signed transaction: %w", receipt.ErrMalformed, err)
	}
	if err := v.checkApp(t.BundleID, t.Environment); err != nil {
		return nil, fmt.Errorf("signed transaction: %w", err)
	}
	return t, nil
}

// revoked reports whether Apple took the purchase back.
func (t *transaction) revoked() bool {
	return len(t.RevocationDate) > 0 && t.RevocationDate.Kind() != 'n'
}

// details returns what the record keeps of the transaction, and of the
// notification that brought it, if one did.
func (t *transaction) details(n notification) (stdjson.RawMessage, error) {
	text, err := json.Marshal(struct {
		NotificationType string `json:"notificationType,omitzero"`
		Subtype          string `json:"subtype,omitzero"`
		kept
	}{n.Type, n.Subtype, t.kept})
	if err != nil {
		return nil, fmt.Errorf("%w: details of transaction: %w", receipt.ErrMalformed, err)
	}
	return text, nil
}
