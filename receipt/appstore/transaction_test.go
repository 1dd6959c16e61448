package appstore_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/appstore"
)

var _ receipt.Verifier = (*appstore.Verifier)(nil)

// boughtDetails is what is kept of bought.
const boughtDetails = `{"originalTransactionId":"2000000123456700","type":"Consumable","inAppOwnershipType":"PURCHASED",` +
	`"price":1990,"currency":"EUR","storefront":"DEU"}`

func verify(v *appstore.Verifier, body string) ([]receipt.Event, error) {
	return v.Verify(context.Background(), receipt.Proof{Body: []byte(body)})
}

// wantEvents fails unless the proof gives exactly these events.
func wantEvents(t *testing.T, v *appstore.Verifier, body string, want ...receipt.Event) {
	t.Helper()
	got, err := verify(v, body)
	if err != nil {
		t.Fatalf("Verify() = %v, want no error", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Verify(): want -, got +\n%s", diff)
	}
}

// wantError fails unless the proof is refused, with this error and reason.
func wantError(t *testing.T, v *appstore.Verifier, body string, want error, reason string) {
	t.Helper()
	got, err := verify(v, body)
	if !errors.Is(err, want) || !strings.Contains(err.Error(), reason) || got != nil {
		t.Errorf("Verify() = %+v, %v, want no events and %v with %q", got, err, want, reason)
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	s := newStore(nil)
	v := s.verifier(appstore.Options{Environments: []appstore.Environment{appstore.Production, appstore.Sandbox}})

	t.Run("IsAPurchase", func(t *testing.T) {
		wantEvents(t, v, s.sign(bought(nil)), purchase(boughtDetails))
	})
	t.Run("MayHaveSpaceAround", func(t *testing.T) {
		wantEvents(t, v, " \n"+s.sign(bought(nil))+"\r\n", purchase(boughtDetails))
	})
	t.Run("GivesTheSameAgain", func(t *testing.T) {
		text := s.sign(bought(nil))
		wantEvents(t, v, text, purchase(boughtDetails))
		wantEvents(t, v, text, purchase(boughtDetails))
	})
	t.Run("WithoutQuantityIsOne", func(t *testing.T) {
		want := purchase(boughtDetails)
		want.Quantity = 1
		wantEvents(t, v, s.sign(bought(object{"quantity": nil})), want)
	})
	t.Run("OfSandboxSaysSo", func(t *testing.T) {
		want := purchase(boughtDetails)
		want.Sandbox = true
		wantEvents(t, v, s.sign(bought(object{"environment": "Sandbox"})), want)
	})
	t.Run("RevokedIsARefund", func(t *testing.T) {
		want := purchase(strings.TrimSuffix(boughtDetails, "}") + `,"revocationDate":1709294400000,"revocationReason":1}`)
		want.Refund = true
		wantEvents(t, v, s.sign(bought(object{"revocationDate": 1709294400000, "revocationReason": 1})), want)
	})
	t.Run("WithNullRevocationIsAPurchase", func(t *testing.T) {
		text := must(json.Marshal(bought(nil)))
		text = append(text[:len(text)-1], `,"revocationDate":null}`...)
		want := purchase(strings.TrimSuffix(boughtDetails, "}") + `,"revocationDate":null}`)
		wantEvents(t, v, s.signText(must(json.Marshal(s.header())), text), want)
	})
	t.Run("WithUnknownMembersIsAPurchase", func(t *testing.T) {
		wantEvents(t, v, s.sign(bought(object{"isNew": object{"a": 1}, "exp": 1, "nbf": 1 << 40})), purchase(boughtDetails))
	})
	t.Run("OutlivesItsCertificates", func(t *testing.T) {
		late := s.verifier(appstore.Options{Now: func() time.Time { return signedAt.AddDate(10, 0, 0) }})
		wantEvents(t, late, s.sign(bought(nil)), purchase(boughtDetails))
	})
	t.Run("SignedByAClockSlightlyAheadIsAPurchase", func(t *testing.T) {
		behind := s.verifier(appstore.Options{Now: func() time.Time { return signedAt.Add(-5 * time.Minute) }})
		wantEvents(t, behind, s.sign(bought(nil)), purchase(boughtDetails))
	})
}

func TestTransactionIsRefusedForItsContent(t *testing.T) {
	t.Parallel()
	s := newStore(nil)
	v := s.verifier(appstore.Options{})
	for name, c := range map[string]struct {
		change object
		want   error
		reason string
	}{
		"OtherBundle":     {object{"bundleId": "com.example.other"}, receipt.ErrUnverified, `for bundle "com.example.other"`},
		"BundleInCase":    {object{"bundleId": "COM.example.game"}, receipt.ErrUnverified, `for bundle "COM.example.game"`},
		"NoBundle":        {object{"bundleId": nil}, receipt.ErrUnverified, `for bundle ""`},
		"Sandbox":         {object{"environment": "Sandbox"}, receipt.ErrUnverified, `environment "Sandbox" is not accepted`},
		"Xcode":           {object{"environment": "Xcode"}, receipt.ErrUnverified, `environment "Xcode" is not accepted`},
		"NoEnvironment":   {object{"environment": nil}, receipt.ErrUnverified, `environment "" is not accepted`},
		"Future":          {object{"signedDate": signedAt.Add(5*time.Minute + time.Millisecond).UnixMilli()}, receipt.ErrUnverified, "5m0.001s ahead"},
		"NoSignedDate":    {object{"signedDate": nil}, receipt.ErrMalformed, "signed date 0"},
		"ZeroTime":        {object{"signedDate": time.Time{}.UnixMilli()}, receipt.ErrMalformed, "signed date -62135596800000"},
		"DateAsText":      {object{"signedDate": "2026"}, receipt.ErrMalformed, "signedDate"},
		"NoTransactionID": {object{"transactionId": nil}, receipt.ErrMalformed, `transaction id ""`},
		"NumberAsID":      {object{"transactionId": 7}, receipt.ErrMalformed, "transactionId"},
		"LongID":          {object{"transactionId": strings.Repeat("1", 504)}, receipt.ErrMalformed, "purchase id of 513 bytes"},
		"NoProduct":       {object{"productId": nil}, receipt.ErrMalformed, "product of 0 bytes"},
		"LongToken":       {object{"appAccountToken": strings.Repeat("1", 201)}, receipt.ErrMalformed, "player of 201 bytes"},
		"NoPurchaseDate":  {object{"purchaseDate": nil}, receipt.ErrMalformed, "purchase date 0"},
		"FarPurchaseDate": {object{"purchaseDate": int64(1) << 60}, receipt.ErrMalformed, "time of purchase"},
		"NegativeNumber":  {object{"quantity": -1}, receipt.ErrMalformed, "quantity -1"},
		"LongDetails":     {object{"type": strings.Repeat("x", receipt.MaxDetails)}, receipt.ErrMalformed, "details of"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, v, s.sign(bought(c.change)), c.want, c.reason)
		})
	}
	for name, c := range map[string]struct{ text, reason string }{
		"DuplicateName": {`{"signedDate":1,"transactionId":"1","transactionId":"2"}`, "duplicate"},
		"DeepDuplicate": {`{"signedDate":1,"new":[{"a":1,"a":2}]}`, "duplicate"},
		"NotUTF8":       {"{\"signedDate\":1,\"productId\":\"\xff\"}", "UTF-8"},
		"Array":         {`[]`, "array"},
		"Null":          {`null`, "payload is null"},
		"Empty":         {``, "end of JSON"},
		"Cut":           {`{"signedDate":1`, "end of JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, v, s.signText(must(json.Marshal(s.header())), []byte(c.text)), receipt.ErrMalformed, c.reason)
		})
	}
}

