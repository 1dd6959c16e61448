package replica

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/holdfast-games/holdfast/session"
)

const (
	// MaxTokenLife is the longest life of a player's token.
	MaxTokenLife = time.Hour
	// tokenAudience says what tokens are for, so that none for something else opens
	// anything here.
	tokenAudience = "holdfast.replica"
	// clockSkew is how much the clocks of who makes tokens and who checks them may
	// differ.
	clockSkew = 10 * time.Second
)

// IssueToken makes a token that opens the public fields of one player, and nothing
// else, to whoever has it, for PlayerTokens to check: some minutes are long enough, as
// it is needed when a connection begins. It is for whoever logs players in. The error
// is ErrOption for a key that is none of Ed25519, a player that cannot be one, or a
// life that is not positive or longer than MaxTokenLife.
func IssueToken(key ed25519.PrivateKey, player session.Key, life time.Duration) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("token for %v: %w", player, err) }
	if len(key) != ed25519.PrivateKeySize {
		return fail(fmt.Errorf("%w: a key of %d bytes", ErrOption, len(key)))
	}
	if err := player.Check(); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrOption, err))
	}
	if life <= 0 || life > MaxTokenLife {
		return fail(fmt.Errorf("%w: a life of %v, at most %v", ErrOption, life, MaxTokenLife))
	}
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, &jwt.RegisteredClaims{
		Audience: jwt.ClaimStrings{tokenAudience}, Subject: player.String(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}).SignedString(key)
	if err != nil {
		return fail(err)
	}
	return token, nil
}

// PlayerTokens returns an Authorize that lets in whoever has a token of IssueToken for
// the player, signed with one of the keys: the present one and, while that is replaced,
// the one before or after it. A token that is missing, of another player, or not signed
// by any of them is ErrForbidden, one that is too old ErrExpired. Without keys nobody
// is let in.
func PlayerTokens(keys ...ed25519.PublicKey) Authorize {
	set := jwt.VerificationKeySet{}
	for _, k := range keys {
		if len(k) == ed25519.PublicKeySize {
			set.Keys = append(set.Keys, k)
		}
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithAudience(tokenAudience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(clockSkew))
	return func(_ context.Context, _ *http.Request, player session.Key, token string) error {
		var claims jwt.RegisteredClaims
		_, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return set, nil })
		switch {
		case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid):
			return fmt.Errorf("%w: %w", ErrExpired, err)
		case err != nil:
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		case claims.IssuedAt == nil || claims.ExpiresAt.Sub(claims.IssuedAt.Time) > MaxTokenLife:
			return fmt.Errorf("%w: the token's life is longer than %v", ErrForbidden, MaxTokenLife)
		case claims.Subject != player.String():
			return fmt.Errorf("%w: the token is another player's", ErrForbidden)
		}
		return nil
	}
}
