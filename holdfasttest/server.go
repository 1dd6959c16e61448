package holdfasttest

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/store"
)

// NewServer returns a server on an empty database in memory, in real time. It
// is closed when the test ends, which fails if a player could not be saved or a
// value was changed in place.
func NewServer(t *testing.T, schema *profile.Schema, o *profile.Options) *profile.Server {
	t.Helper()
	srv, st := start(t, mem.Open(), schema, o)
	t.Cleanup(func() { stop(t, srv, st) })
	return srv
}

func start(t *testing.T, drv driver.DB, schema *profile.Schema, o *profile.Options) (*profile.Server, *store.DB) {
	t.Helper()
	st, err := store.New(drv, nil)
	if err != nil {
		t.Fatalf("holdfasttest: store.New: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv, err := profile.Open(ctx, st, schema, o)
	if err != nil {
		t.Fatalf("holdfasttest: profile.Open: %v", err)
	}
	return srv, st
}

// stop checks and closes a server.
func stop(t *testing.T, srv *profile.Server, st *store.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range srv.Profiles() {
		if err := profile.VerifyUnchanged(p); err != nil {
			t.Errorf("holdfasttest: %v", err)
		}
	}
	results, err := srv.Close(ctx)
	if err != nil {
		t.Errorf("holdfasttest: close the server: %v", err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("holdfasttest: %v was not saved: %v", r.Key, r.Err)
		}
	}
	if err := st.Close(ctx); err != nil {
		t.Errorf("holdfasttest: close the store: %v", err)
	}
}
