package appstore_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/appstore"
)

// noted is what is kept of bought when a notification brought it.
func noted(kind string) string {
	return `{"notificationType":"` + kind + `",` + strings.TrimPrefix(boughtDetails, "{")
}

func TestNotification(t *testing.T) {
	t.Parallel()
	s := newStore(nil)
	v := s.verifier(appstore.Options{})
	transaction := s.sign(bought(nil))
	revoked := s.sign(bought(object{"revocationDate": 1709294400000}))

	for _, kind := range []string{"SUBSCRIBED", "DID_RENEW", "ONE_TIME_CHARGE", "OFFER_REDEEMED"} {
		t.Run(kind+"IsAPurchase", func(t *testing.T) {
			wantEvents(t, v, string(s.request(notified(kind, transaction, nil))), purchase(noted(kind)))
		})
	}
	for _, kind := range []string{"REFUND", "REVOKE"} {
		t.Run(kind+"IsARefund", func(t *testing.T) {
			want := purchase(noted(kind))
			want.Refund = true
			wantEvents(t, v, string(s.request(notified(kind, transaction, nil))), want)
		})
	}
	for _, kind := range []string{
		"DID_CHANGE_RENEWAL_PREF", "CONSUMPTION_REQUEST", "EXPIRED", "REFUND_DECLINED", "REFUND_REVERSED", "TEST", "INVENTED_TOMORROW",
	} {
		t.Run(kind+"IsNoEvent", func(t *testing.T) {
			wantEvents(t, v, string(s.request(notified(kind, transaction, nil))))
		})
	}
	t.Run("UpgradeIsAPurchase", func(t *testing.T) {
		n := notified("DID_CHANGE_RENEWAL_PREF", transaction, nil)
		n["subtype"] = "UPGRADE"
		want := purchase(strings.Replace(noted("DID_CHANGE_RENEWAL_PREF"), `,`, `,"subtype":"UPGRADE",`, 1))
		wantEvents(t, v, string(s.request(n)), want)
	})
	for _, kind := range []string{"EXPIRED", "DID_RENEW"} {
		t.Run(kind+"OfARevokedTransactionIsARefund", func(t *testing.T) {
			want := purchase(strings.TrimSuffix(noted(kind), "}") + `,"revocationDate":1709294400000}`)
			want.Refund = true
			wantEvents(t, v, string(s.request(notified(kind, revoked, nil))), want)
		})
	}
	t.Run("REFUND_REVERSEDOfARevokedTransactionIsNoEvent", func(t *testing.T) {
		wantEvents(t, v, string(s.request(notified("REFUND_REVERSED", revoked, nil))))
	})
	t.Run("TESTWithoutTransactionIsNoEvent", func(t *testing.T) {
		wantEvents(t, v, string(s.request(notified("TEST", "", nil))))
	})
	t.Run("WithoutDataIsNoEvent", func(t *testing.T) {
		n := notified("RENEWAL_EXTENSION", "", nil)
		delete(n, "data")
		n["summary"] = object{"bundleId": bundle}
		wantEvents(t, v, string(s.request(n)))
	})
	t.Run("MayHaveSpaceAndUnknownMembers", func(t *testing.T) {
		body := must(json.MarshalIndent(object{"new": 1, "signedPayload": s.sign(notified("DID_RENEW", transaction, nil))}, " ", " "))
		wantEvents(t, v, "\n "+string(body)+"\n", purchase(noted("DID_RENEW")))
	})
	t.Run("TransactionMayHaveOtherCertificatesBelowTheRoots", func(t *testing.T) {
		another := newStore(nil)
		both := must(appstore.New(must(appstore.Roots(s.root.Raw, another.root.Raw)), bundle, nil))
		wantEvents(t, both, string(another.request(notified("DID_RENEW", transaction, nil))), purchase(noted("DID_RENEW")))
	})
}

