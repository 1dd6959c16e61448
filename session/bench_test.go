package session_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// benchServer is a server over a database in memory, in real time.
func benchServer(b *testing.B) *session.Server {
	b.Helper()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		b.Fatal(err)
	}
	srv, err := session.Open(b.Context(), db, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if _, err := srv.Close(context.Background()); err != nil {
			b.Error(err)
		}
		if err := db.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return srv
}

func benchSession(b *testing.B, srv *session.Server, id string) *session.Session {
	b.Helper()
	s, err := srv.Open(b.Context(), session.Key{Kind: "player", ID: id}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 20 {
		if err := set(s, fmt.Sprint("field", i), `{"some":"value","of":100,"bytes":[1,2,3,4,5,6,7,8]}`); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkChange is Begin, Set and Commit of one small field.
func BenchmarkChange(b *testing.B) {
	s := benchSession(b, benchServer(b), "alice")
	values := [][]byte{[]byte("100"), []byte("101")}
	path := document.Field("coins")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tx, err := s.Begin()
		if err != nil {
			b.Fatal(err)
		}
		if err := tx.Set(path, values[i&1], false); err != nil {
			b.Fatal(err)
		}
		if err := session.Commit(false, tx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend is one append that carries a change of each of n sessions.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			srv := benchServer(b)
			var ss []*session.Session
			for i := range n {
				ss = append(ss, benchSession(b, srv, fmt.Sprint(i)))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				value := fmt.Sprint(i)
				for _, s := range ss {
					if err := set(s, "coins", value); err != nil {
						b.Fatal(err)
					}
				}
				if err := ss[n-1].Sync(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpenClose opens a player, changes it and closes it.
func BenchmarkOpenClose(b *testing.B) {
	srv := benchServer(b)
	key := session.Key{Kind: "player", ID: "alice"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s, err := srv.Open(b.Context(), key, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := set(s, "coins", fmt.Sprint(i)); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
