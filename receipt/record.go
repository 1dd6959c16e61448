package receipt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// A purchase is the entry ~receipt/<name>, in which the name is its id, or what
// stands for one that is long. That it is a player's is in his index entry,
// <kind>/<id>/~receipt/<name>, which also says what stays of it when he is erased: that
// the id was spent. A claim that was released
// keeps its entry, and the next one has ~receipt/<name>/2: so the entry of a claim
// is its player's for ever, and nothing that his servers still have to write can
// meet another's.
const system = "receipt"

// maxName is how long a name may be, escaped, in bytes.
const maxName = 64

// nameOf returns the name of a purchase in keys.
func nameOf(id string) string {
	if len(store.JoinKey(id)) <= maxName && !strings.HasPrefix(id, "#") {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "#" + hex.EncodeToString(sum[:])
}

// parts are the parts of a claim's key: the purchase's name, and the claim's number
// unless it is the first.
func parts(id string, claim int) []string {
	if claim == 1 {
		return []string{nameOf(id)}
	}
	return []string{nameOf(id), strconv.Itoa(claim)}
}

func recordKey(id string, claim int) string { return store.SystemKey(system, parts(id, claim)...) }

func indexPrefix(key session.Key) string { return session.IndexPrefix(key, system) }

// index returns the write of the index entry of a record that is a player's.
func (r *record) index(key session.Key, mode driver.Mode) (driver.Write, error) {
	left, err := r.left()
	if err != nil {
		return driver.Write{}, err
	}
	value, err := session.IndexValue(left)
	return driver.Write{Key: session.IndexKey(key, recordKey(r.ID, r.claim)), Mode: mode, Value: value}, err
}

// left returns what stays of the record when its player is erased: that the id is
// spent; or that a claim was released, as the next claim may be another player's.
func (r *record) left() ([]byte, error) {
	left := record{Format: recordFormat, ID: r.ID, State: Spent}
	if r.State == Released {
		left.State, left.Released = Released, &act{At: r.Released.At}
	}
	value, err := json.Marshal(&left)
	if err != nil {
		return nil, fmt.Errorf("encode what stays of purchase %q: %w", r.ID, err)
	}
	return value, nil
}

const (
	recordFormat     = 1
	slotRecordFormat = 2 // of a purchase for a save slot: a program that knows of none must not grant it
)

// record is a purchase as it is stored.
type record struct {
	Format   int            `json:"format"`
	ID       string         `json:"id"`
	State    State          `json:"state"`
	Owner    string         `json:"owner,omitempty"` // the key of its player; empty: nobody
	Birth    driver.Version `json:"birth,omitzero"`  // of that player's profile
	Purchase purchase       `json:"purchase,omitzero"`
	Claimed  *act           `json:"claimed,omitempty"`
	Granted  *act           `json:"granted,omitempty"`
	Refunded *act           `json:"refunded,omitempty"`
	Released *act           `json:"released,omitempty"`

	claim   int              // its number
	version driver.Version   // zero: it is not stored yet
	held    *session.Session // in whose memory it was found, if it is not stored yet
}

// purchase is what was bought, as it is stored.
type purchase struct {
	Product  string          `json:"product,omitempty"`
	Payer    string          `json:"payer,omitempty"`
	Slot     string          `json:"slot,omitempty"`
	Quantity int64           `json:"quantity,omitempty"`
	At       time.Time       `json:"at,omitzero"`
	Sandbox  bool            `json:"sandbox,omitempty"`
	Details  json.RawMessage `json:"details,omitempty"`
}

// act is one step, as it is stored.
type act struct {
	At       time.Time `json:"at"`
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Revision uint64    `json:"revision,omitempty"`
	Into     string    `json:"into,omitempty"`
}

func (a *act) public() Act {
	if a == nil {
		return Act{}
	}
	return Act{At: a.At, By: a.By, Reason: a.Reason, Revision: a.Revision, Into: a.Into}
}

// newRecord returns a record of a purchase that passes its Check.
func newRecord(p *Purchase, claim int) *record {
	r := &record{ID: p.ID, claim: claim, Purchase: purchase{
		Product: p.Product, Payer: p.Payer, Slot: p.Slot, Quantity: max(p.Quantity, 1), At: p.At.UTC().Round(0), Sandbox: p.Sandbox,
	}}
	if len(p.Details) > 0 {
		r.Purchase.Details = p.Details
	}
	return r
}

// purchase returns what was bought.
func (r *record) purchase() Purchase {
	p := Purchase{
		ID: r.ID, Product: r.Purchase.Product, Payer: r.Purchase.Payer, Slot: r.Purchase.Slot, Quantity: r.Purchase.Quantity, At: r.Purchase.At,
		Sandbox: r.Purchase.Sandbox, Details: r.Purchase.Details,
	}
	if key, err := session.ParseKey(r.Owner); err == nil {
		p.Player = key.ID
	}
	return p
}

// public returns the record as others see it.
func (r *record) public() Receipt {
	out := Receipt{
		Purchase: r.purchase(), Claim: r.claim, State: r.State,
		Claimed: r.Claimed.public(), Granted: r.Granted.public(), Refunded: r.Refunded.public(), Released: r.Released.public(),
	}
	out.Key, _ = session.ParseKey(r.Owner) // it was checked when the record was read
	return out
}

// same reports whether the record is of the purchase that somebody tells of.
func (r *record) same(p *Purchase) bool {
	return r.Purchase.Product == p.Product && r.Purchase.Quantity == max(p.Quantity, 1)
}

// write returns the write that stores the record. Its mode is the caller's to say.
func (r *record) write() (driver.Write, error) {
	if r.Format = recordFormat; r.Purchase.Slot != "" {
		r.Format = slotRecordFormat
	}
	value, err := json.Marshal(r)
	if err != nil {
		return driver.Write{}, fmt.Errorf("encode the record of purchase %q: %w", r.ID, err)
	}
	return driver.Write{Key: recordKey(r.ID, r.claim), Value: value}, nil
}

// with returns a copy of the record, one step further.
func (r *record) with(state State, a act) *record {
	next := *r
	next.State = state
	switch state {
	case Granted:
		next.Granted = &a
	case Refunded:
		next.Refunded = &a
	case Released:
		next.Released = &a
	default:
		next.Claimed = &a
	}
	return &next
}

// decode reads the record in an entry.
func decode(e *driver.Entry) (*record, error) {
	if e.Damaged != nil {
		return nil, fmt.Errorf("read %q: %w", e.Key, e.Damaged)
	}
	r, err := decodeValue(e.Key, e.Value)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", e.Key, err)
	}
	r.version = e.Version
	return r, nil
}

