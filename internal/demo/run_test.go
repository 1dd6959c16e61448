package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// mustRun runs a demo and fails the test if a promise was broken. Limits in
// time are not judged: tests do not depend on the machine's speed.
func mustRun(t *testing.T, o *Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", b.String())
	for _, line := range r.Broken {
		t.Errorf("Run broke a promise: %s", line)
	}
	return r
}

func TestRunKeepsEveryPromise(t *testing.T) {
	onEach(t, orAll(onSQLite, onPostgresNATS), func(t *testing.T, o *Options, _ *home) {
		o.Play, o.Players = 6*time.Second, 12
		r := mustRun(t, o)
		if r.Players != 12 || r.Servers != 3 || r.DocumentsEqual != 12 || r.Documents != 12 {
			t.Errorf("Run had %d players, %d servers, %d of %d documents equal; want 12, 3, 12 of 12", r.Players, r.Servers, r.DocumentsEqual, r.Documents)
		}
		if r.Kills != 1 || r.TakeOver <= 0 || r.Acked == 0 {
			t.Errorf("Run had %d kills, a take-over of %v ms, %d acknowledged updates; want one, some, some", r.Kills, r.TakeOver, r.Acked)
		}
		if canStop && (r.Stops != 1 || r.SessionsTaken == 0 || r.SessionsLost != r.SessionsTaken || r.LateWrites == 0 || r.LateAccepted != 0) {
			t.Errorf("Run had %d stops, %d sessions taken over, %d reported lost, %d of %d late writes accepted", r.Stops, r.SessionsTaken, r.SessionsLost, r.LateAccepted, r.LateWrites)
		}
		checkKeys(t, r)
	})
}

// checkKeys checks the names that scripts rely on.
func checkKeys(t *testing.T, r *Report) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"players", "updates_acknowledged", "updates_lost", "double_owners", "documents_equal", "handover_p50_ms",
		"handover_p99_ms", "takeover_ms", "loss_window_ms", "items_created_or_destroyed", "append_interval_ms", "slowest_append_ms",
	} {
		if _, ok := got[key]; !ok {
			t.Errorf("the report's JSON has no %q: %s", key, text)
		}
	}
}

// TestRunOnRealPlayers runs with documents and times of real players, if they
// are there.
func TestRunOnRealPlayers(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("HOLDFAST_DOCUMENTS")
	if dir == "" {
		dir = "../../../shared/data"
	}
	o := testOptions(t)
	o.Documents, o.Trace, o.Play = filepath.Join(dir, "documents"), filepath.Join(dir, "sessions.csv"), 4*time.Second
	for _, path := range []string{o.Documents, o.Trace} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("no data of real players: %v", err)
		}
	}
	if r := mustRun(t, o); r.DocumentsEqual != r.Documents || r.Documents != r.Players || r.Players < 6 {
		t.Errorf("Run had %d of %d documents equal with %d players", r.DocumentsEqual, r.Documents, r.Players)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"OneServer":       func(o *Options) { o.Servers = 1 },
		"TooManyServers":  func(o *Options) { o.Servers = MaxServers + 1 },
		"NegativePlayers": func(o *Options) { o.Players = -1 },
		"TooManyPlayers":  func(o *Options) { o.Players = MaxPlayers + 1 },
		"TooShort":        func(o *Options) { o.Play = time.Millisecond },
		"TooLong":         func(o *Options) { o.Play = 2 * time.Hour },
		"Memory":          func(o *Options) { o.DB = "mem:" },
		"TooShortALease":  func(o *Options) { o.Lease = session.MinLease - 1 },
		"TooLongALease":   func(o *Options) { o.Lease = maxLease + 1 },
		"BusInAProcess":   func(o *Options) { o.Bus = "local:" },
		"NoWayToOpenABus": func(o *Options) { o.Bus, o.OpenBus = "nats://127.0.0.1", nil },
		"NoServerProgram": func(o *Options) { o.Server = nil },
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t)
			change(o)
			if _, err := Run(t.Context(), o); !errors.Is(err, ErrOption) {
				t.Errorf("Run = %v, want %v", err, ErrOption)
			}
		})
	}
}