func TestNotificationIsRefused(t *testing.T) {
	t.Parallel()
	s, another := newStore(nil), newStore(nil)
	v := s.verifier(appstore.Options{AppID: 41234, Environments: []appstore.Environment{appstore.Production, appstore.Sandbox}})
	transaction := s.sign(bought(nil))
	unmarked := newStore(func(w *templates) { w.leaf.ExtraExtensions = nil })
	for name, c := range map[string]struct {
		payload object
		want    error
		reason  string
	}{
		"TransactionOfAnotherRoot":   {notified("DID_RENEW", another.sign(bought(nil)), nil), receipt.ErrUnverified, "open signed transaction"},
		"TransactionOfAnotherLeaf":   {notified("DID_RENEW", unmarked.sign(bought(nil)), nil), receipt.ErrUnverified, "lacks extension"},
		"TransactionOfAnotherBundle": {notified("DID_RENEW", s.sign(bought(object{"bundleId": "x"})), nil), receipt.ErrUnverified, `signed transaction: proof does not verify: it is for bundle "x"`},
		"TransactionOfSandbox":       {notified("DID_RENEW", s.sign(bought(object{"environment": "Sandbox"})), nil), receipt.ErrUnverified, `"Production" with a transaction of "Sandbox"`},
		"TransactionOfXcode":         {notified("TEST", s.sign(bought(object{"environment": "Xcode"})), nil), receipt.ErrUnverified, `environment "Xcode"`},
		"TransactionCut":             {notified("DID_RENEW", transaction[:100], nil), receipt.ErrMalformed, "number of segments"},
		"TransactionWithoutID":       {notified("REFUND", s.sign(bought(object{"transactionId": nil})), nil), receipt.ErrMalformed, "transaction id"},
		"OtherBundle":                {notified("DID_RENEW", transaction, object{"bundleId": "x"}), receipt.ErrUnverified, `notification "DID_RENEW": proof does not verify: it is for bundle "x"`},
		"OtherApp":                   {notified("DID_RENEW", transaction, object{"appAppleId": 7}), receipt.ErrUnverified, "for app 7, not for 41234"},
		"NoApp":                      {notified("DID_RENEW", transaction, object{"appAppleId": nil}), receipt.ErrUnverified, "for app 0"},
		"OtherEnvironment":           {notified("DID_RENEW", transaction, object{"environment": "Xcode"}), receipt.ErrUnverified, `environment "Xcode"`},
		"PurchaseWithoutTransaction": {notified("ONE_TIME_CHARGE", "", nil), receipt.ErrMalformed, `"ONE_TIME_CHARGE" without a transaction`},
		"RefundWithoutData":          {changed(notified("REFUND", "", nil), object{"data": nil}), receipt.ErrMalformed, `"REFUND" without a transaction`},
		"NoType":                     {notified("", transaction, nil), receipt.ErrMalformed, "without a notification type"},
		"TransactionAsPayload":       {bought(nil), receipt.ErrMalformed, "without a notification type"},
		"DataAsText":                 {changed(notified("DID_RENEW", "", nil), object{"data": "text"}), receipt.ErrMalformed, "data"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, v, string(s.request(c.payload)), c.want, c.reason)
		})
	}
	t.Run("SignedByAnother", func(t *testing.T) {
		wantError(t, v, string(another.request(notified("DID_RENEW", transaction, nil))), receipt.ErrUnverified, "open signed payload")
	})
	t.Run("PayloadAsTransaction", func(t *testing.T) {
		wantError(t, v, s.sign(notified("DID_RENEW", transaction, nil)), receipt.ErrUnverified, `for bundle ""`)
	})
	good := string(s.request(notified("DID_RENEW", transaction, nil)))
	for name, c := range map[string]struct {
		body   string
		want   error
		reason string
	}{
		"Cut":          {good[:len(good)-1], receipt.ErrMalformed, "notification"},
		"Doubled":      {good + good, receipt.ErrMalformed, "notification"},
		"NoPayload":    {`{}`, receipt.ErrMalformed, "number of segments"},
		"PayloadTwice": {strings.TrimSuffix(good, "}") + `,"signedPayload":""}`, receipt.ErrMalformed, "duplicate"},
		"NotUTF8":      {"{\"signedPayload\":\"\xff\"}", receipt.ErrMalformed, "UTF-8"},
		"TooLarge":     {good + strings.Repeat(" ", receipt.MaxProof), receipt.ErrTooLarge, "at most 262144"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, v, c.body, c.want, c.reason)
		})
	}
}

func TestAppIDIsNotLookedAt(t *testing.T) {
	t.Parallel()
	s := newStore(nil)
	t.Run("Unasked", func(t *testing.T) {
		body := s.request(notified("DID_RENEW", s.sign(bought(nil)), object{"appAppleId": 7}))
		wantEvents(t, s.verifier(appstore.Options{}), string(body), purchase(noted("DID_RENEW")))
	})
	t.Run("InSandbox", func(t *testing.T) {
		v := s.verifier(appstore.Options{AppID: 41234, Environments: []appstore.Environment{appstore.Sandbox}})
		transaction := s.sign(bought(object{"environment": "Sandbox"}))
		body := s.request(notified("DID_RENEW", transaction, object{"environment": "Sandbox", "appAppleId": nil}))
		want := purchase(noted("DID_RENEW"))
		want.Sandbox = true
		wantEvents(t, v, string(body), want)
	})
}
