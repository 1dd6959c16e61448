package appstore_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/receipt/appstore"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	roots := must(appstore.Roots(newStore(nil).root.Raw))
	for name, c := range map[string]struct {
		roots  *x509.CertPool
		bundle string
		o      *appstore.Options
		reason string
	}{
		"NoPool":          {nil, bundle, nil, "no root certificates"},
		"EmptyPool":       {x509.NewCertPool(), bundle, nil, "no root certificates"},
		"NoBundle":        {roots, "", nil, "bundle id of 0 bytes"},
		"LongBundle":      {roots, strings.Repeat("b", 156), nil, "bundle id of 156 bytes"},
		"Xcode":           {roots, bundle, &appstore.Options{Environments: []appstore.Environment{"Xcode"}}, `environment "Xcode"`},
		"EnvironmentCase": {roots, bundle, &appstore.Options{Environments: []appstore.Environment{"sandbox"}}, `environment "sandbox"`},
		"NegativeApp":     {roots, bundle, &appstore.Options{AppID: -1}, "app id -1"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := appstore.New(c.roots, c.bundle, c.o)
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), c.reason) || v != nil {
				t.Errorf("New() = %v, %v, want ErrInvalid with %q", v, err, c.reason)
			}
		})
	}
}

func TestNewKeepsItsOwnCopies(t *testing.T) {
	t.Parallel()
	s, another := newStore(nil), newStore(nil)
	roots := must(appstore.Roots(s.root.Raw))
	environments := []appstore.Environment{appstore.Production}
	v := must(appstore.New(roots, bundle, &appstore.Options{Environments: environments}))
	roots.AddCert(another.root)
	environments[0] = appstore.Sandbox
	wantEvents(t, v, s.sign(bought(nil)), purchase(boughtDetails))
	if events, err := verify(v, another.sign(bought(nil))); err == nil {
		t.Errorf("Verify() below a root that was added after New = %+v, want an error", events)
	}
}

func TestRoots(t *testing.T) {
	t.Parallel()
	a, b := newStore(nil), newStore(nil)
	inPEM := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	want := x509.NewCertPool()
	want.AddCert(a.root)
	want.AddCert(b.root)
	for name, files := range map[string][][]byte{
		"ReadsDER":           {a.root.Raw, b.root.Raw},
		"ReadsPEM":           {inPEM("CERTIFICATE", a.root.Raw), inPEM("CERTIFICATE", b.root.Raw)},
		"ReadsSeveralInPEM":  {slices.Concat(inPEM("CERTIFICATE", a.root.Raw), inPEM("CERTIFICATE", b.root.Raw))},
		"ReadsOneOfEachForm": {a.root.Raw, inPEM("CERTIFICATE", b.root.Raw)},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := appstore.Roots(files...); err != nil || !got.Equal(want) {
				t.Errorf("Roots() = %v, %v, want both roots", got, err)
			}
		})
	}
	for name, c := range map[string]struct {
		file   []byte
		reason string
	}{
		"RefusesNothing": {nil, "no certificate"},
		"RefusesText":    {[]byte("certificate"), "x509"},
		"RefusesCutDER":  {a.root.Raw[:100], "x509"},
		"RefusesCutPEM":  {bytes.TrimSuffix(inPEM("CERTIFICATE", a.root.Raw), []byte("-----\n")), "x509"},
		"RefusesAKey":    {inPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(a.key))), `PEM block of type "EC PRIVATE KEY"`},
		"RefusesALeaf":   {a.leaf.Raw, `"CN=leaf" is not an authority's`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := appstore.Roots(b.root.Raw, c.file)
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "file 2: ") || !strings.Contains(err.Error(), c.reason) || got != nil {
				t.Errorf("Roots() = %v, %v, want ErrInvalid for file 2 with %q", got, err, c.reason)
			}
		})
	}
}
