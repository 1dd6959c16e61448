package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// rankingName is the ranking that every player's headField feeds: so each update
// moves a row.
const rankingName = "heads"

// rankedOf is what games that use sessions say of it.
var rankedOf = []session.Ranked{{Ranking: rankingName, Field: headField}}

// rowsPrefix is what the keys of the rows begin with.
var rowsPrefix = store.SystemKey("ranked", playerKind, "high", rankingName) + "/"

// checkRows checks that the players whose roots a batch wrote have the row that
// the root's data call for, and no other.
func (w *world) checkRows(b *driver.Batch) error {
	roots := w.check.rootsIn(b)
	if len(roots) == 0 {
		return nil
	}
	s, err := w.db.List(context.Background(), driver.Query{Prefix: rowsPrefix, KeysOnly: true})
	if err != nil {
		return err
	}
	for _, wr := range roots {
		p := w.check.byRoot[wr.Key]
		var got []string
		for i := range s.Entries {
			if strings.HasSuffix(s.Entries[i].Key, "/"+store.JoinKey(p.key.ID)) {
				got = append(got, s.Entries[i].Key)
			}
		}
		want, err := rowOf(p, wr.Value)
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("rows of %v are %q, its root calls for %q", p.key, got, want)
		}
	}
	return nil
}

// rowOf returns the key of the row that a stored root calls for, if it does.
func rowOf(p *player, value []byte) ([]string, error) {
	r, err := parseRoot(p, value)
	if err != nil {
		return nil, err
	}
	if r.Erased {
		return nil, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.Data, &fields); err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(string(fields[headField]), 10, 64)
	if err != nil {
		return nil, nil // nobody has changed him yet
	}
	return []string{store.RankedRow(playerKind, rankingName, false, n, p.key.ID)}, nil
}

// bendRow lets a row that is written show what its player's server has in memory.
func (pl *plant) bendRow(w *world, k *call, wr *driver.Write) {
	if pl.what != EarlyRow || wr.Delete || !strings.HasPrefix(wr.Key, rowsPrefix) {
		return
	}
	for _, h := range k.in.holds {
		if strings.HasSuffix(wr.Key, "/"+store.JoinKey(h.p.key.ID)) && h.head != nil && h.head.id > 0 {
			wr.Key = store.RankedRow(playerKind, rankingName, false, int64(h.head.id), h.p.key.ID)
		}
	}
}
