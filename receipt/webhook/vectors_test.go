package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/receipt"
	"github.com/holdfast-games/holdfast/receipt/webhook"
)

// TestPublishedSignature reads the signature that the Standard Webhooks library
// is itself tested with, from the source of the module.
func TestPublishedSignature(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/standard-webhooks/standard-webhooks/libraries").Output()
	if err != nil {
		t.Skipf("the module's source is not at hand: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "go", "webhook_test.go"))
	if err != nil {
		t.Skipf("the module's source has no such test: %v", err)
	}
	_, vector, _ := strings.Cut(string(text), "func TestWebhookSign(")
	find := func(what, pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(vector)
		if m == nil {
			t.Fatalf("found no %s in the module's test", what)
		}
		return m[1]
	}
	seconds, err := strconv.ParseInt(find("timestamp", `time\.Unix\((\d+), 0\)`), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	p := receipt.Proof{Body: []byte(find("payload", "payload := \\[\\]byte\\(`(.*)`\\)")), Header: http.Header{
		"Webhook-Id":        {find("id", `msgID := "(.*)"`)},
		"Webhook-Timestamp": {fmt.Sprint(seconds)},
		"Webhook-Signature": {find("signature", `expected := "(.*)"`)},
	}}
	v, err := webhook.New([]string{find("secret", `key := "(.*)"`)}, &webhook.Options{Now: func() time.Time { return time.Unix(seconds, 0) }})
	if err != nil {
		t.Fatal(err)
	}

	// The signature holds, and so the body is read: it has no type.
	wantError(t, v, p, receipt.ErrMalformed, "without a type")
	p.Body[0] = ' '
	wantError(t, v, p, receipt.ErrUnverified, "no matching signature")
}

// signInJavaScript signs with the library of another language.
const signInJavaScript = `
const { Webhook } = require("standardwebhooks");
const [secret, id, seconds, body] = process.argv.slice(1);
process.stdout.write(new Webhook(secret).sign(id, new Date(seconds * 1000), body));
`

// TestSignedInJavaScript verifies what the Standard Webhooks library for
// JavaScript signed. It is fetched for the test and not kept.
func TestSignedInJavaScript(t *testing.T) {
	if os.Getenv("HOLDFAST_NPM") != "1" {
		t.Skip("set HOLDFAST_NPM=1 to fetch the library from the npm registry")
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir = dir
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run("npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir, "standardwebhooks@1.1.1")

	v := newVerifier(t, secret, oldSecret)
	for _, s := range []string{secret, oldSecret} {
		body := strings.Replace(completed, "aunt", "tante Zoé ☂", 1)
		p := proof(s, body)
		p.Header.Set("webhook-signature", run("node", "-e", signInJavaScript, s, "msg_1", p.Header.Get("webhook-timestamp"), body))
		want := purchase()
		want.Payer = "a generous tante Zoé ☂"
		wantEvents(t, v, p, want)
		p.Header.Set("webhook-id", "msg_2")
		if events, err := v.Verify(context.Background(), p); err == nil {
			t.Errorf("Verify() with another id = %+v, want an error", events)
		}
	}
}
