package appstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/receipt"
)

// maxBundleID is how many bytes a bundle's identifier may have.
const maxBundleID = 155

// Environment is which of the App Store's servers signed something.
type Environment string

// The environments whose data Apple signs. What Xcode signs while a game is
// being developed verifies against no root and is never accepted.
const (
	Production Environment = "Production"
	// Sandbox moves no money. TestFlight and Apple's reviewers buy there too.
	Sandbox Environment = "Sandbox"
)

// Options are what a Verifier may be told. The nil pointer and the zero value
// stand for the defaults.
type Options struct {
	// Environments are those that are accepted. Empty means Production alone.
	// Purchases of Sandbox bear Purchase.Sandbox.
	Environments []Environment
	// AppID is the app's number in the App Store (appAppleId), which
	// notifications of Production must then name. Zero means that it is not
	// looked at: the bundle's identifier is, always.
	AppID int64
	// Player returns the id of the player that an appAccountToken stands for.
	// It is asked only if the transaction bears one, may return "" for nobody,
	// may be called by several goroutines at once, and its error fails Verify
	// unchanged but for what it is wrapped in. Nil means that the token itself
	// is the id, as Apple writes it: a UUID in lower case.
	Player func(token string) (string, error)
	// Now is the clock by which the future is told. Nil means time.Now.
	Now func() time.Time
}

func (o *Options) resolved() Options {
	var r Options
	if o != nil {
		r = *o
	}
	r.Environments = slices.Clone(r.Environments)
	if len(r.Environments) == 0 {
		r.Environments = []Environment{Production}
	}
	if r.Player == nil {
		r.Player = func(token string) (string, error) { return token, nil }
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	return r
}

func (o *Options) check() error {
	for _, e := range o.Environments {
		if e != Production && e != Sandbox {
			return fmt.Errorf("%w: environment %.60q is neither %q nor %q", driver.ErrInvalid, e, Production, Sandbox)
		}
	}
	if o.AppID < 0 {
		return fmt.Errorf("%w: app id %d is negative", driver.ErrInvalid, o.AppID)
	}
	return nil
}

// Verifier verifies what the App Store signed for one app. It is a
// receipt.Verifier, and safe for concurrent use.
type Verifier struct {
	roots    *x509.CertPool
	bundleID string
	options  Options
	parser   *jwt.Parser
}

// New returns a verifier for the app with the given bundle identifier, which
// believes the certificates below roots: see Roots. The error matches
// driver.ErrInvalid: a pool without certificates, no bundle identifier, an
// option out of range.
func New(roots *x509.CertPool, bundleID string, o *Options) (*Verifier, error) {
	options := o.resolved()
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("make app store verifier: %w", err)
	}
	// A nil pool would stand for every authority that the machine trusts.
	if roots == nil || roots.Equal(x509.NewCertPool()) {
		return nil, fmt.Errorf("make app store verifier: %w: no root certificates", driver.ErrInvalid)
	}
	if bundleID == "" || len(bundleID) > maxBundleID {
		return nil, fmt.Errorf("make app store verifier: %w: bundle id of %d bytes, 1 to %d allowed: %.60q",
			driver.ErrInvalid, len(bundleID), maxBundleID, bundleID)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithStrictDecoding())
	return &Verifier{roots: roots.Clone(), bundleID: bundleID, options: options, parser: parser}, nil
}

// Verify returns the one event of a signed transaction or of a notification, or
// none: see the package comment. It asks nobody and does not block, except in
// Options.Player, and the proof's header does not matter.
func (v *Verifier) Verify(_ context.Context, p receipt.Proof) ([]receipt.Event, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("verify app store proof: %w", err)
	}
	event, err := v.read(bytes.TrimSpace(p.Body))
	if err != nil {
		return nil, fmt.Errorf("verify app store proof: %w", err)
	}
	if event == nil {
		return nil, nil
	}
	return []receipt.Event{*event}, nil
}

func (v *Verifier) read(body []byte) (*receipt.Event, error) {
	if bytes.HasPrefix(body, []byte("{")) {
		return v.readNotification(body)
	}
	t, err := v.openTransaction(string(body))
	if err != nil {
		return nil, err
	}
	return v.event(t, notification{}, t.revoked())
}

// checkApp refuses what was signed for another app or environment.
func (v *Verifier) checkApp(bundleID string, e Environment) error {
	if bundleID != v.bundleID {
		return fmt.Errorf("%w: it is for bundle %.60q, not for %q", receipt.ErrUnverified, bundleID, v.bundleID)
	}
	if !slices.Contains(v.options.Environments, e) {
		return fmt.Errorf("%w: environment %.60q is not accepted, only %q", receipt.ErrUnverified, e, v.options.Environments)
	}
	return nil
}

// event makes the purchase that a transaction stands for.
func (v *Verifier) event(t *transaction, n notification, refund bool) (*receipt.Event, error) {
	if t.TransactionID == "" || t.PurchaseDate <= 0 {
		return nil, fmt.Errorf("%w: transaction id %.60q, purchase date %d", receipt.ErrMalformed, t.TransactionID, t.PurchaseDate)
	}
	details, err := t.details(n)
	if err != nil {
		return nil, err
	}
	e := &receipt.Event{Refund: refund, Purchase: receipt.Purchase{
		ID:       "appstore:" + t.TransactionID,
		Product:  t.ProductID,
		Player:   t.AppAccountToken,
		Quantity: cmp.Or(t.Quantity, 1),
		At:       time.UnixMilli(t.PurchaseDate).UTC(),
		Sandbox:  t.Environment != Production,
		Details:  details,
	}}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", receipt.ErrMalformed, err)
	}
	return e, v.name(e)
}

// name replaces the token in the event by the player that it stands for.
func (v *Verifier) name(e *receipt.Event) error {
	if e.Player == "" {
		return nil
	}
	player, err := v.options.Player(e.Player)
	if err != nil {
		return fmt.Errorf("player of app account token %q: %w", e.Player, err)
	}
	e.Player = player
	if err := e.Check(); err != nil {
		return fmt.Errorf("player of app account token: %w", err)
	}
	return nil
}
