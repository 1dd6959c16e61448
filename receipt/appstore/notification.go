package appstore

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/holdfast-games/holdfast/receipt"
)

// notification is what is read of a responseBodyV2DecodedPayload.
type notification struct {
	Type    string            `json:"notificationType"`
	Subtype string            `json:"subtype"`
	Data    *notificationData `json:"data"`
}

type notificationData struct {
	AppAppleID            int64       `json:"appAppleId"`
	BundleID              string      `json:"bundleId"`
	Environment           Environment `json:"environment"`
	SignedTransactionInfo string      `json:"signedTransactionInfo"`
}

// purchases reports whether the notification announces its transaction.
func (n *notification) purchases() bool {
	switch n.Type {
	case "SUBSCRIBED", "DID_RENEW", "ONE_TIME_CHARGE", "OFFER_REDEEMED":
		return true
	case "DID_CHANGE_RENEWAL_PREF":
		return n.Subtype == "UPGRADE"
	}
	return false
}

// refunds reports whether the notification takes its transaction back.
func (n *notification) refunds() bool {
	return n.Type == "REFUND" || n.Type == "REVOKE"
}

// readNotification returns the event of a notification, nil if it has none.
func (v *Verifier) readNotification(body []byte) (*receipt.Event, error) {
	n, err := v.openNotification(body)
	if err != nil {
		return nil, err
	}
	if n.Data == nil || n.Data.SignedTransactionInfo == "" {
		if n.purchases() || n.refunds() {
			return nil, fmt.Errorf("%w: notification %q without a transaction", receipt.ErrMalformed, n.Type)
		}
		return nil, nil
	}
	t, err := v.openTransaction(n.Data.SignedTransactionInfo)
	if err != nil {
		return nil, fmt.Errorf("notification %.60q: %w", n.Type, err)
	}
	if t.Environment != n.Data.Environment {
		return nil, fmt.Errorf("%w: notification of %q with a transaction of %q", receipt.ErrUnverified, n.Data.Environment, t.Environment)
	}
	switch refund := n.refunds() || t.revoked(); {
	case n.Type == "REFUND_REVERSED", !refund && !n.purchases():
		return nil, nil
	default:
		return v.event(t, *n, refund)
	}
}

// openNotification verifies a notification and whom it is meant for.
func (v *Verifier) openNotification(body []byte) (*notification, error) {
	var request struct {
		SignedPayload string `json:"signedPayload"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, fmt.Errorf("%w: notification: %w", receipt.ErrMalformed, err)
	}
	text, err := v.open(request.SignedPayload)
	if err != nil {
		return nil, fmt.Errorf("open signed payload: %w", err)
	}
	n := new(notification)
	if err := json.Unmarshal(text, n); err != nil {
		return nil, fmt.Errorf("%w: signed payload: %w", receipt.ErrMalformed, err)
	}
	if n.Type == "" {
		return nil, fmt.Errorf("%w: signed payload without a notification type", receipt.ErrMalformed)
	}
	return n, v.checkNotification(n)
}

// checkNotification refuses what is meant for another app. Without data there
// is no event, and so nothing to refuse.
func (v *Verifier) checkNotification(n *notification) error {
	if n.Data == nil {
		return nil
	}
	if err := v.checkApp(n.Data.BundleID, n.Data.Environment); err != nil {
		return fmt.Errorf("notification %.60q: %w", n.Type, err)
	}
	// The sandbox has no number to name.
	want := v.options.AppID
	if want != 0 && n.Data.Environment == Production && n.Data.AppAppleID != want {
		return fmt.Errorf("%w: notification %.60q is for app %d, not for %d", receipt.ErrUnverified, n.Type, n.Data.AppAppleID, want)
	}
	return nil
}
