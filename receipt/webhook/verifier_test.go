package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/webhook"
)

var _ receipt.Verifier = (*webhook.Verifier)(nil)

// sentAt is when everything is sent here, and what the verifiers' clock shows.
var sentAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// secretOf returns a secret of n bytes.
func secretOf(letter string, n int) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, n)))
}

var (
	secret    = secretOf("a", 24)
	oldSecret = secretOf("b", 64)
)

const completed = `{"type":"purchase.completed","data":{"id":"webshop:10442","product":"gems.large","player":"7c1e",` +
	`"payer":"a generous aunt","quantity":2,"at":"2026-03-01T13:00:00+01:00","sandbox":true,"details":{"order":10442}}}`

// purchase is the event of completed.
func purchase() receipt.Event {
	return receipt.Event{Purchase: receipt.Purchase{
		ID:       "webshop:10442",
		Product:  "gems.large",
		Player:   "7c1e",
		Payer:    "a generous aunt",
		Quantity: 2,
		At:       sentAt,
		Sandbox:  true,
		Details:  []byte(`{"order":10442}`),
	}}
}

// sign is the signature as the specification has it, made without the library
// that verifies it.
func sign(secret, id, timestamp, body string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// proof is a request with the body, signed and sent as it should be.
func proof(secret, body string) receipt.Proof {
	return proofAt(secret, body, strconv.FormatInt(sentAt.Unix(), 10))
}

func proofAt(secret, body, timestamp string) receipt.Proof {
	h := make(http.Header)
	h.Set("webhook-id", "msg_1")
	h.Set("webhook-timestamp", timestamp)
	h.Set("webhook-signature", sign(secret, "msg_1", timestamp, body))
	return receipt.Proof{Body: []byte(body), Header: h}
}

func newVerifier(t testing.TB, secrets ...string) *webhook.Verifier {
	t.Helper()
	v, err := webhook.New(secrets, &webhook.Options{Now: func() time.Time { return sentAt }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantEvents(t *testing.T, v *webhook.Verifier, p receipt.Proof, want ...receipt.Event) {
	t.Helper()
	got, err := v.Verify(context.Background(), p)
	if err != nil {
		t.Fatalf("Verify() = %v, want no error", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Verify(): want -, got +\n%s", diff)
	}
}

func wantError(t *testing.T, v *webhook.Verifier, p receipt.Proof, want error, reason string) {
	t.Helper()
	got, err := v.Verify(context.Background(), p)
	if !errors.Is(err, want) || !strings.Contains(err.Error(), reason) || got != nil {
		t.Errorf("Verify() = %+v, %v, want no events and %v with %q", got, err, want, reason)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, secret)
	t.Run("IsAPurchase", func(t *testing.T) {
		wantEvents(t, v, proof(secret, completed), purchase())
	})
	t.Run("GivesTheSameAgain", func(t *testing.T) {
		p := proof(secret, completed)
		body, header := bytes.Clone(p.Body), p.Header.Clone()
		wantEvents(t, v, p, purchase())
		wantEvents(t, v, p, purchase())
		if diff := cmp.Diff(receipt.Proof{Body: body, Header: header}, p); diff != "" {
			t.Errorf("Verify() changed the proof: was -, is +\n%s", diff)
		}
	})
	t.Run("KeepsNothingOfTheProof", func(t *testing.T) {
		p := proof(secret, completed)
		got, err := v.Verify(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		clear(p.Body)
		if diff := cmp.Diff([]receipt.Event{purchase()}, got); diff != "" {
			t.Errorf("events after the body was overwritten: want -, got +\n%s", diff)
		}
	})
	t.Run("RefundedIsARefund", func(t *testing.T) {
		want := purchase()
		want.Refund = true
		wantEvents(t, v, proof(secret, strings.Replace(completed, "completed", "refunded", 1)), want)
	})
	t.Run("OfAnotherTypeIsNoEvent", func(t *testing.T) {
		for _, body := range []string{
			`{"type":"player.banned"}`, `{"type":"purchase.disputed","data":{"id":""}}`, `{"type":"Purchase.Completed","data":[1]}`,
		} {
			wantEvents(t, v, proof(secret, body))
		}
	})
	t.Run("WithIDAndProductAloneIsAPurchase", func(t *testing.T) {
		want := receipt.Event{Purchase: receipt.Purchase{ID: "webshop:1", Product: "gem", Quantity: 1}}
		for _, rest := range []string{
			``, `,"player":null,"payer":null,"quantity":null,"at":null,"sandbox":null,"details":null`, `,"quantity":0,"new":{"a":1}`,
		} {
			wantEvents(t, v, proof(secret, ` {"new":1,"type":"purchase.completed","data":{"id":"webshop:1","product":"gem"`+rest+`}}`), want)
		}
	})
	t.Run("WithinToleranceIsAPurchase", func(t *testing.T) {
		for _, off := range []time.Duration{-webhook.Tolerance, webhook.Tolerance} {
			wantEvents(t, v, proofAt(secret, completed, strconv.FormatInt(sentAt.Add(off).Unix(), 10)), purchase())
		}
	})
	t.Run("WithSeveralSignaturesIsAPurchase", func(t *testing.T) {
		p := proof(secret, completed)
		good := p.Header.Get("webhook-signature")
		p.Header.Set("webhook-signature", "v1,AAAA v1a,"+good[3:]+" v1 "+good+" v2,BBBB")
		wantEvents(t, v, p, purchase())
	})
	t.Run("ByEitherSecretIsAPurchase", func(t *testing.T) {
		both := newVerifier(t, secret, oldSecret)
		wantEvents(t, both, proof(secret, completed), purchase())
		wantEvents(t, both, proof(oldSecret, completed), purchase())
	})
	t.Run("ByASecretWithoutPrefixIsAPurchase", func(t *testing.T) {
		wantEvents(t, newVerifier(t, strings.TrimPrefix(secret, "whsec_")), proof(secret, completed), purchase())
	})
}

func TestRequestIsRefusedForItsHeader(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, secret)
	for name, c := range map[string]struct {
		change func(h http.Header)
		want   error
		reason string
	}{
		"NoID":           {func(h http.Header) { h.Del("webhook-id") }, receipt.ErrUnverified, "0 fields webhook-id"},
		"NoTimestamp":    {func(h http.Header) { h.Del("webhook-timestamp") }, receipt.ErrUnverified, "0 fields webhook-timestamp"},
		"NoSignature":    {func(h http.Header) { h.Del("webhook-signature") }, receipt.ErrUnverified, "0 fields webhook-signature"},
		"EmptyID":        {func(h http.Header) { h.Set("webhook-id", "") }, receipt.ErrUnverified, "missing required headers"},
		"EmptySignature": {func(h http.Header) { h.Set("webhook-signature", "") }, receipt.ErrUnverified, "missing required headers"},
		"IDTwice":        {func(h http.Header) { h.Add("webhook-id", "msg_1") }, receipt.ErrUnverified, "2 fields webhook-id"},
		"TimestampTwice": {func(h http.Header) { h.Add("webhook-timestamp", "1") }, receipt.ErrUnverified, "2 fields webhook-timestamp"},
		"SignatureTwice": {func(h http.Header) { h.Add("webhook-signature", "v1,AAAA") }, receipt.ErrUnverified, "2 fields webhook-signature"},
		"LongID":         {func(h http.Header) { h.Set("webhook-id", strings.Repeat("m", 4097)) }, receipt.ErrTooLarge, "webhook-id of 4097 bytes"},
		"LongSignature":  {func(h http.Header) { h.Set("webhook-signature", strings.Repeat("v1,A ", 1000)) }, receipt.ErrTooLarge, "webhook-signature of 5000 bytes"},
		"OtherID":        {func(h http.Header) { h.Set("webhook-id", "msg_2") }, receipt.ErrUnverified, "no matching signature"},
		"OtherTimestamp": {func(h http.Header) { h.Set("webhook-timestamp", fmt.Sprint(sentAt.Unix()+1)) }, receipt.ErrUnverified, "no matching signature"},
		"SignatureCut":   {func(h http.Header) { h.Set("webhook-signature", h.Get("webhook-signature")[:20]) }, receipt.ErrUnverified, "no matching signature"},
		"OtherVersion":   {func(h http.Header) { h.Set("webhook-signature", "v2"+h.Get("webhook-signature")[2:]) }, receipt.ErrUnverified, "no matching signature"},
		"WithoutVersion": {func(h http.Header) { h.Set("webhook-signature", h.Get("webhook-signature")[3:]) }, receipt.ErrUnverified, "no matching signature"},
		"VersionAlone":   {func(h http.Header) { h.Set("webhook-signature", "v1,") }, receipt.ErrUnverified, "no matching signature"},
		"OtherSecret": {func(h http.Header) {
			h.Set("webhook-signature", proof(oldSecret, completed).Header.Get("webhook-signature"))
		}, receipt.ErrUnverified, "no matching signature"},
		"TimestampAsDate": {func(h http.Header) { h.Set("webhook-timestamp", "2026-03-01") }, receipt.ErrUnverified, `timestamp "2026-03-01" is not a number`},
	} {
		t.Run(name, func(t *testing.T) {
			p := proof(secret, completed)
			c.change(p.Header)
			wantError(t, v, p, c.want, c.reason)
		})
	}
	for name, seconds := range map[string]int64{
		"TooOld":   sentAt.Add(-webhook.Tolerance).Unix() - 1,
		"TooNew":   sentAt.Add(webhook.Tolerance).Unix() + 1,
		"Zero":     0,
		"Earliest": -1 << 63,
		"Latest":   1<<63 - 1,
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, v, proofAt(secret, completed, fmt.Sprint(seconds)), receipt.ErrUnverified, "more than 5m0s from")
		})
	}
	t.Run("BeyondNumbers", func(t *testing.T) {
		wantError(t, v, proofAt(secret, completed, "9223372036854775808"), receipt.ErrUnverified, "is not a number")
	})
	t.Run("NoHeader", func(t *testing.T) {
		wantError(t, v, receipt.Proof{Body: []byte(completed)}, receipt.ErrUnverified, "0 fields webhook-id")
	})
	t.Run("RemovedSecret", func(t *testing.T) {
		wantError(t, v, proof(oldSecret, completed), receipt.ErrUnverified, "no matching signature")
	})
}

func TestRequestIsRefusedForItsBody(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, secret)
	replaced := func(old, by string) string { return strings.Replace(completed, old, by, 1) }
	for name, c := range map[string]struct {
		body   string
		want   error
		reason string
	}{
		"Empty":              {"", receipt.ErrMalformed, "empty body"},
		"TooLarge":           {completed + strings.Repeat(" ", receipt.MaxProof), receipt.ErrTooLarge, "at most 262144"},
		"Cut":                {completed[:len(completed)-1], receipt.ErrMalformed, "body: "},
		"Doubled":            {completed + completed, receipt.ErrMalformed, "body: "},
		"Array":              {`[` + completed + `]`, receipt.ErrMalformed, "body: "},
		"NoType":             {`{"data":{}}`, receipt.ErrMalformed, "without a type"},
		"TypeInOtherCase":    {replaced(`"type"`, `"Type"`), receipt.ErrMalformed, "without a type"},
		"TypeTwice":          {replaced(`{`, `{"type":"player.banned",`), receipt.ErrMalformed, "duplicate"},
		"NoData":             {`{"type":"purchase.refunded"}`, receipt.ErrMalformed, "purchase.refunded without data"},
		"NullData":           {`{"type":"purchase.completed","data":null}`, receipt.ErrMalformed, "without data"},
		"DataAsText":         {`{"type":"purchase.completed","data":"{}"}`, receipt.ErrMalformed, "without data"},
		"EmptyData":          {`{"type":"purchase.completed","data":{}}`, receipt.ErrMalformed, "purchase id of 0 bytes"},
		"IDTwice":            {replaced(`"id":`, `"id":"webshop:1","id":`), receipt.ErrMalformed, "duplicate"},
		"DetailTwice":        {replaced(`"order":`, `"order":1,"order":`), receipt.ErrMalformed, "duplicate"},
		"UnknownTwice":       {replaced(`"id":`, `"new":{"a":1,"a":2},"id":`), receipt.ErrMalformed, "duplicate"},
		"NotUTF8":            {replaced("aunt", "\xff"), receipt.ErrMalformed, "UTF-8"},
		"NumberAsID":         {replaced(`"webshop:10442"`, `10442`), receipt.ErrMalformed, "id"},
		"NoProduct":          {replaced(`"product"`, `"prod"`), receipt.ErrMalformed, "product of 0 bytes"},
		"LongPlayer":         {replaced("7c1e", strings.Repeat("7", 201)), receipt.ErrMalformed, "player of 201 bytes"},
		"NULInPayer":         {replaced("aunt", `\u0000`), receipt.ErrMalformed, "NUL"},
		"HalfAPurchase":      {replaced(`"quantity":2`, `"quantity":0.5`), receipt.ErrMalformed, "quantity"},
		"TextAsQuantity":     {replaced(`"quantity":2`, `"quantity":"2"`), receipt.ErrMalformed, "quantity"},
		"NegativeQuantity":   {replaced(`"quantity":2`, `"quantity":-2`), receipt.ErrMalformed, "quantity -2"},
		"BeyondAllQuantity":  {replaced(`"quantity":2`, `"quantity":1e30`), receipt.ErrMalformed, "quantity"},
		"TimeWithoutZone":    {replaced("+01:00", ""), receipt.ErrMalformed, "at"},
		"TimeBeforeYearZero": {replaced("2026-03-01T13:00:00+01:00", "0000-01-01T00:00:00+01:00"), receipt.ErrMalformed, "time of purchase"},
		"DetailsAsText":      {replaced(`{"order":10442}`, `"order"`), receipt.ErrMalformed, "not a JSON object"},
		"LongDetails":        {replaced(`10442}`, `"`+strings.Repeat("x", receipt.MaxDetails)+`"}`), receipt.ErrMalformed, "details of"},
		"DeepDetails":        {replaced(`10442}`, strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`), receipt.ErrMalformed, "41 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, v, proof(secret, c.body), c.want, c.reason)
		})
	}
	t.Run("ChangedAfterSigning", func(t *testing.T) {
		p := proof(secret, completed)
		p.Body = []byte(replaced("10442", "10443"))
		wantError(t, v, p, receipt.ErrUnverified, "no matching signature")
	})
	t.Run("SpaceAfterSigning", func(t *testing.T) {
		p := proof(secret, completed)
		p.Body = append(p.Body, '\n')
		wantError(t, v, p, receipt.ErrUnverified, "no matching signature")
	})
	t.Run("UnsignedBeforeItIsRead", func(t *testing.T) {
		p := proof(secret, completed)
		p.Body = []byte(`{`)
		wantError(t, v, p, receipt.ErrUnverified, "no matching signature")
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secrets []string
		reason  string
	}{
		"None":      {nil, "no secret"},
		"Empty":     {[]string{""}, "secret 1: 0 bytes, 24 to 64 allowed"},
		"Prefix":    {[]string{"whsec_"}, "secret 1: 0 bytes"},
		"Short":     {[]string{secret, secretOf("hush", 5)}, "secret 2: 20 bytes"},
		"Long":      {[]string{secretOf("a", 65)}, "secret 1: 65 bytes"},
		"NotBase64": {[]string{"whsec_hush-hush-hush-hush-hush-hush"}, "secret 1: it is not base64"},
		"PublicKey": {[]string{"whpk_" + secret[6:]}, "secret 1: it is not base64"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := webhook.New(c.secrets, nil)
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), c.reason) || v != nil {
				t.Fatalf("New() = %v, %v, want ErrInvalid with %q", v, err, c.reason)
			}
			for _, s := range c.secrets {
				if s := strings.TrimPrefix(s, "whsec_"); s != "" && strings.Contains(err.Error(), s) {
					t.Errorf("New() = %v, which shows the secret", err)
				}
			}
		})
	}
}