func TestTransactionIsRefusedForItsForm(t *testing.T) {
	t.Parallel()
	s := newStore(nil)
	v := s.verifier(appstore.Options{})
	good := s.sign(bought(nil))
	parts := strings.Split(good, ".")
	other := strings.Split(s.sign(bought(object{"quantity": 999})), ".")
	for name, c := range map[string]struct {
		body   string
		want   error
		reason string
	}{
		"Nothing":          {"", receipt.ErrMalformed, "empty body"},
		"Space":            {" \n ", receipt.ErrMalformed, "number of segments"},
		"Word":             {"receipt", receipt.ErrMalformed, "number of segments"},
		"TooLarge":         {strings.Repeat("x", receipt.MaxProof+1), receipt.ErrTooLarge, "body of 262145 bytes"},
		"WithoutSignature": {parts[0] + "." + parts[1], receipt.ErrMalformed, "number of segments"},
		"EmptySignature":   {parts[0] + "." + parts[1] + ".", receipt.ErrUnverified, "signature is invalid"},
		"FourSegments":     {good + ".x", receipt.ErrMalformed, "number of segments"},
		"CutSignature":     {good[:len(good)-2], receipt.ErrUnverified, "signature is invalid"},
		"CutPayload":       {parts[0] + "." + parts[1][:20] + "." + parts[2], receipt.ErrMalformed, "end of JSON"},
		"CutHeader":        {parts[0][:20] + "." + parts[1] + "." + parts[2], receipt.ErrMalformed, "header"},
		"OthersSignature":  {parts[0] + "." + parts[1] + "." + other[2], receipt.ErrUnverified, "signature is invalid"},
		"OthersPayload":    {parts[0] + "." + other[1] + "." + parts[2], receipt.ErrUnverified, "signature is invalid"},
		"PaddedBase64":     {parts[0] + "." + parts[1] + "." + parts[2] + "==", receipt.ErrMalformed, "signature"},
		"NullByte":         {parts[0] + "." + parts[1] + "." + parts[2][:10] + "\x00" + parts[2][11:], receipt.ErrMalformed, "signature"},
		"InQuotes":         {`"` + good + `"`, receipt.ErrMalformed, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, v, c.body, c.want, c.reason)
		})
	}
	t.Run("EveryByteCounts", func(t *testing.T) {
		for i := 0; i < len(good); i += 13 {
			bad := []byte(good)
			if bad[i] == 'A' {
				bad[i] = 'B'
			} else {
				bad[i] = 'A'
			}
			if events, err := verify(v, string(bad)); err == nil {
				t.Errorf("Verify() with byte %d changed = %+v, want an error", i, events)
			}
		}
	})
}

