package holdfasttest

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/profile"
)

// MustOpen opens a player's profile, waiting for another server if need be. It
// fails the test if that takes over ten minutes, or the profile is errored.
func MustOpen(t *testing.T, srv *profile.Server, id string) *profile.Profile {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p, err := srv.Open(ctx, id, nil)
	if err != nil {
		t.Fatalf("holdfasttest: open %q: %v", id, err)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("holdfasttest: %q is errored: %v", id, err)
	}
	return p
}

// MustUpdate updates a profile in memory.
func MustUpdate(t *testing.T, p *profile.Profile, fn func(tx *profile.Tx) error) {
	t.Helper()
	if err := p.Update(fn); err != nil {
		t.Fatalf("holdfasttest: update %v: %v", p.Key(), err)
	}
}

// MustSave saves a profile and returns when it is in the database.
func MustSave(t *testing.T, p *profile.Profile) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Save(ctx); err != nil {
		t.Fatalf("holdfasttest: save %v: %v", p.Key(), err)
	}
}

// MustClose saves and releases a profile.
func MustClose(t *testing.T, p *profile.Profile) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Fatalf("holdfasttest: close %v: %v", p.Key(), err)
	}
}
