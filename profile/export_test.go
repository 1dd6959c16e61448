package profile

import (
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/session"
)

// SetPatience sets how long a goroutine waits for a lock before the log says
// so.
func SetPatience(srv *Server, d time.Duration) { srv.patience = d }

// Remembered returns how many profiles the server holds on to, those included
// that have ended.
func Remembered(srv *Server) int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return len(srv.ring)
}

// Letters returns how many outcomes of messages the profile keeps in memory.
func Letters(p *Profile) int {
	b := p.mail()
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.handled)
}

// What follows is for other parts of the package, and for tests.
var (
	DecodeOps   = decodeOps
	Detached    = detached
	RunDetached = runDetached
)

// FoldPlayTime and Replay are what an update uses that puts stored fields aside and
// others in their place.
var (
	FoldPlayTime = (*Tx).foldPlayTime
	Replay       = (*Tx).replay
)

// PutField writes the stored value of a field past the schema; nil removes it.
func PutField(tx *Tx, name string, value []byte) error {
	return tx.put(document.Change{Path: document.Field(name), Value: value})
}

// BeforeEnded has fn called when a session has ended, before the server hears of that.
func BeforeEnded(srv *Server, fn func()) {
	told := srv.ended
	srv.common.ended = func(s *session.Session, err error) {
		fn()
		told(s, err)
	}
}
