package session

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// chores are what is cleared away a moment after it was asked for: entries that
// are of no use any more, and sessions that nobody was there to take. What
// comes up at one time is done together and in the order of the keys, so the
// order in which goroutines happened to run does not reach the database. The
// server's mu guards them.
type chores struct {
	entries  []string
	sessions []*Session
	timer    *time.Timer // runs while there are any
}

// choresAfter is how long chores wait for others.
const choresAfter = time.Millisecond

// drop deletes an entry that is of no use any more, in the background.
func (srv *Server) drop(key string) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.chores.entries = append(srv.chores.entries, key)
	srv.choreLocked()
}

// leave closes a session that nobody has, in the background.
func (srv *Server) leave(s *Session) {
	s.ending.Store(true)
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.chores.sessions = append(srv.chores.sessions, s)
	srv.choreLocked()
}

func (srv *Server) choreLocked() {
	if srv.chores.timer == nil {
		srv.chores.timer = time.AfterFunc(choresAfter, srv.doChores)
	}
}

// doChores does what there is.
func (srv *Server) doChores() {
	srv.mu.Lock()
	todo := srv.chores
	srv.chores = chores{}
	srv.mu.Unlock()
	if todo.timer != nil {
		todo.timer.Stop()
	}
	sortByKey(todo.sessions)
	for _, s := range todo.sessions {
		s.close(func(error) {})
	}
	slices.Sort(todo.entries)
	var deletions []store.Attempt
	for _, key := range slices.Compact(todo.entries) {
		id, err := srv.db.NewVersion()
		if err != nil {
			srv.opts.Logger.Debug("entry not deleted", "key", key, "err", err)
			continue
		}
		deletions = append(deletions, store.Attempt{
			Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: key, Mode: driver.Always, Delete: true}}},
			Lane:  store.Background,
			Done: func(_ driver.Moment, err error) {
				if err != nil && !errors.Is(err, driver.ErrClosed) {
					srv.opts.Logger.Debug("entry not deleted", "key", key, "err", err)
				}
			},
		})
	}
	srv.db.Go(deletions...)
}
