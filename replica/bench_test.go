package replica_test

import (
	"context"
	"testing"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
)

// BenchmarkUpdate changes one number of a player whom nobody watches, of one whose last
// watcher may come back, and of one who is watched.
func BenchmarkUpdate(b *testing.B) {
	for _, how := range []string{"NoReplication", "NotWatched", "Lingering", "Watched"} {
		b.Run(how, func(b *testing.B) {
			profiles, p, closeAll := exampleProfiles(context.Background())
			defer closeAll()
			if how != "NoReplication" {
				s, err := replica.NewServer(profiles, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				watch(b, s, how)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Update(func(tx *profile.Tx) error { return coins.Add(tx, 1) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead reads one number of a player who is watched.
func BenchmarkRead(b *testing.B) {
	profiles, p, closeAll := exampleProfiles(context.Background())
	defer closeAll()
	s, err := replica.NewServer(profiles, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	watch(b, s, "Watched")
	b.ReportAllocs()
	for b.Loop() {
		coins.Get(p)
	}
}

func watch(b *testing.B, s *replica.Server, how string) {
	b.Helper()
	if how == "NotWatched" {
		return
	}
	w, err := s.Watch("42", replica.Position{}, func() {})
	if err != nil {
		b.Fatal(err)
	}
	w.Poll()
	if how == "Lingering" {
		w.Close()
		return
	}
	b.Cleanup(w.Close)
}
