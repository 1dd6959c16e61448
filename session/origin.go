package session

import (
	"slices"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
)

// Origins say for programs what sort of act an update was, as a reason says it for
// people. The packages above give them, by Tx.Origin; this one only keeps them, in the
// journal with the update and in the version that holds it.
const (
	OriginPurchase = "purchase" // a purchase was granted
	OriginRefund   = "refund"   // one was taken back
	OriginTrade    = "trade"    // several keys were changed at once
	OriginRestore  = "restore"  // the data are those of an older version
	OriginImport   = "import"   // the data came from outside
	OriginEdit     = "edit"     // a person changed single values
)

// maxOrigin is how long an origin may be, in bytes.
const maxOrigin = 20

// originMark stands between an origin and its reason in the stored form of a reason:
// so a program that knows no origins keeps both, and shows them as a text.
const originMark = "\x1f"

// Origin says what sort of act the update is: 1 to 20 lower-case letters, one of the
// constants of this package or another one. The version that holds the update is kept
// beyond the retention's schedule with the one before it, also if another server makes
// it after a crash. Anything else is kept as no origin. A later call replaces it.
func (tx *Tx) Origin(origin string) {
	if tx.origin = ""; isOrigin(origin) {
		tx.origin, tx.keeps = origin, true
	}
}

// Origins returns how many updates with an origin the session has had so far, and
// exchanges: whoever has seen the same number before knows that there was none since.
func (tx *Tx) Origins() uint64 { return tx.s.origins }

// Version is Session.Version, for who is in an update.
func (tx *Tx) Version() driver.Version { return tx.s.version }

// Replaces returns the version of the root that the next save takes the place of.
func (tx *Tx) Replaces() driver.Version {
	if sv := tx.s.saving; sv != nil {
		return sv.id
	}
	return tx.s.version
}

// Origins is Tx.Origins for who is not in an update.
func (s *Session) Origins() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.origins
}

func isOrigin(s string) bool {
	notLetter := func(r rune) bool { return r < 'a' || r > 'z' }
	return s != "" && len(s) <= maxOrigin && !strings.ContainsFunc(s, notLetter)
}

// noted is the stored form of an origin and a reason, of which either may be empty.
func noted(origin, reason string) string {
	if origin == "" {
		return reason
	}
	return origin + originMark + reason
}

// splitNoted is the inverse of noted.
func splitNoted(s string) (origin, reason string) {
	origin, reason, found := strings.Cut(s, originMark)
	if !found || !isOrigin(origin) {
		return "", strings.ReplaceAll(s, originMark, " ")
	}
	return origin, strings.ReplaceAll(reason, originMark, " ")
}

// texts returns the reasons without their origins.
func (r reasons) texts() (texts []string) {
	for _, s := range r {
		if _, text := splitNoted(s); text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// origins returns the origins among the reasons, each once.
func (r reasons) origins() (origins []string) {
	for _, s := range r {
		if origin, _ := splitNoted(s); origin != "" && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}

// why returns the reason and the origins that a root tells. A server that knows no
// origins, and has replayed a journal with some, has left them in its text.
func (r *root) why() (reason string, origins []string) {
	if !strings.Contains(r.Reason, originMark) {
		return r.Reason, r.Origins
	}
	parts := reasons(strings.Split(r.Reason, reasonSeparator))
	return parts.String(), parts.origins()
}