func TestTransactionIsRefusedForItsHeader(t *testing.T) {
	t.Parallel()
	s, another := newStore(nil), newStore(nil)
	v := s.verifier(appstore.Options{})
	for name, c := range map[string]struct {
		change object
		want   error
		reason string
	}{
		"NoAlgorithm":       {object{"alg": nil}, receipt.ErrUnverified, "unspecified"},
		"None":              {object{"alg": "none"}, receipt.ErrUnverified, "signing method none is invalid"},
		"OtherAlgorithm":    {object{"alg": "ES384"}, receipt.ErrUnverified, "signing method ES384 is invalid"},
		"UnknownAlgorithm":  {object{"alg": "es256"}, receipt.ErrUnverified, "unavailable"},
		"NoCertificates":    {object{"x5c": nil}, receipt.ErrUnverified, "0 certificates in x5c, 3 expected"},
		"OneCertificate":    {object{"x5c": encode(s.leaf)}, receipt.ErrUnverified, "1 certificates in x5c"},
		"TwoCertificates":   {object{"x5c": encode(s.leaf, s.intermediate)}, receipt.ErrUnverified, "2 certificates in x5c"},
		"FourCertificates":  {object{"x5c": encode(s.leaf, s.intermediate, s.root, s.root)}, receipt.ErrUnverified, "4 certificates in x5c"},
		"OtherOrder":        {object{"x5c": encode(s.intermediate, s.leaf, s.root)}, receipt.ErrUnverified, "lacks extension"},
		"RootInTheMiddle":   {object{"x5c": encode(s.leaf, s.root, s.intermediate)}, receipt.ErrUnverified, "lacks extension"},
		"OthersLeaf":        {object{"x5c": encode(another.leaf, s.intermediate, s.root)}, receipt.ErrUnverified, "certificates: x509"},
		"OthersMiddle":      {object{"x5c": encode(s.leaf, another.intermediate, s.root)}, receipt.ErrUnverified, "certificates: x509"},
		"OthersRoot":        {object{"x5c": encode(s.leaf, s.intermediate, another.root)}, receipt.ErrUnverified, "in this order"},
		"OthersChain":       {object{"x5c": another.header()["x5c"]}, receipt.ErrUnverified, "certificates: x509"},
		"NotBase64":         {object{"x5c": []string{"!", "!", "!"}}, receipt.ErrMalformed, "certificate 1"},
		"NotACertificate":   {object{"x5c": []string{"AAAA", "AAAA", "AAAA"}}, receipt.ErrMalformed, "certificate 1"},
		"CertificateCut":    {object{"x5c": append(encode(s.leaf, s.intermediate), encode(s.root)[0][:400])}, receipt.ErrMalformed, "certificate 3"},
		"TextAsCertificate": {object{"x5c": "text"}, receipt.ErrMalformed, "header"},
		"ExtensionDemanded": {object{"crit": []string{"b64"}, "b64": false}, receipt.ErrUnverified, "demands extensions"},
	} {
		t.Run(name, func(t *testing.T) {
			header := must(json.Marshal(changed(s.header(), c.change)))
			wantError(t, v, s.signText(header, must(json.Marshal(bought(nil)))), c.want, c.reason)
		})
	}
	t.Run("DuplicateName", func(t *testing.T) {
		header := must(json.Marshal(s.header()))
		header = append(header[:len(header)-1], `,"x5c":[]}`...)
		wantError(t, v, s.signText(header, must(json.Marshal(bought(nil)))), receipt.ErrMalformed, "duplicate")
	})
	t.Run("NoneWithoutSignature", func(t *testing.T) {
		parts := strings.Split(s.sign(bought(nil)), ".")
		header := must(json.Marshal(changed(s.header(), object{"alg": "none"})))
		wantError(t, v, base64.RawURLEncoding.EncodeToString(header)+"."+parts[1]+".", receipt.ErrUnverified, "signing method none")
	})
	t.Run("SignedByItsPublicKeyAsASecret", func(t *testing.T) {
		for _, secret := range [][]byte{must(x509.MarshalPKIXPublicKey(&s.key.PublicKey)), s.leaf.Raw, nil} {
			header := must(json.Marshal(changed(s.header(), object{"alg": "HS256"})))
			text := base64.RawURLEncoding.EncodeToString(header) + "." + strings.Split(s.sign(bought(nil)), ".")[1]
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			wantError(t, v, text+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), receipt.ErrUnverified, "signing method HS256")
		}
	})
}