// decodeValue reads the record under a key.
func decodeValue(key string, value []byte) (*record, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrCorrupt, err)
	}
	if r.Format < recordFormat || r.Format > slotRecordFormat {
		return nil, fmt.Errorf("%w: format %d, this program reads up to %d", driver.ErrFormat, r.Format, slotRecordFormat)
	}
	ps, err := store.SplitKey(key)
	if err != nil {
		return nil, err
	}
	anonymous := r.State == Spent && r.ID == "" // its index could not be read when its player was erased
	if r.claim = claimIn(ps); r.claim == 0 || ps[1] != nameOf(r.ID) && !anonymous {
		return nil, fmt.Errorf("%w: it holds the record of purchase %q", driver.ErrCorrupt, r.ID)
	}
	return &r, r.check()
}

// claimIn returns the number of the claim whose key was split, or 0 if it is no
// claim's.
func claimIn(parts []string) int {
	switch {
	case len(parts) == 2:
		return 1
	case len(parts) != 3:
		return 0
	}
	n, err := strconv.Atoi(parts[2])
	if err != nil || n < 2 || strconv.Itoa(n) != parts[2] {
		return 0
	}
	return n
}

// check refuses a record that contradicts itself.
func (r *record) check() error {
	steps := map[State]*act{Claimed: r.Claimed, Granted: r.Granted, Refunded: r.Refunded, Released: r.Released}
	step, known := steps[r.State]
	_, err := session.ParseKey(r.Owner)
	switch {
	case r.State == Spent:
		return nil
	case !known:
		return fmt.Errorf("%w: state %.40q", driver.ErrFormat, r.State)
	case step == nil:
		return fmt.Errorf("%w: %s, and it does not say when", driver.ErrCorrupt, r.State)
	case err != nil && (r.Owner != "" || r.State != Refunded && r.State != Released):
		return fmt.Errorf("%w: %s by %q: %v", driver.ErrCorrupt, r.State, r.Owner, err)
	}
	return nil
}
