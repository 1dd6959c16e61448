package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/mem"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(built.dir)
		os.Exit(code)
	}))
}

// world is a database that outlives the commands which are run on it.
type world struct {
	*testing.T
	url     string
	engines []engine
	mem     *mem.DB                      // behind "shared:"
	asks    bool                         // commands may ask
	wrap    func(db driver.DB) driver.DB // around what commands open; nil: nothing
}

// newWorld returns a world whose database is in memory.
func newWorld(t *testing.T) *world {
	w := &world{T: t, url: "shared:", mem: mem.Open()}
	t.Cleanup(func() { w.mem.Close() })
	w.engines = append(w.engines, engines...)
	w.engines = append(w.engines, engine{"shared", "shared:", func(_ context.Context, _ *url.URL, a access) (driver.DB, error) {
		var db driver.DB = kept{w.mem}
		if a == reading {
			db = readOnly{db, t}
		}
		if w.wrap != nil {
			db = w.wrap(db)
		}
		return db, nil
	}})
	return w
}

// newFile returns a world whose database is a SQLite file that does not exist.
func newFile(t *testing.T) (*world, string) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "players.db")
	w.url = fileURL(path)
	return w, path
}

// fileURL names a SQLite file.
func fileURL(path string) string { return (&url.URL{Scheme: "sqlite", Path: path}).String() }

// in returns the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	c := *w
	c.T = t
	return &c
}

// kept is a database that stays open when a command closes it.
type kept struct{ driver.DB }

func (kept) Close() error { return nil }

// readOnly fails the test when a command that reads writes.
type readOnly struct {
	driver.DB
	t *testing.T
}

func (r readOnly) Commit(context.Context, driver.Group) ([]driver.Outcome, error) {
	r.t.Error("a command that reads called Commit")
	return nil, driver.ErrReadOnly
}

func (r readOnly) DeleteRange(context.Context, string, string) (int, error) {
	r.t.Error("a command that reads called DeleteRange")
	return 0, driver.ErrReadOnly
}

// result is what a command did.
type result struct {
	*testing.T
	args     []string
	code     int
	out, err string
}

// reasoned adds to a command that is an operator's act what every one must have, if it
// is not what the test is about.
func reasoned(args []string) []string {
	acts := map[string]bool{"set": true, "restore": true, "unlock": true}
	verbs := map[string]bool{"mail send": true, "mail resend": true, "mail discard": true, "grant create": true, "grant cancel": true,
		"slots switch": true, "slots copy": true, "slots rename": true, "slots delete": true, "slots undelete": true}
	name := args[:min(len(args), 2)]
	act := len(args) > 0 && (acts[args[0]] || verbs[strings.Join(name, " ")] || args[0] == "import" && slices.Contains(args, "--replace"))
	if !act || slices.Contains(args, "--help") {
		return args
	}
	if !slices.Contains(args, "--reason") {
		args = append(slices.Clone(args), "--reason", "a test")
	}
	if args[0] == "restore" && !slices.Contains(args, "--all") {
		args = append(slices.Clone(args), "--yes")
	}
	return args
}

// with runs a command line, with the database in front and in as its input. An act gets a
// reason if it has none.
func (w *world) with(in string, args ...string) result { return w.bare(in, reasoned(args)...) }

// bare is with for the arguments as they are.
func (w *world) bare(in string, args ...string) result {
	var out, errs bytes.Buffer
	e := &env{in: strings.NewReader(in), out: &out, err: &errs, asks: w.asks, engines: w.engines}
	all := args
	if w.url != "" {
		all = append([]string{"--db", w.url}, args...)
	}
	code := e.run(context.Background(), all)
	return result{w.T, args, code, out.String(), errs.String()}
}

func (w *world) run(args ...string) result {
	w.Helper()
	return w.with("", args...)
}

// ok runs a command that must succeed, and returns its output.
func (w *world) ok(args ...string) string {
	w.Helper()
	return w.run(args...).is(exitOK).out
}

// is fails the test unless the exit code is code and the output or the errors
// contain each of want.
func (r result) is(code int, want ...string) result {
	r.Helper()
	if r.code != code {
		r.Fatalf("holdfast %.200q = exit code %d, want %d; output\n%.2000s\nerrors\n%.2000s", r.args, r.code, code, r.out, r.err)
	}
	for _, s := range want {
		if !strings.Contains(r.out+r.err, s) {
			r.Errorf("holdfast %.200q wrote\n%.2000s\n%.2000s\nwant %q in it", r.args, r.out, r.err, s)
		}
	}
	return r
}

// lines decodes the output as JSON Lines.
func lines[T any](t *testing.T, out string) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(out) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("line %q is no JSON: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

// equal fails the test unless the two are the same JSON in meaning.
func (w *world) equal(what string, got, want []byte) {
	w.Helper()
	if !document.Equal(got, want) {
		w.Errorf("%s = %.300s, want %.300s", what, got, want)
	}
}

// write makes a file in a folder and returns its path.
func (w *world) write(dir, name, text string) string {
	w.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		w.Fatal(err)
	}
	return path
}

// add makes a player.
func (w *world) add(key, text string) {
	w.Helper()
	w.with(`{"key":"`+key+`","data":`+text+"}\n", "import", "-").is(exitOK)
}

// gameServer is another server on the world's database in memory.
type gameServer struct {
	*session.Server
	db *store.DB
}

func (w *world) game(drv driver.DB, o session.Options) *gameServer {
	w.Helper()
	db, err := store.New(drv, nil)
	if err != nil {
		w.Fatal(err)
	}
	srv, err := session.Open(w.Context(), db, &o)
	if err != nil {
		w.Fatal(err)
	}
	return &gameServer{srv, db}
}

// open opens a player on the server.
func (g *gameServer) open(t *testing.T, key string) *session.Session {
	t.Helper()
	k, err := session.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := g.Open(t.Context(), k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// close closes the server, within ctx.
func (g *gameServer) close(ctx context.Context) {
	_, _ = g.Close(ctx)
	_ = g.db.Close(ctx)
}

// closed returns a context that has ended.
func closed() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
