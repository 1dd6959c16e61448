package profile

import (
	"context"

	"github.com/holdfast-games/holdfast/session"
)

// Erase deletes for ever everything that is kept of the profile of an id: its data and
// their history, messages, purchases up to their ids, and whatever else belongs to it,
// wherever it is open and even if it cannot be read. A profile that is open ends with
// the reason Erased, and its game has no say in it; what it had not saved is lost. Of
// an id that was never used it makes sure that nothing on its way to it survives. See
// session.Server.Erase for the errors, and for what a result beside one means; it
// blocks like that, and may be called for one id by several servers at a time.
//
// A player who comes back later begins anew, as soon as all is deleted; until then a
// load is a *session.ErasedError. What a player's own data say of others, and those
// of others of him, stays with the others.
func (srv *Server) Erase(ctx context.Context, id string, o *session.EraseOptions) (session.Erasure, error) {
	return srv.ss.Erase(ctx, srv.key(id), o)
}
