package webhook

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/receipt"
)

// Tolerance is how far a message's timestamp may be from this machine's clock,
// before or after.
const Tolerance = 5 * time.Minute

// maxField is how many bytes a field of the header may have.
const maxField = 4 << 10

// Limits of a secret in bytes, before it is put into base64, as the
// specification has them.
const (
	minSecret = 24
	maxSecret = 64
)

// Options are what a Verifier may be told. The nil pointer and the zero value
// stand for the defaults.
type Options struct {
	// Now is the clock by which timestamps are judged. Nil means time.Now.
	Now func() time.Time
}

func (o *Options) now() time.Time {
	if o == nil || o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// Verifier verifies signed requests. It is a receipt.Verifier, and safe for
// concurrent use.
type Verifier struct {
	hooks   []*standardwebhooks.Webhook // one for each secret
	options *Options
}

// New returns a verifier that believes what is signed with one of the secrets.
// Several are for the time of a change: the new one is added here first, and
// the old one removed when the sender has stopped to use it. A secret is 24 to
// 64 random bytes in base64, with or without the prefix "whsec_".
//
// The error matches driver.ErrInvalid, and never shows a secret.
func New(secrets []string, o *Options) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("make webhook verifier: %w: no secret", driver.ErrInvalid)
	}
	v := &Verifier{}
	if o != nil {
		own := *o
		v.options = &own
	}
	for i, secret := range secrets {
		hook, err := newHook(secret)
		if err != nil {
			return nil, fmt.Errorf("make webhook verifier: %w: secret %d: %w", driver.ErrInvalid, i+1, err)
		}
		v.hooks = append(v.hooks, hook)
	}
	return v, nil
}

// newHook refuses what the library would take: a secret that is empty signs
// nothing, and anybody could use it.
func newHook(secret string) (*standardwebhooks.Webhook, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return nil, fmt.Errorf("%d bytes, %d to %d allowed", len(key), minSecret, maxSecret)
	}
	return standardwebhooks.NewWebhookRaw(key)
}

// Verify returns the one event of a request, or none if it is of a type that
// does not concern purchases. It asks nobody and does not block.
//
// ErrUnverified stands for all that is wrong with the header: a field that is
// missing or there twice, a timestamp out of tolerance, a signature by none of
// the secrets. ErrMalformed is for a body that was signed and is not of the form
// in the package comment.
func (v *Verifier) Verify(_ context.Context, p receipt.Proof) ([]receipt.Event, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("verify webhook: %w", err)
	}
	if err := v.checkHeader(p.Header); err != nil {
		return nil, fmt.Errorf("verify webhook: %w", err)
	}
	if err := v.checkSignature(p); err != nil {
		return nil, fmt.Errorf("verify webhook: %w", err)
	}
	events, err := readBody(p.Body)
	if err != nil {
		return nil, fmt.Errorf("verify webhook: %w", err)
	}
	return events, nil
}

// checkHeader refuses a header without exactly one of each field, since the
// library reads the first and something before us may have read another, and
// one whose timestamp is out of tolerance. The library's own check of the
// timestamp is not used: it reads the machine's clock.
func (v *Verifier) checkHeader(h http.Header) error {
	for _, name := range []string{
		standardwebhooks.HeaderWebhookID, standardwebhooks.HeaderWebhookTimestamp, standardwebhooks.HeaderWebhookSignature,
	} {
		values := h.Values(name)
		if len(values) != 1 {
			return fmt.Errorf("%w: %d fields %s, 1 expected", receipt.ErrUnverified, len(values), name)
		}
		if n := len(values[0]); n > maxField {
			return fmt.Errorf("%w: field %s of %d bytes, at most %d allowed", receipt.ErrTooLarge, name, n, maxField)
		}
	}
	return v.checkTimestamp(h.Get(standardwebhooks.HeaderWebhookTimestamp))
}

func (v *Verifier) checkTimestamp(text string) error {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: timestamp %.60q is not a number", receipt.ErrUnverified, text)
	}
	now := v.options.now()
	sent := time.Unix(seconds, 0)
	if sent.Before(now.Add(-Tolerance)) || sent.After(now.Add(Tolerance)) {
		return fmt.Errorf("%w: timestamp %d is more than %v from this machine's clock, %d", receipt.ErrUnverified, seconds, Tolerance, now.Unix())
	}
	return nil
}

// checkSignature tries the secrets in turn.
func (v *Verifier) checkSignature(p receipt.Proof) error {
	var err error
	for _, hook := range v.hooks {
		if err = hook.VerifyIgnoringTimestamp(p.Body, p.Header); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", receipt.ErrUnverified, err)
}
