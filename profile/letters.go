package profile

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// DeadLetter is a message whose handler failed.
type DeadLetter struct {
	Message
	To     session.Key // whose it is
	Reason string      // what the handler said
	Died   time.Time   // by the database's clock
}

// Messages yields the messages that wait for the profile of a key, in the order in
// which they were sent. One that cannot be read comes with an error and its database
// key as its ID, and the next ones follow; an error with an empty ID ends the listing.
// It blocks to read, and needs no server.
func Messages(ctx context.Context, db *store.DB, key session.Key) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		letters(ctx, db, key, mailFolder, func(m *Message, _ *storedMessage, err error) bool { return yield(*m, err) })
	}
}

// Messages yields the messages that wait for the profile of an id: see the function
// Messages.
func (srv *Server) Messages(ctx context.Context, id string) iter.Seq2[Message, error] {
	return Messages(ctx, srv.ss.DB(), srv.key(id))
}

// DeadLetters yields the dead letters of the profile of a key, in the order in which
// they died, as Messages does.
func DeadLetters(ctx context.Context, db *store.DB, key session.Key) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		letters(ctx, db, key, deadFolder, func(m *Message, st *storedMessage, err error) bool {
			return yield(deadLetter(key, m, st), err)
		})
	}
}

// DeadLetters yields the dead letters of the profile of an id: see the function
// DeadLetters.
func (srv *Server) DeadLetters(ctx context.Context, id string) iter.Seq2[DeadLetter, error] {
	return DeadLetters(ctx, srv.ss.DB(), srv.key(id))
}

func deadLetter(to session.Key, m *Message, st *storedMessage) DeadLetter {
	d := DeadLetter{Message: *m, To: to}
	if st != nil {
		d.Reason, d.Died = st.Error, st.Died
	}
	return d
}

func letters(ctx context.Context, db *store.DB, key session.Key, name string, yield func(*Message, *storedMessage, error) bool) {
	if err := key.Check(); err != nil {
		yield(&Message{}, nil, err)
		return
	}
	all, err := waiting(ctx, db, key, name)
	if err != nil {
		yield(&Message{}, nil, err)
		return
	}
	for page := range slices.Chunk(all, mailPage) {
		if !readLetters(ctx, db, page, yield) {
			return
		}
	}
}

// readLetters yields the messages of entries that were listed. It returns false if
// no more are wanted, or none can be read.
func readLetters(ctx context.Context, db *store.DB, listed []driver.Entry, yield func(*Message, *storedMessage, error) bool) bool {
	keys := make([]string, len(listed))
	for i := range listed {
		keys[i] = listed[i].Key
	}
	snap, err := db.Read(ctx, keys...)
	if err != nil {
		yield(&Message{}, nil, err)
		return false
	}
	for i := range snap.Entries {
		e := &snap.Entries[i]
		if !e.Found() {
			continue
		}
		m, st, err := decodeMessage(e)
		if err != nil {
			m = &Message{ID: e.Key}
		}
		if !yield(m, st, err) {
			return false
		}
	}
	return true
}

// AllDeadLetters yields the dead letters of all profiles of a kind, in the order of
// the profiles' keys, as DeadLetters does. It goes over the keys of everything that
// is kept of that kind, a page at a time: with millions of profiles it takes minutes.
func AllDeadLetters(ctx context.Context, db *store.DB, kind string) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		if err := (session.Key{Kind: kind, ID: "x"}).Check(); err != nil {
			yield(DeadLetter{}, err)
			return
		}
		q := driver.Query{Prefix: store.JoinKey(kind) + "/", KeysOnly: true}
		for {
			page, err := db.List(ctx, q)
			if err != nil {
				yield(DeadLetter{}, fmt.Errorf("list dead letters: %w", err))
				return
			}
			if !yieldDead(ctx, db, page.Entries, yield) || !page.More {
				return
			}
			q.After = page.Entries[len(page.Entries)-1].Key
		}
	}
}

// yieldDead yields those of some entries that are dead letters.
func yieldDead(ctx context.Context, db *store.DB, entries []driver.Entry, yield func(DeadLetter, error) bool) bool {
	var dead []driver.Entry
	var whose []session.Key
	for i := range entries {
		if parts, err := store.SplitKey(entries[i].Key); err == nil && len(parts) == 4 && parts[2] == deadFolder {
			dead, whose = append(dead, entries[i]), append(whose, session.Key{Kind: parts[0], ID: parts[1]})
		}
	}
	for i := range dead {
		to := whose[i]
		if !readLetters(ctx, db, dead[i:i+1], func(m *Message, st *storedMessage, err error) bool {
			return yield(deadLetter(to, m, st), err)
		}) {
			return false
		}
	}
	return true
}
