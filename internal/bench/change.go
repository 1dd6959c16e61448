package bench

import (
	"strconv"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

var coinsPath = document.Field("coins")

// setCoins changes one field of a session, as a small update of a game does.
func setCoins(s *session.Session, n int64, durable bool) error {
	tx, err := s.Begin()
	if err != nil {
		return err
	}
	if err := tx.Set(coinsPath, strconv.AppendInt(nil, n, 10), false); err != nil {
		session.Rollback(tx)
		return err
	}
	return session.Commit(durable, tx)
}
