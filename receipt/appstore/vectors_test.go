package appstore

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/receipt"
)

// applesTests is the file of Apple's own library for servers that holds the
// certificates which its tests use: real ones, and made ones with faults. It is
// fetched for the test and not kept.
const (
	applesPackage = "@apple/app-store-server-library@3.1.0"
	applesTests   = "package/dist/tests/unit-tests/jws_verification.test.js"
)

// applesDate lies within the validity of all of Apple's test certificates. Its
// library's tests use it, too.
var applesDate = time.UnixMilli(1761962975000)

// TestApplesCertificates holds the check of certificates to what Apple's own
// library accepts and refuses. Nothing in its package is signed by the keys of
// these, so the check is called by itself.
func TestApplesCertificates(t *testing.T) {
	if os.Getenv("HOLDFAST_NPM") != "1" {
		t.Skip("set HOLDFAST_NPM=1 to fetch Apple's test certificates from the npm registry")
	}
	given := readConstants(t, fetch(t, applesPackage, applesTests))
	pick := func(name string) string {
		text, ok := given[name+"_BASE64_ENCODED"]
		if !ok {
			t.Fatalf("%s has no constant %s_BASE64_ENCODED", applesTests, name)
		}
		return text
	}
	root, apples := pick("ROOT_CA"), pick("REAL_APPLE_ROOT")
	for name, c := range map[string]struct {
		trusted          string
		leaf, middle     string
		root             string
		at               time.Time
		accepted         bool
		refusedForReason string
	}{
		"Real":              {apples, "REAL_APPLE_SIGNING_CERTIFICATE", "REAL_APPLE_INTERMEDIATE", apples, applesDate, true, ""},
		"RealExpired":       {apples, "REAL_APPLE_SIGNING_CERTIFICATE", "REAL_APPLE_INTERMEDIATE", apples, applesDate.AddDate(3, 0, 0), false, "expired"},
		"RealOtherRoot":     {root, "REAL_APPLE_SIGNING_CERTIFICATE", "REAL_APPLE_INTERMEDIATE", apples, applesDate, false, "unknown authority"},
		"Made":              {root, "LEAF_CERT", "INTERMEDIATE_CA", root, applesDate, true, ""},
		"MadeOtherRoot":     {apples, "LEAF_CERT", "INTERMEDIATE_CA", root, applesDate, false, "unknown authority"},
		"MadeExpired":       {root, "LEAF_CERT", "INTERMEDIATE_CA", root, time.UnixMilli(2280946846000), false, "expired"},
		"LeafUnmarked":      {root, "LEAF_CERT_INVALID_OID", "INTERMEDIATE_CA", root, applesDate, false, "lacks extension " + leafMark.String()},
		"IssuerUnmarked":    {root, "LEAF_CERT_FOR_INTERMEDIATE_CA_INVALID_OID", "INTERMEDIATE_CA_INVALID_OID", root, applesDate, false, "lacks extension " + intermediateMark.String()},
		"MadeBelowRealRoot": {apples, "LEAF_CERT", "INTERMEDIATE_CA", apples, applesDate, false, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			roots, err := Roots([]byte("-----BEGIN CERTIFICATE-----\n" + c.trusted + "\n-----END CERTIFICATE-----\n"))
			if err != nil {
				t.Fatal(err)
			}
			v, err := New(roots, "com.example", nil)
			if err != nil {
				t.Fatal(err)
			}
			key, err := v.signer([]string{pick(c.leaf), pick(c.middle), c.root}, c.at)
			switch {
			case c.accepted && (err != nil || key == nil):
				t.Errorf("signer() = %v, %v, want a key", key, err)
			case !c.accepted && (!errors.Is(err, receipt.ErrUnverified) || !strings.Contains(err.Error(), c.refusedForReason)):
				t.Errorf("signer() = %v, %v, want ErrUnverified with %q", key, err, c.refusedForReason)
			}
		})
	}
}

// fetch returns a file of a package in the npm registry.
func fetch(t *testing.T, name, file string) string {
	t.Helper()
	dir := t.TempDir()
	npm := exec.CommandContext(t.Context(), "npm", "pack", "--silent", name)
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm pack %s: %v\n%s", name, err, out)
	}
	packs, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("npm pack %s left %q, %v, want one file", name, packs, err)
	}
	f, err := os.Open(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return extract(t, f, file)
}

func extract(t *testing.T, pack io.Reader, file string) string {
	t.Helper()
	unzipped, err := gzip.NewReader(pack)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("look for %s in the package: %v", file, err)
		}
		if h.Name != file {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(r, 16<<20))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// readConstants returns the texts that a file of JavaScript gives names to.
func readConstants(t *testing.T, text string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^const ([A-Z0-9_]+) = "([^"]+)";$`).FindAllStringSubmatch(text, -1) {
		found[m[1]] = m[2]
	}
	return found
}