func TestTransactionIsRefusedForItsCertificates(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	for name, c := range map[string]struct {
		change func(*templates)
		reason string
	}{
		"LeafExpired":          {func(w *templates) { w.leaf.NotAfter = signedAt.Add(-hour) }, "expired"},
		"LeafNotYetValid":      {func(w *templates) { w.leaf.NotBefore = signedAt.Add(hour) }, "not yet valid"},
		"IntermediateExpired":  {func(w *templates) { w.intermediate.NotAfter = signedAt.Add(-hour) }, "expired"},
		"RootExpired":          {func(w *templates) { w.root.NotAfter = signedAt.Add(-hour) }, "expired"},
		"LeafUnmarked":         {func(w *templates) { w.leaf.ExtraExtensions = nil }, `"CN=leaf" lacks extension 1.2.840.113635.100.6.11.1`},
		"IntermediateUnmarked": {func(w *templates) { w.intermediate.ExtraExtensions = nil }, `"CN=intermediate" lacks extension 1.2.840.113635.100.6.2.1`},
		"MarksExchanged": {func(w *templates) {
			w.leaf.ExtraExtensions, w.intermediate.ExtraExtensions = w.intermediate.ExtraExtensions, w.leaf.ExtraExtensions
		}, `"CN=leaf" lacks extension`},
		"IntermediateNoAuthority": {func(w *templates) { w.intermediate.IsCA = false }, "parent certificate cannot sign"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(c.change)
			wantError(t, s.verifier(appstore.Options{}), s.sign(bought(nil)), receipt.ErrUnverified, c.reason)
		})
	}
	t.Run("OtherRootTrusted", func(t *testing.T) {
		v := newStore(nil).verifier(appstore.Options{})
		wantError(t, v, newStore(nil).sign(bought(nil)), receipt.ErrUnverified, "certificates: x509")
	})
	t.Run("OtherCurve", func(t *testing.T) {
		s := newStore(func(w *templates) { w.curve = elliptic.P384() })
		header := must(json.Marshal(s.header()))
		text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(must(json.Marshal(bought(nil))))
		signature := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{1}, 64))
		wantError(t, s.verifier(appstore.Options{}), text+"."+signature, receipt.ErrUnverified, "curve P-256")
	})
}

