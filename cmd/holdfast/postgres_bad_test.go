package main

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// everySort is one line for each sort of command: one that reads, one that
// edits, one that creates, and the demo.
var everySort = []struct {
	args []string
	in   string
}{
	{[]string{"get", "player/1"}, ""},
	{[]string{"list"}, ""},
	{[]string{"set", "player/1", "n", "2"}, ""},
	{[]string{"import", "-"}, `{"key":"player/2","data":{}}`},
	{[]string{"demo", "--seconds", "1"}, ""},
}

// change returns a URL with something changed.
func change(t *testing.T, text string, fn func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	fn(u)
	return u.String()
}

// deadAddress returns an address at which nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestPostgresThatIsNotThere runs a command of each sort with URLs that are
// wrong in one way: each says which, and none shows the password.
func TestPostgresThatIsNotThere(t *testing.T) {
	good := pgtest.URL(t)
	for _, c := range []struct {
		name string
		url  string
		code int
		want string
	}{
		{"WrongPassword", change(t, good, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "hunter2") }), exitError, "refuses the login"},
		{"UnknownUser", change(t, good, func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter2") }), exitError, "refuses the login"},
		{"UnknownDatabase", change(t, good, func(u *url.URL) { u.Path = "/missing" }), exitNotFound, "no such database"},
		{"NobodyListens", change(t, good, func(u *url.URL) { u.Host = deadAddress(t) }), exitError, "refused"},
		{"WrongEscape", "postgres://game:hunter2%zz@127.0.0.1/game", exitUsage, "%25"},
		{"WrongPort", "postgres://game:hunter2@127.0.0.1:port/game", exitUsage, "URL"},
		{"PasswordThatIsNotEscaped", "postgres://game:hunter2#x@127.0.0.1/game", exitUsage, "URL"},
		{"WrongParameter", good + "&connections=none", exitUsage, "connections"},
		{"TooFewConnections", good + "&connections=1", exitUsage, "connections"},
		{"WrongScheme", "postgre://game:hunter2@127.0.0.1/game", exitUsage, "postgres://"},
	} {
		for _, sort := range everySort {
			t.Run(c.name+"SaidBy"+sort.args[0], func(t *testing.T) {
				w := newWorld(t)
				w.url = c.url
				args := sort.args
				if args[0] != "demo" {
					args = append(args, "--timeout", "2s")
				}
				r := w.with(sort.in, args...).is(c.code, c.want)
				noSecret(t, r.out+r.err)
				t.Logf("%s", r.err)
			})
		}
	}
}

// TestPostgresWithTooFewConnections lets a user have fewer connections than a
// command needs.
func TestPostgresWithTooFewConnections(t *testing.T) {
	w := newWorld(t)
	w.url = pgtest.URL(t)
	w.add("player/1", `{"n":1}`)
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	role := "limited_" + database
	exec := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if err := pgtest.Shared(t).Exec(context.Background(), database, s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	exec(
		"CREATE ROLE "+role+" LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 1",
		"GRANT ALL ON SCHEMA holdfast TO "+role, "GRANT ALL ON ALL TABLES IN SCHEMA holdfast TO "+role,
	)
	t.Cleanup(func() { exec("DROP OWNED BY "+role, "DROP ROLE "+role) })
	limited := *w
	limited.url = change(t, w.url, func(u *url.URL) { u.User = url.UserPassword(role, "hunter2") })
	for _, sort := range everySort[2:] {
		t.Run(sort.args[0]+"SaysSo", func(t *testing.T) {
			args := sort.args
			if args[0] != "demo" {
				args = append(args, "--timeout", "2s")
			}
			r := limited.in(t).with(sort.in, args...).is(exitError, "too many connections")
			noSecret(t, r.out+r.err)
		})
	}
	w.equal("player/1 afterwards", []byte(w.ok("get", "player/1")), []byte(`{"n":1}`))
}

// dataFolder returns where a PostgreSQL has its files.
func dataFolder(t *testing.T, url string) (path string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.QueryRow(t.Context(), "SHOW data_directory").Scan(&path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPostgresReplica turns a server into a hot standby, as after a failover
// the URL may name the wrong one: what reads works, what writes says why not.
func TestPostgresReplica(t *testing.T) {
	pg := pgtest.Start(t)
	w := newWorld(t)
	w.url = pg.URL()
	w.add("player/1", `{"n":1}`)
	data := dataFolder(t, w.url)
	signal := filepath.Join(data, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	pg.Restart()
	for _, sort := range everySort[:2] {
		t.Run(sort.args[0]+"Reads", func(t *testing.T) { w.in(t).ok(sort.args...) })
	}
	for _, sort := range everySort[2:] {
		t.Run(sort.args[0]+"SaysSo", func(t *testing.T) {
			r := w.in(t).with(sort.in, sort.args...).is(exitError, "read-only", "Nothing was written")
			noSecret(t, r.out+r.err)
		})
	}
	if err := os.Remove(signal); err != nil {
		t.Fatal(err)
	}
	pg.Restart()
	w.equal("player/1 afterwards", []byte(w.ok("get", "player/1")), []byte(`{"n":1}`))
	w.ok("set", "player/1", "n", "2")
}
