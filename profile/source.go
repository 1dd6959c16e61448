package profile

import (
	"context"
	"slices"
)

// Source tells what is to happen to a profile besides the messages that were sent
// to it: what is given to many, for instance, and is written down once for all. It
// is asked at each look at the messages, so after each load, and offers what the
// profile has not got yet. It must be quick, and reads from memory only. It is for
// layers over this package.
type Source func(p *Profile) []Offer

// Offer is a message that is no entry: it is handled like any other, by the handler
// of its topic, but what says that it was handled is the offerer's.
type Offer struct {
	// Message is what is handled. Its ID names it among the dead letters.
	Message Message
	// Note notes within the update that the profile has got it, or that its handler
	// failed and it is a dead letter.
	Note func(tx *Tx) error
}

// Offer has a source asked for each profile of the server's schema. It should be
// called before the first Open.
func (srv *Server) Offer(s Source) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.sources[srv.schema.kind] = append(srv.sources[srv.schema.kind], s)
}

// takeOffers handles what the sources offer, and returns how many of that have come
// to their end.
func (b *inbox) takeOffers(ctx context.Context) (given int, err error) {
	srv := b.p.srv
	srv.mu.Lock()
	sources := slices.Clip(srv.sources[b.p.key.Kind])
	srv.mu.Unlock()
	for _, s := range sources {
		for _, o := range s(b.p) {
			m := o.Message
			did, err := b.handle(ctx, &task{m: &m, end: func(tx *Tx, _ *storedOutcome) error { return o.Note(tx) }})
			if err != nil {
				return given, err
			}
			if did {
				given++
			}
		}
	}
	return given, nil
}