func TestPlayer(t *testing.T) {
	t.Parallel()
	s := newStore(nil)
	t.Run("IsWhomTheTokenStandsFor", func(t *testing.T) {
		v := s.verifier(appstore.Options{Player: func(token string) (string, error) { return "player of " + token, nil }})
		want := purchase(boughtDetails)
		want.Player = "player of " + token
		wantEvents(t, v, s.sign(bought(nil)), want)
	})
	t.Run("MayBeNobody", func(t *testing.T) {
		v := s.verifier(appstore.Options{Player: func(string) (string, error) { return "", nil }})
		want := purchase(boughtDetails)
		want.Player = ""
		wantEvents(t, v, s.sign(bought(nil)), want)
	})
	t.Run("IsNotAskedForWithoutAToken", func(t *testing.T) {
		v := s.verifier(appstore.Options{Player: func(string) (string, error) { return "", errors.New("asked") }})
		want := purchase(boughtDetails)
		want.Player = ""
		wantEvents(t, v, s.sign(bought(object{"appAccountToken": nil})), want)
	})
	t.Run("IsNotAskedForByAForgery", func(t *testing.T) {
		v := newStore(nil).verifier(appstore.Options{Player: func(string) (string, error) { return "", errors.New("asked") }})
		wantError(t, v, s.sign(bought(nil)), receipt.ErrUnverified, "certificates")
	})
	t.Run("UnknownFailsWithTheReason", func(t *testing.T) {
		unknown := errors.New("database is away")
		v := s.verifier(appstore.Options{Player: func(string) (string, error) { return "", unknown }})
		_, err := verify(v, s.sign(bought(nil)))
		if !errors.Is(err, unknown) || errors.Is(err, receipt.ErrUnverified) || errors.Is(err, receipt.ErrMalformed) {
			t.Errorf("Verify() = %v, want %v alone", err, unknown)
		}
	})
	t.Run("BeyondTheLimitFails", func(t *testing.T) {
		v := s.verifier(appstore.Options{Player: func(string) (string, error) { return "\x00", nil }})
		_, err := verify(v, s.sign(bought(nil)))
		if !errors.Is(err, driver.ErrInvalid) || errors.Is(err, receipt.ErrMalformed) {
			t.Errorf("Verify() = %v, want ErrInvalid, and not ErrMalformed: the proof is not at fault", err)
		}
	})
}
