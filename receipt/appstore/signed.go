package appstore

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/holdfast-games/holdfast/receipt"
)

// maxSkew is how far ahead of our clock Apple's may be. What is dated later
// was not signed yet.
const maxSkew = 5 * time.Minute

// payload is what was signed. Apple's payloads have none of the claims that are
// registered for tokens, and what has them is not made to expire by them: the
// embedded claims stay empty and are there to satisfy the parser.
type payload struct {
	jwt.RegisteredClaims
	text   []byte
	signed time.Time
}

// UnmarshalJSON keeps the text, to be read when it has been verified. Only the
// date is needed before, to judge the certificates by.
func (p *payload) UnmarshalJSON(text []byte) error {
	var dated struct {
		SignedDate int64 `json:"signedDate"`
	}
	if err := json.Unmarshal(text, &dated); err != nil {
		return err
	}
	if dated.SignedDate <= 0 {
		return fmt.Errorf("signed date %d", dated.SignedDate)
	}
	p.text, p.signed = bytes.Clone(text), time.UnixMilli(dated.SignedDate)
	return nil
}

// open verifies a signature in compact form and returns the JSON that it signs.
func (v *Verifier) open(compact string) ([]byte, error) {
	var p payload
	_, err := v.parser.ParseWithClaims(compact, &p, func(t *jwt.Token) (any, error) {
		return v.key(t, p.signed)
	})
	switch {
	case err == nil:
		return p.text, nil
	case errors.Is(err, receipt.ErrMalformed), errors.Is(err, receipt.ErrUnverified):
		return nil, err
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, fmt.Errorf("%w: %w", receipt.ErrMalformed, err)
	}
	return nil, fmt.Errorf("%w: %w", receipt.ErrUnverified, err)
}

// key returns the public key that the token's own certificates vouch for.
func (v *Verifier) key(t *jwt.Token, signed time.Time) (any, error) {
	// The parser reads null without asking the payload, and no time would mean
	// the present to whoever checks the certificates.
	if signed.IsZero() {
		return nil, fmt.Errorf("%w: payload is null", receipt.ErrMalformed)
	}
	if ahead := signed.Sub(v.options.Now()); ahead > maxSkew {
		return nil, fmt.Errorf("%w: signed date is %v ahead of this machine's clock", receipt.ErrUnverified, ahead)
	}
	h, err := readHeader(t.Raw)
	if err != nil {
		return nil, err
	}
	return v.signer(h.X5c, signed)
}

// header is the part of a signature's header that counts here.
type header struct {
	X5c  []string `json:"x5c"`
	Crit []string `json:"crit"`
}

// readHeader reads the header again: the parser's reading lets the last of
// several members of the same name win, and ignores crit, which names
// extensions without which a signature must not be accepted. We know none.
func readHeader(compact string) (header, error) {
	var h header
	segment, _, _ := strings.Cut(compact, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		return h, fmt.Errorf("%w: header: %w", receipt.ErrMalformed, err)
	}
	if len(h.Crit) > 0 {
		return h, fmt.Errorf("%w: header demands extensions that are not known here: %.60q", receipt.ErrUnverified, h.Crit)
	}
	return h, nil
}
