package session

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/store"
)

// Ring tells whoever holds keys, on this server or on another, that something
// new was put into the database for them: his Options.Rung is called. It returns
// at once. A key that nobody holds, or whose holder cannot be told, is no error:
// what rings only makes faster what happens at the next opening anyway. With a
// bus the message may be lost; insist makes it an entry in the database as well,
// which is not.
func (srv *Server) Ring(insist bool, keys ...Key) {
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.String())
	}
	slices.Sort(names)
	names = slices.Compact(names)
	srv.rings.begin()
	srv.work(func() {
		defer srv.rings.end()
		srv.ring(insist, names)
	})
}

// rings counts those who are ringing, for Close.
type rings struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when the count drops to 0; nil unless Close waits
}

func (r *rings) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
}

func (r *rings) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count--; r.count == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
}

// rest waits until nobody rings, or ctx ends.
func (r *rings) rest(ctx context.Context) {
	r.mu.Lock()
	if r.count == 0 {
		r.mu.Unlock()
		return
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle := r.idle
	r.mu.Unlock()
	_ = wait(ctx, idle)
}

func (srv *Server) ring(insist bool, names []string) {
	for page := range slices.Chunk(names, driver.MaxRead) {
		snap, err := srv.db.Read(srv.ctx, page...)
		if err != nil {
			return // the server is closing
		}
		for i := range snap.Entries {
			if r, err := decodeRoot(&snap.Entries[i]); err == nil && r != nil && r.Lock != nil {
				srv.ringHolder(insist, snap.Entries[i].Key, r.Lock)
			}
		}
	}
}

// ringHolder rings for one key, with the holder of its lock.
func (srv *Server) ringHolder(insist bool, key string, held *lock) {
	srv.mu.Lock()
	l := srv.lease
	srv.mu.Unlock()
	if held.Lease == l.id {
		srv.rung(key)
		return
	}
	if srv.publish(held.Lease, message{Ring: key}) && !insist {
		return
	}
	if !srv.held(key, held) {
		return // nobody would delete the entry, or it is not needed
	}
	value, err := json.Marshal(request{Key: key, Session: held.Session, From: l.id, Server: srv.opts.Name, Ring: true})
	if err != nil {
		return
	}
	id, err := srv.db.NewVersion()
	if err != nil {
		return
	}
	srv.db.Go(store.Attempt{
		Batch: driver.Batch{ID: id, Writes: []driver.Write{{Key: requestKey(held.Lease, l.id, id), Mode: driver.Always, Value: value}}},
		Lane:  store.Waited,
		Tries: -1,
	})
}

// held reports whether a lock is still in a root and somebody holds it. Who has
// taken the key since looks for himself.
func (srv *Server) held(key string, l *lock) bool {
	snap, err := srv.db.Read(srv.ctx, leaseKey(l.Lease), key)
	if err != nil {
		return false // the server is closing
	}
	entry, err := decodeLease(&snap.Entries[0])
	if err != nil || entry.dead(l.Session) {
		return false
	}
	r, err := decodeRoot(&snap.Entries[1])
	return err == nil && r != nil && r.Lock.names(l.Lease, l.Session)
}

// rung tells the keeper of an open session that there is something new for it.
func (srv *Server) rung(key string) {
	if srv.opts.Rung == nil {
		return
	}
	srv.mu.Lock()
	s := srv.sessions[key]
	srv.mu.Unlock()
	if s != nil {
		srv.opts.Rung(s)
	}
}

// rungAll is rung for every session: messages of the bus were missed, and any
// of them may have rung.
func (srv *Server) rungAll() {
	if srv.opts.Rung == nil {
		return
	}
	for _, s := range srv.Sessions() {
		srv.opts.Rung(s)
	}
}
