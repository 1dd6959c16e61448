package appstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/receipt"
)

// chainLength is how many certificates Apple sends: leaf, intermediate, root.
const chainLength = 3

// The extensions by which Apple marks the certificates for signing receipts,
// and the intermediates that issue them. Without these, whatever else Apple
// certifies below the same root could sign purchases.
var (
	leafMark         = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 11, 1}
	intermediateMark = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 2, 1}
)

// Roots returns a pool of the root certificates in the given files, for New.
// Each is either one certificate in DER, as Apple publishes it, or one or more
// in PEM. The error matches driver.ErrInvalid: a file that is neither, or a
// certificate that may not issue others.
func Roots(files ...[]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for i, file := range files {
		certs, err := readRoots(file)
		if err != nil {
			return nil, fmt.Errorf("read root certificates: %w: file %d: %w", driver.ErrInvalid, i+1, err)
		}
		for _, c := range certs {
			pool.AddCert(c)
		}
	}
	return pool, nil
}

func readRoots(file []byte) ([]*x509.Certificate, error) {
	der := file
	if block, rest := pem.Decode(file); block != nil {
		der = nil
		for ; block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				return nil, fmt.Errorf("it has a PEM block of type %.60q", block.Type)
			}
			der = append(der, block.Bytes...)
		}
	}
	certs, err := x509.ParseCertificates(der)
	switch {
	case err != nil:
		return nil, err
	case len(certs) == 0:
		return nil, fmt.Errorf("it has no certificate")
	}
	for _, c := range certs {
		if !c.IsCA {
			return nil, fmt.Errorf("certificate %q is not an authority's", c.Subject)
		}
	}
	return certs, nil
}

// signer returns the key of the first certificate in x5c, if all three were
// valid at the given time and lead to a root that is trusted.
func (v *Verifier) signer(x5c []string, at time.Time) (*ecdsa.PublicKey, error) {
	chain, err := readChain(x5c)
	if err != nil {
		return nil, err
	}
	if err := v.checkChain(chain, at); err != nil {
		return nil, fmt.Errorf("%w: certificates: %w", receipt.ErrUnverified, err)
	}
	// ES256 is ECDSA on this curve; the signature's check does not look.
	key, ok := chain[0].PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: certificate %q has no key on the curve P-256", receipt.ErrUnverified, chain[0].Subject)
	}
	return key, nil
}

func readChain(x5c []string) ([]*x509.Certificate, error) {
	if len(x5c) != chainLength {
		return nil, fmt.Errorf("%w: %d certificates in x5c, %d expected", receipt.ErrUnverified, len(x5c), chainLength)
	}
	chain := make([]*x509.Certificate, 0, chainLength)
	for i, text := range x5c {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", receipt.ErrMalformed, i+1, err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", receipt.ErrMalformed, i+1, err)
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// checkChain returns an error unless the certificates lead from Apple's signer
// through Apple's intermediate to a root of the pool, in this order.
func (v *Verifier) checkChain(chain []*x509.Certificate, at time.Time) error {
	for i, mark := range []asn1.ObjectIdentifier{leafMark, intermediateMark} {
		if !marked(chain[i], mark) {
			return fmt.Errorf("certificate %q lacks extension %v", chain[i].Subject, mark)
		}
	}
	between := x509.NewCertPool()
	between.AddCert(chain[1])
	found, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         v.roots,
		Intermediates: between,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return err
	}
	same := func(c []*x509.Certificate) bool { return slices.EqualFunc(c, chain, (*x509.Certificate).Equal) }
	if !slices.ContainsFunc(found, same) {
		return fmt.Errorf("they are not signer, intermediate and trusted root, in this order")
	}
	return nil
}

func marked(c *x509.Certificate, mark asn1.ObjectIdentifier) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(mark) {
			return true
		}
	}
	return false
}
