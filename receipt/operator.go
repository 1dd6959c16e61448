package receipt

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/session"
)

// As returns the book for acts of an operator: what is refunded or released by it is in
// the audit log under his name, and needs a reason. It shares everything with b. See
// profile.Server.As; a book of such a server is its operator's already.
func (b *Book) As(operator string) *Book {
	his := *b
	his.srv = b.srv.As(operator)
	return &his
}

// act returns the operator's act that an errand carries out, or nil.
func (b *Book) act(e errand) (*audit.Act, error) {
	if b.srv.Operator() == "" {
		return nil, nil
	}
	details, err := purchaseDetails(e.ID)
	if err != nil {
		return nil, err
	}
	return &audit.Act{By: b.srv.Operator(), What: string(e.Do), Reason: e.Reason, Details: details}, nil
}

// acted returns the entries of an operator's act on a purchase, for the commit that
// makes it; none if nobody is named for it.
func (b *Book) acted(do verb, r *record, reason string) ([]driver.Write, error) {
	details, err := purchaseDetails(r.ID)
	if err != nil {
		return nil, err
	}
	a := audit.Act{What: string(do), Reason: reason, Details: details}
	if key, err := session.ParseKey(r.Owner); err == nil {
		a.Key = key
	}
	return b.srv.Acted(a)
}

func purchaseDetails(id string) (json.RawMessage, error) {
	text, err := json.Marshal(map[string]string{"purchase": id})
	if err != nil {
		return nil, fmt.Errorf("encode the act: %w", err)
	}
	return text, nil
}

// deeds returns the purchases of a player's that were granted or refunded after a
// revision of his: a restore to it does not undo them. It is the book's
// profile.DeedTeller.
func (b *Book) deeds(ctx context.Context, key session.Key, after uint64) (deeds []profile.Deed, err error) {
	for r, err := range b.rd.Receipts(ctx, key) {
		switch {
		case err != nil && r.ID == "":
			return nil, err
		case err != nil:
			deeds = append(deeds, profile.Deed{What: session.OriginPurchase, ID: r.ID, Reason: "perhaps: its record cannot be read"})
			continue
		}
		for _, step := range []struct {
			what string
			Act
		}{{session.OriginPurchase, r.Granted}, {session.OriginRefund, r.Refunded}} {
			if step.Revision > after {
				deeds = append(deeds, profile.Deed{What: step.what, ID: r.ID, Reason: step.Reason, At: step.At, Revision: step.Revision})
			}
		}
	}
	return deeds, nil
}
