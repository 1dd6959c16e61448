package appstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/appstore"
)

// signedAt is when everything is signed here, and when the verifiers believe it
// to be.
var signedAt = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	bundle = "com.example.game"
	token  = "7e3fb20b-4cdb-47cc-936d-99d65f608138"
)

var (
	leafMark         = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 11, 1}
	intermediateMark = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 2, 1}
)

// object is a JSON object.
type object = map[string]any

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// templates are what a store's certificates are made from.
type templates struct {
	root, intermediate, leaf x509.Certificate
	curve                    elliptic.Curve // of the leaf's key
}

// store signs as the App Store does, below a root of its own.
type store struct {
	root, intermediate, leaf *x509.Certificate
	key                      *ecdsa.PrivateKey
}

func template(serial int64, name string, ca bool, mark asn1.ObjectIdentifier) x509.Certificate {
	c := x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             signedAt.AddDate(-1, 0, 0),
		NotAfter:              signedAt.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  ca,
	}
	if ca {
		c.KeyUsage = x509.KeyUsageCertSign
	}
	if mark != nil {
		c.ExtraExtensions = []pkix.Extension{{Id: mark, Value: asn1.NullBytes}}
	}
	return c
}

// newStore makes a store whose certificates are as they should be but for what
// change does to them, if it is not nil.
func newStore(change func(*templates)) *store {
	with := templates{
		root:         template(1, "root", true, nil),
		intermediate: template(2, "intermediate", true, intermediateMark),
		leaf:         template(3, "leaf", false, leafMark),
		curve:        elliptic.P256(),
	}
	if change != nil {
		change(&with)
	}
	rootKey := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	intermediateKey := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	s := &store{key: must(ecdsa.GenerateKey(with.curve, rand.Reader))}
	s.root = certify(&with.root, &with.root, &rootKey.PublicKey, rootKey)
	s.intermediate = certify(&with.intermediate, s.root, &intermediateKey.PublicKey, rootKey)
	s.leaf = certify(&with.leaf, s.intermediate, &s.key.PublicKey, intermediateKey)
	return s
}

func certify(c, issuer *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, c, issuer, key, by))))
}

func encode(certs ...*x509.Certificate) []string {
	var x5c []string
	for _, c := range certs {
		x5c = append(x5c, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return x5c
}

func (s *store) header() object {
	return object{"alg": "ES256", "x5c": encode(s.leaf, s.intermediate, s.root)}
}

// sign returns the payload signed in compact form.
func (s *store) sign(payload object) string {
	return s.signText(must(json.Marshal(s.header())), must(json.Marshal(payload)))
}

func (s *store) signText(header, payload []byte) string {
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature := must(jwt.SigningMethodES256.Sign(text, s.key))
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// bought returns the payload of a transaction, with the given members in place
// of its own; nil removes one.
func bought(change object) object {
	return changed(object{
		"transactionId":         "2000000123456789",
		"originalTransactionId": "2000000123456700",
		"bundleId":              bundle,
		"productId":             "gems.large",
		"purchaseDate":          signedAt.Add(-time.Hour).UnixMilli(),
		"quantity":              3,
		"type":                  "Consumable",
		"appAccountToken":       token,
		"inAppOwnershipType":    "PURCHASED",
		"signedDate":            signedAt.UnixMilli(),
		"environment":           "Production",
		"price":                 1990,
		"currency":              "EUR",
		"storefront":            "DEU",
	}, change)
}

// notified returns the payload of a notification with a transaction, which may
// be empty.
func notified(kind, transaction string, change object) object {
	data := changed(object{
		"appAppleId":            41234,
		"bundleId":              bundle,
		"environment":           "Production",
		"signedTransactionInfo": transaction,
	}, change)
	return object{
		"notificationType": kind,
		"notificationUUID": "002e14d5-51f5-4503-b5a8-c3a1af68eb20",
		"version":          "2.0",
		"signedDate":       signedAt.UnixMilli(),
		"data":             data,
	}
}

func changed(o, change object) object {
	for name, value := range change {
		if o[name] = value; value == nil {
			delete(o, name)
		}
	}
	return o
}

// request is the body by which a notification comes.
func (s *store) request(payload object) []byte {
	return must(json.Marshal(object{"signedPayload": s.sign(payload)}))
}

// verifier returns a verifier that believes the store. What o leaves out of the
// clock is filled in.
func (s *store) verifier(o appstore.Options) *appstore.Verifier {
	if o.Now == nil {
		o.Now = func() time.Time { return signedAt }
	}
	return must(appstore.New(must(appstore.Roots(s.root.Raw)), bundle, &o))
}

// purchase is the event of bought.
func purchase(details string) receipt.Event {
	return receipt.Event{Purchase: receipt.Purchase{
		ID:       "appstore:2000000123456789",
		Product:  "gems.large",
		Player:   token,
		Quantity: 3,
		At:       signedAt.Add(-time.Hour),
		Details:  []byte(details),
	}}
}
