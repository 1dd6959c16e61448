package web

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-games/holdfast/bus"
)

// What servers tell each other, over the bus. All of it is for now only: who misses a
// message sees the next one, and nothing that is owned hangs on it.
const (
	folkTopic    = "game/folk"    // who is on a server, every second
	whisperTopic = "game/whisper" // something for one hero's page, wherever he is
)

// person is somebody whom heroes can trade with and send gifts to.
type person struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Look   int64  `json:"look"`
	Server string `json:"server,omitempty"` // empty: he is not here now
	Bot    bool   `json:"bot,omitempty"`
}

const (
	hereFor   = 4 * time.Second  // after the last that was heard of him
	knownFor  = 30 * time.Minute // gifts can be sent to who has left
	knownMost = 200
)

// folk is who plays on all servers, as far as one server has heard. It is safe for
// concurrent use.
type folk struct {
	mu    sync.Mutex // guards known
	known map[string]sighting
}

type sighting struct {
	person
	at time.Time
}

func newFolk() *folk { return &folk{known: make(map[string]sighting)} }

// heard notes who is on a server.
func (f *folk) heard(list []person) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range list {
		f.known[p.ID] = sighting{p, now}
	}
	for id, s := range f.known {
		if now.Sub(s.at) > knownFor {
			delete(f.known, id)
		}
	}
}

// list returns who is known: who is here first, then by name.
func (f *folk) list() []person {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]person, 0, len(f.known))
	for _, s := range f.known {
		if time.Since(s.at) > hereFor {
			s.Server = ""
		}
		list = append(list, s.person)
	}
	slices.SortFunc(list, func(a, b person) int {
		return cmp.Or(-cmp.Compare(min(len(a.Server), 1), min(len(b.Server), 1)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list[:min(len(list), knownMost)]
}

// find returns somebody who is known.
func (f *folk) find(id string) (person, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.known[id]
	return s.person, ok
}

// announce tells all servers who is on this one.
func (r *realm) announce(ctx context.Context) {
	var list []person
	for _, a := range r.room.see().Heroes {
		list = append(list, person{ID: a.ID, Name: a.Name, Look: a.Look, Server: r.name, Bot: a.Bot})
	}
	r.publish(ctx, folkTopic, list)
}

func (r *realm) publish(ctx context.Context, topic string, v any) {
	text, err := json.Marshal(v)
	if err == nil {
		err = r.bus.Publish(ctx, topic, text)
	}
	if err != nil && ctx.Err() == nil {
		r.log.Warn("the other servers do not hear of something", "topic", topic, "err", err)
	}
}

// whisper is for one hero's page: an offer, or news.
type whisper struct {
	To    string `json:"to"`
	Offer *offer `json:"offer,omitempty"`
	News  string `json:"news,omitempty"`
}

// listen hears what other servers, and this one, publish, until stop is called.
func (r *realm) listen() (stop func(), err error) {
	stopFolk, err := r.bus.Subscribe(folkTopic, func(m bus.Message) {
		var list []person
		if !m.Missed && json.Unmarshal(m.Data, &list) == nil {
			r.folk.heard(list)
		}
	})
	if err != nil {
		return nil, err
	}
	stopWhispers, err := r.bus.Subscribe(whisperTopic, func(m bus.Message) {
		var w whisper
		if !m.Missed && json.Unmarshal(m.Data, &w) == nil {
			r.deliver(&w)
		}
	})
	if err != nil {
		stopFolk()
		return nil, err
	}
	return func() { stopFolk(); stopWhispers() }, nil
}

// deliver tells the page of a hero who is on this server.
func (r *realm) deliver(w *whisper) {
	v := r.visitOf(w.To)
	if v == nil || w.Offer != nil && !v.keepOffer(*w.Offer) {
		return
	}
	v.tell(&telling{Offer: w.Offer, News: w.News})
}
