package profile

import (
	"fmt"

	"github.com/holdfast-games/holdfast/driver"
)

// MessageWrite returns the write that sends a message to the profile of an id, for
// a layer over this package that commits it together with entries of its own. It
// checks the message like Send, and nothing of the profile: whether there is one,
// and how many messages wait for it. Whoever has committed it calls Deliver, or
// rings by session.Server.Ring.
func (srv *Server) MessageWrite(id string, m Message) (driver.Write, error) {
	key := srv.key(id)
	err := key.Check()
	if err == nil {
		err = srv.prepare(&m)
	}
	if err != nil {
		return driver.Write{}, fmt.Errorf("message to %v: %w", key, err)
	}
	return m.write(key)
}
