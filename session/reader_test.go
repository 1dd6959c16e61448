package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// unwritable fails the test when a Reader writes.
type unwritable struct {
	driver.DB
	t    *testing.T
	list func(q driver.Query) // called before each List; may be nil
}

func (u unwritable) Close() error { return nil }

func (u unwritable) Commit(context.Context, driver.Group) ([]driver.Outcome, error) {
	u.t.Error("a Reader called Commit")
	return nil, driver.ErrReadOnly
}

func (u unwritable) List(ctx context.Context, q driver.Query) (driver.Snapshot, error) {
	if u.list != nil {
		u.list(q)
	}
	return u.DB.List(ctx, q)
}

// library is a database in memory with a server and a reader of it.
type library struct {
	*testing.T
	mem *mem.DB
	srv *session.Server
	rd  *session.Reader
}

func newLibrary(t *testing.T, list func(q driver.Query)) *library {
	t.Helper()
	l := &library{T: t, mem: mem.Open()}
	open := func(drv driver.DB) *store.DB {
		db, err := store.New(drv, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close(context.Background()) })
		return db
	}
	srv, err := session.Open(t.Context(), open(open2{l.mem}), &session.Options{Name: "game-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close(context.Background()) })
	l.srv, l.rd = srv, session.NewReader(open(unwritable{l.mem, t, list}), document.Limits{})
	return l
}

// open2 keeps the database open when one of its users closes it.
type open2 struct{ driver.DB }

func (open2) Close() error { return nil }

// make opens a player with a field n, and closes it unless it stays.
func (l *library) make(kind, id, n string, stays bool) *session.Session {
	l.Helper()
	s, err := l.srv.Open(l.Context(), session.Key{Kind: kind, ID: id}, nil)
	if err != nil {
		l.Fatal(err)
	}
	l.change(s, n)
	if !stays {
		if err := s.Close(l.Context()); err != nil {
			l.Fatal(err)
		}
	}
	return s
}

// change sets the field n and waits until the journal has it.
func (l *library) change(s *session.Session, n string) {
	l.Helper()
	l.set(s, document.Field("n"), n)
}

func (l *library) set(s *session.Session, p document.Path, value string) {
	l.Helper()
	tx, err := s.Begin()
	if err != nil {
		l.Fatal(err)
	}
	if err := tx.Set(p, []byte(value), false); err != nil {
		l.Fatal(err)
	}
	if err := errors.Join(session.Commit(false, tx), s.Sync(l.Context())); err != nil {
		l.Fatal(err)
	}
}

// keys returns the keys that a listing yields, those marked that cannot be
// read.
func (l *library) keys(o *session.RootsOptions) []string {
	l.Helper()
	var keys []string
	for info, err := range l.rd.Roots(l.Context(), o) {
		if err != nil {
			l.Fatalf("Roots(%+v): %v", o, err)
		}
		key := info.Key.String()
		if info.Err != nil {
			key += "!"
		}
		keys = append(keys, key)
	}
	return keys
}

func TestReader(t *testing.T) {
	for name, test := range map[string]func(t *testing.T){
		"PeekShowsWhatIsOnlyInTheJournal": func(t *testing.T) {
			l := newLibrary(t, nil)
			s := l.make("player", "1", "5", true)
			v, err := l.rd.Peek(t.Context(), s.Key())
			if err != nil {
				t.Fatal(err)
			}
			if got := string(v.Document.AppendJSON(nil)); got != `{"n":5}` {
				t.Errorf("Peek = %s, want what was appended", got)
			}
			if v.Holder == nil || v.Holder.Server != "game-1" || !v.Holder.Expires.After(time.Now()) {
				t.Errorf("Peek's holder = %+v, want game-1 with a lease that stands", v.Holder)
			}
		},
		"PeekSeesASaveThatCutsTheJournalMeanwhile": func(t *testing.T) {
			var meanwhile func()
			l := newLibrary(t, func(q driver.Query) {
				if fn := meanwhile; fn != nil && strings.HasPrefix(q.Prefix, "~journal/") {
					meanwhile = nil
					fn()
				}
			})
			s := l.make("player", "1", "5", true)
			if err := s.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.change(s, `{"a":1}`)
			time.Sleep(2 * time.Second) // the journal is cut once in a second
			meanwhile = func() {
				if err := s.Save(t.Context()); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				// What is in the journal now does not fit the root that the
				// reader has read, where n is a number.
				l.set(s, document.Element("n", "b"), "2")
			}
			v, err := l.rd.Peek(t.Context(), s.Key())
			if err != nil {
				t.Fatal(err)
			}
			if got := string(v.Document.AppendJSON(nil)); got != `{"n":{"a":1,"b":2}}` || meanwhile != nil {
				t.Errorf("Peek = %s, want the state after the save", got)
			}
		},
		"PeekTellsNothingFromDamage": func(t *testing.T) {
			l := newLibrary(t, nil)
			if _, err := l.rd.Peek(t.Context(), session.Key{Kind: "player", ID: "1"}); !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Peek of nobody = %v, want %v", err, session.ErrNotFound)
			}
			s := l.make("player", "1", "5", false)
			if err := l.mem.Damage(s.Key().String()); err != nil {
				t.Fatal(err)
			}
			if _, err := l.rd.Peek(t.Context(), s.Key()); !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("Peek of a damaged root = %v, want %v", err, driver.ErrCorrupt)
			}
		},
		"RootsAreAllPlayersInOrder": func(t *testing.T) {
			l := newLibrary(t, nil)
			var want []string
			for i := range 300 { // more than a page
				id := fmt.Sprintf("%03d", i)
				l.make("player", id, "1", false)
				want = append(want, "player/"+id)
			}
			l.make("guild", "a/b", "1", false)
			l.make("players", "1", "1", true)
			all := append([]string{"guild/a%2Fb"}, append(slices.Clone(want), "players/1")...)
			for _, c := range []struct {
				o    *session.RootsOptions
				want []string
			}{
				{nil, all},
				{&session.RootsOptions{Kind: "player"}, want},
				{&session.RootsOptions{Kind: "player", ID: "29"}, want[290:]},
				{&session.RootsOptions{Kind: "player", After: session.Key{Kind: "player", ID: "297"}}, want[298:]},
				{&session.RootsOptions{Kind: "guild", ID: "a/"}, all[:1]},
				{&session.RootsOptions{Kind: "monster"}, nil},
			} {
				if got := l.keys(c.o); !slices.Equal(got, c.want) {
					t.Errorf("Roots(%+v) yields %d keys %q, want %d", c.o, len(got), got, len(c.want))
				}
			}
		},
		"RootsShowWhatIsDamagedAndWhoHolds": func(t *testing.T) {
			l := newLibrary(t, nil)
			l.make("player", "1", "1", false)
			l.make("player", "2", "2", false)
			l.make("player", "3", "3", true)
			if err := l.mem.Damage("player/2"); err != nil {
				t.Fatal(err)
			}
			if got, want := l.keys(nil), []string{"player/1", "player/2!", "player/3"}; !slices.Equal(got, want) {
				t.Errorf("Roots yields %q, want %q", got, want)
			}
			for info := range l.rd.Roots(t.Context(), nil) {
				held := info.Holder != nil && info.Holder.Server == "game-1" && info.Holder.Expires.After(time.Now())
				if held != (info.Key.ID == "3") || info.Bytes == 0 || info.Version.IsZero() || info.Updated.IsZero() {
					t.Errorf("Roots yields %+v", info)
				}
			}
		},
		"LeasesAreThoseOfAllServers": func(t *testing.T) {
			l := newLibrary(t, nil)
			time.Sleep(100 * time.Millisecond)
			for info, err := range l.rd.Leases(t.Context()) {
				if err != nil || info.Err != nil {
					t.Fatal(err, info.Err)
				}
				left := time.Until(info.Expires)
				if info.Server != "game-1" || info.ID != l.srv.LeaseID() || info.Length != 10*time.Second || info.SealedBy != "" ||
					left <= 8*time.Second || left > 10*time.Second {
					t.Errorf("Leases yields %+v, want the one of game-1 with nearly 10 s left", info)
				}
			}
			if err := l.mem.Damage("~lease/" + l.srv.LeaseID()); err != nil {
				t.Fatal(err)
			}
			n := 0
			for info, err := range l.rd.Leases(t.Context()) {
				n++
				if err != nil || !errors.Is(info.Err, driver.ErrCorrupt) {
					t.Errorf("Leases yields %+v, %v, want one that is damaged", info, err)
				}
			}
			if n != 1 {
				t.Errorf("Leases yields %d, want 1", n)
			}
		},
		"AnUnreachableDatabaseIsAnError": func(t *testing.T) {
			l := newLibrary(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for _, err := range l.rd.Roots(ctx, nil) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Roots = %v, want %v", err, context.Canceled)
				}
			}
			for _, err := range l.rd.Leases(ctx) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("Leases = %v, want %v", err, context.Canceled)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

// A reader needs no lease: tools look at players with it while servers play.
func ExampleReader() {
	ctx := context.Background()
	db, err := store.New(mem.Open(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close(ctx)
	srv, err := session.Open(ctx, db, &session.Options{Name: "game-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close(ctx)
	if _, err := srv.Open(ctx, session.Key{Kind: "player", ID: "42"}, nil); err != nil {
		fmt.Println(err)
		return
	}

	rd := session.NewReader(db, document.Limits{})
	for info, err := range rd.Roots(ctx, &session.RootsOptions{Kind: "player"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(info.Key, "is held by", info.Holder.Server)
	}
	// Output: player/42 is held by game-1
}