func TestRunRefusesADatabaseThatHasAPlayer(t *testing.T) {
	o := testOptions(t)
	players, err := population(&Options{Players: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(t.Context(), o, o.DB, players); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrExists) {
		t.Errorf("Run on a database with a player of the same name = %v, want %v", err, ErrExists)
	}
}

// gate is a database that can be shut for commits.
type gate struct {
	driver.DB
	shut atomic.Bool
}

func (g *gate) Commit(ctx context.Context, group driver.Group) ([]driver.Outcome, error) {
	if g.shut.Load() {
		return nil, driver.ErrUnavailable
	}
	return g.DB.Commit(ctx, group)
}

func TestFresh(t *testing.T) {
	t.Parallel()
	o := testOptions(t)
	o.Lease = session.MinLease
	players := settle(t, o, 3)
	fresh := func() error {
		again := *o
		again.Fresh = true
		_, err := load(t.Context(), &again, o.DB, players)
		return err
	}
	if err := fresh(); err != nil {
		t.Fatalf("load in the place of an earlier demo: %v", err)
	}
	drv, err := openDB(t.Context(), o.DB)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{DB: drv}
	db, err := store.New(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := session.Open(t.Context(), db, &session.Options{Name: "amber", Lease: session.MinLease})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Open(t.Context(), session.Key{Kind: Kind, ID: players[1].id}, nil); err != nil {
		t.Fatal(err)
	}
	if err := fresh(); !errors.Is(err, errInUse) || !strings.Contains(err.Error(), players[1].id) {
		t.Errorf("load while a server holds %s = %v, want %v", players[1].id, err, errInUse)
	}
	for id, f := range finalsOf(t, o, players) {
		if f.err != nil || !f.same {
			t.Errorf("a load that was refused left %s as %+v", id, f)
		}
	}
	g.shut.Store(true) // the server dies with its lock
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if results, err := srv.Close(ended); len(results) != 1 || results[0].Err == nil {
		t.Errorf("Close without a database = %v, %v, want the player not saved", results, err)
	}
	_ = db.Close(ended)
	err = poll(t.Context(), "the dead server's lease is over", func() bool {
		err := fresh()
		if err != nil && !errors.Is(err, errInUse) {
			t.Fatalf("load in the place of a demo that was cut short: %v", err)
		}
		return err == nil
	})
	if err != nil {
		t.Error(err)
	}
	if f := finalsOf(t, o, players)[players[1].id]; f.err != nil || !f.same || f.holder != "" {
		t.Errorf("the player that was held ends as %+v", f)
	}
}

func TestRunTellsWhyTheBusDoesNotOpen(t *testing.T) {
	o := testOptions(t)
	broken := errors.New("broken")
	o.Bus, o.OpenBus = "nats://127.0.0.1", func(context.Context, string) (Bus, error) { return nil, broken }
	if _, err := Run(t.Context(), o); !errors.Is(err, broken) {
		t.Errorf("Run = %v, want %v", err, broken)
	}
}

func TestWithoutSecrets(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"sqlite:players.db":            "sqlite:players.db",
		"sqlite:///var/lib/players.db": "sqlite:///var/lib/players.db",
		"postgres://game:secret@db.example.com:5432/game?password=secret&sslmode=disable": "postgres://db.example.com:5432/game",
		"nats://secret@127.0.0.1:4222": "nats://127.0.0.1:4222",
		"postgres://game:se%zzcret@db": "a URL that cannot be read",
	} {
		if got := withoutSecrets(text); got != want {
			t.Errorf("withoutSecrets(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	o := testOptions(t)
	o.DB = "" // a temporary folder
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.View = writerFunc(func(b []byte) {
		if bytes.Contains(b, []byte("servers are up")) {
			cancel()
		}
	})
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a context that ends = %v, want %v", err, context.Canceled)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("Run left %v behind, %v", left, err)
	}
}

// writerFunc is called with what is written.
type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

func TestRunTellsWhyAServerDidNotStart(t *testing.T) {
	o := testOptions(t)
	o.Env = append(o.Env, asServer+"=fail")
	_, err := Run(t.Context(), o)
	if !errors.Is(err, errGone) || !bytes.Contains([]byte(err.Error()), []byte("told to fail")) {
		t.Errorf("Run with servers that fail = %v, want %v and what they wrote", err, errGone)
	}
}

func TestRunTellsWhyTheDatabaseDoesNotOpen(t *testing.T) {
	o := testOptions(t)
	broken := errors.New("broken")
	o.Open = func(context.Context, string) (driver.DB, error) { return nil, broken }
	if _, err := Run(t.Context(), o); !errors.Is(err, broken) {
		t.Errorf("Run = %v, want %v", err, broken)
	}
}
