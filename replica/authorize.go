package replica

import (
	"context"
	"net/http"

	"github.com/holdfast-games/holdfast/session"
)

// Authorize says whether a client may watch a player: it returns nil if he may,
// ErrForbidden or ErrExpired if not, and any other error if it cannot find out. It is
// called once for each connection, with the token of the client's hello, empty if there
// is none, and the request that has become the connection, for its cookies and
// headers. It may block until ctx ends. Several are called at a time.
type Authorize func(ctx context.Context, r *http.Request, player session.Key, token string) error
