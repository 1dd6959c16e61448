package bazaar_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// book is what the database holds of a trader, read past the package that wrote it.
type book struct {
	Coins, Gems int64
	Goods       map[string]bool
	Deals       map[string]bool
	Count       int64

	holder string // the server that has him; empty: nobody
	text   string
}

// readBooks reads all traders without their locks: roots, and the journals of
// those that a dead server has.
func readBooks(ctx context.Context, db *store.DB, traders int) ([]*book, error) {
	rd := session.NewReader(db, document.Limits{})
	books := make([]*book, traders)
	for n := range books {
		v, err := rd.Peek(ctx, session.Key{Kind: trader.Kind(), ID: id(n)})
		if err != nil {
			return nil, err
		}
		b := &book{text: string(v.Document.AppendJSON(nil))}
		if err := json.Unmarshal([]byte(b.text), b); err != nil {
			return nil, fmt.Errorf("read %v: %w", v.Key, err)
		}
		if v.Holder != nil {
			b.holder = v.Holder.Server
		}
		books[n] = b
	}
	return books, nil
}
