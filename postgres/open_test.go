package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

// changed returns a URL after f has changed it.
func changed(t testing.TB, text string, f func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	f(u)
	return u.String()
}

// with returns a URL with a parameter added.
func with(t testing.TB, text, name, value string) string {
	t.Helper()
	return changed(t, text, func(u *url.URL) {
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
	})
}

// refuses fails the test unless Open returns an error that matches want, and
// that does not tell the password.
func refuses(t *testing.T, text string, o *postgres.Options, want error) error {
	t.Helper()
	db, err := postgres.Open(t.Context(), text, o)
	if err == nil {
		db.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("Open: %v, want %v", err, want)
		return nil
	}
	for _, secret := range []string{"hunter2", "secret of the tests", "secret%20of"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("Open tells the password: %v", err)
		}
	}
	return err
}

func TestOpenRefusesBadURLs(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                 "",
		"no URL":                "host=localhost password=hunter2",
		"another scheme":        "mysql://u:hunter2@localhost/x",
		"a bad escape":          "postgres://u:hunter2%zz@localhost/x",
		"a slash in a password": "postgres://u:hunter2/x@localhost:70000000/x",
		"a hash in a password":  "postgres://u:hunter2#x@localhost/x",
		"a bad port":            "postgres://u:hunter2@localhost:notaport/x",
		"a port too large":      "postgres://u:hunter2@localhost:99999999/x",
		"a bad parameter":       "postgres://u:hunter2@localhost/x?%zz=hunter2",
		"a bad sslmode":         "postgres://u:hunter2@localhost/x?sslmode=hunter2",
		"a bad time-out":        "postgres://u:hunter2@localhost/x?connect_timeout=hunter2",
		"a control character":   "postgres://u:hunter2\x01@localhost/x",
		"schema upper case":     "postgres://u:hunter2@localhost/x?schema=Players",
		"schema of the server":  "postgres://u:hunter2@localhost/x?schema=pg_catalog",
		"schema with a quote":   "postgres://u:hunter2@localhost/x?schema=a%22b",
		"schema too long":       "postgres://u:hunter2@localhost/x?schema=" + strings.Repeat("s", 64),
		"no connections":        "postgres://u:hunter2@localhost/x?connections=0",
		"two connections":       "postgres://u:hunter2@localhost/x?connections=2",
		"negative connections":  "postgres://u:hunter2@localhost/x?connections=-5",
		"too many connections":  "postgres://u:hunter2@localhost/x?connections=1001",
		"connections in words":  "postgres://u:hunter2@localhost/x?connections=many",
		"another isolation":     "postgres://u:hunter2@localhost/x?isolation=read-uncommitted",
	} {
		t.Run(name, func(t *testing.T) { refuses(t, text, nil, driver.ErrInvalid) })
	}
}

func TestOpenRefusesServers(t *testing.T) {
	good := pgtest.URL(t)
	for _, c := range []struct {
		fact   string
		change func(u *url.URL)
		want   error
	}{
		{"AWrongPassword", func(u *url.URL) { u.User = url.UserPassword("holdfast", "hunter2") }, postgres.ErrLogin},
		{"AnUnknownUser", func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter2") }, postgres.ErrLogin},
		{"AnUnknownDatabase", func(u *url.URL) { u.Path = "/elsewhere" }, postgres.ErrNoDatabase},
		{"APortWhereNobodyListens", func(u *url.URL) { u.Host = "127.0.0.1:1" }, driver.ErrUnavailable},
		{"ADatabaseThatIsReadOnly", func(u *url.URL) { u.RawQuery += "&default_transaction_read_only=on" }, driver.ErrReadOnly},
		{"AnUnknownSetting", func(u *url.URL) { u.RawQuery += "&no_such_setting=1" }, driver.ErrInvalid},
	} {
		t.Run(c.fact, func(t *testing.T) { refuses(t, changed(t, good, c.change), nil, c.want) })
	}
	t.Run("TooFewConnections", func(t *testing.T) {
		tool := connect(t, good)
		for _, statement := range []string{
			"CREATE ROLE poor LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 1",
			"CREATE SCHEMA poor AUTHORIZATION poor",
		} {
			if _, err := tool.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { connect(t, good).Exec(context.Background(), "DROP OWNED BY poor; DROP ROLE poor") })
		poor := changed(t, good, func(u *url.URL) { u.User = url.UserPassword("poor", "hunter2"); u.RawQuery += "&schema=poor" })
		for _, limit := range []string{"1", "2"} { // one of each kind is needed
			if _, err := tool.Exec(t.Context(), "ALTER ROLE poor CONNECTION LIMIT "+limit); err != nil {
				t.Fatal(err)
			}
			err := refuses(t, poor, nil, driver.ErrUnavailable)
			if err == nil || !strings.Contains(err.Error(), "connections=") {
				t.Errorf("Open with %s connections: %v, want it to name connections=", limit, err)
			}
		}
	})
	t.Run("AnEndedContext", func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		cause := errors.New("stopped by the test")
		stop(cause)
		if _, err := postgres.Open(ctx, good, nil); !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, cause) {
			t.Errorf("Open: %v, want ErrUnavailable and the cause", err)
		}
	})
}

func TestOpenAndTheTables(t *testing.T) {
	t.Run("ForeignTablesAreLeftAlone", func(t *testing.T) {
		url := pgtest.URL(t)
		tool := connect(t, url)
		for _, schema := range []string{"holdfast", "other"} {
			table := map[string]string{"holdfast": "customers", "other": "entries"}[schema]
			if _, err := tool.Exec(t.Context(), fmt.Sprintf("CREATE SCHEMA %s; CREATE TABLE %[1]s.%s (n int)", schema, table)); err != nil {
				t.Fatal(err)
			}
			refuses(t, with(t, url, "schema", schema), nil, driver.ErrForeign)
			var n int
			if err := tool.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = $1", schema).Scan(&n); err != nil || n != 1 {
				t.Errorf("schema %s has %d tables, %v, want its one", schema, n, err)
			}
		}
	})
	t.Run("TablesOfTheUsersBesideOursAreFine", func(t *testing.T) {
		url := pgtest.URL(t)
		open(t, url, nil)
		if _, err := connect(t, url).Exec(t.Context(), "CREATE TABLE holdfast.notes (n int)"); err != nil {
			t.Fatal(err)
		}
		open(t, url, nil)
	})
	t.Run("ANewerFormatIsRefused", func(t *testing.T) {
		url := pgtest.URL(t)
		open(t, url, nil)
		if _, err := connect(t, url).Exec(t.Context(), "INSERT INTO holdfast.holdfast_migrations (version_id, is_applied) VALUES (99, true)"); err != nil {
			t.Fatal(err)
		}
		refuses(t, url, nil, driver.ErrFormat)
		refuses(t, url, &postgres.Options{ReadOnly: true}, driver.ErrFormat)
	})
	t.Run("MissingTables", func(t *testing.T) {
		url := pgtest.URL(t)
		refuses(t, url, &postgres.Options{ReadOnly: true}, postgres.ErrNoDatabase)
		refuses(t, url, &postgres.Options{MustExist: true}, postgres.ErrNoDatabase)
		err := refuses(t, url, &postgres.Options{NoMigrate: true}, postgres.ErrSchema)
		if err == nil || !strings.Contains(err.Error(), "holdfast migrate") {
			t.Errorf("Open: %v, want it to name holdfast migrate", err)
		}
		list, err := postgres.Migrations(t.Context(), url, nil)
		if err != nil || len(list) == 0 || !list[0].Applied.IsZero() {
			t.Errorf("Migrations = %v, %v, want some and none applied", list, err)
		}
		var n int
		if err := connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname = 'holdfast'").Scan(&n); err != nil || n != 0 {
			t.Errorf("a schema was made, %v", err)
		}
	})
	t.Run("OlderTables", func(t *testing.T) {
		url := pgtest.URL(t)
		open(t, url, nil)
		_, err := connect(t, url).Exec(t.Context(), `DELETE FROM holdfast.holdfast_migrations WHERE version_id = 3;
			DROP VIEW holdfast.players; DROP FUNCTION holdfast.unpack, holdfast.as_root, holdfast.as_text`)
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, url, &postgres.Options{NoMigrate: true}, postgres.ErrSchema)
		refuses(t, url, &postgres.Options{ReadOnly: true}, postgres.ErrSchema)
		list, err := postgres.Migrate(t.Context(), url, &postgres.Options{NoMigrate: true})
		if err != nil {
			t.Fatalf("Migrate: %v", err)
		}
		for _, m := range list {
			if m.Applied.IsZero() || m.Name == "" {
				t.Errorf("after Migrate: %+v is not applied", m)
			}
		}
		open(t, url, &postgres.Options{NoMigrate: true})
	})
	t.Run("PostgreSQLIsTuned", func(t *testing.T) {
		url := pgtest.URL(t)
		open(t, url, nil)
		var tables int
		err := connect(t, url).QueryRow(t.Context(), `SELECT count(*) FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'holdfast'
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'value' AND a.attstorage = 'e'
			WHERE c.relname IN ('entries', 'history') AND 'toast_tuple_target=8160' = ANY (c.reloptions)
			AND (c.relname = 'history' OR c.reloptions @> '{fillfactor=70,autovacuum_vacuum_cost_delay=0}')`).Scan(&tables)
		if err != nil || tables != 2 {
			t.Errorf("%d tables are tuned, %v, want two", tables, err)
		}
	})
	t.Run("EightAtOnceMakeThemOnce", func(t *testing.T) {
		url := pgtest.URL(t)
		dbs := make([]*postgres.DB, 8)
		var wg sync.WaitGroup
		for i := range dbs {
			wg.Go(func() {
				var err error
				if dbs[i], err = postgres.Open(t.Context(), url, nil); err != nil {
					t.Errorf("Open: %v", err)
				}
			})
		}
		wg.Wait()
		for i, db := range dbs {
			if db != nil {
				put(t, db, map[string]string{fmt.Sprintf("k/%d", i): "x"})
				db.Close()
			}
		}
		s, err := open(t, url, nil).List(t.Context(), driver.Query{})
		if err != nil || len(s.Entries) != len(dbs) {
			t.Errorf("List = %d entries, %v, want %d", len(s.Entries), err, len(dbs))
		}
	})
}

func TestOptions(t *testing.T) {
	t.Run("ReadOnlyReadsAndRefusesWrites", func(t *testing.T) {
		url := pgtest.URL(t)
		put(t, open(t, url, nil), map[string]string{"k": "v"})
		db := open(t, with(t, url, "default_transaction_read_only", "on"), &postgres.Options{ReadOnly: true})
		s, err := db.Read(t.Context(), "k")
		if err != nil || string(s.Entries[0].Value) != "v" {
			t.Errorf("Read = %v, %v", s, err)
		}
		_, err = db.Commit(t.Context(), driver.Group{Batches: []driver.Batch{{ID: newID(), Writes: []driver.Write{{Key: "k", Mode: driver.Always}}}}})
		if !errors.Is(err, driver.ErrReadOnly) {
			t.Errorf("Commit: %v, want ErrReadOnly", err)
		}
		if _, err := db.DeleteRange(t.Context(), "a", "z"); !errors.Is(err, driver.ErrReadOnly) {
			t.Errorf("DeleteRange: %v, want ErrReadOnly", err)
		}
	})
	t.Run("SchemasAreDatabasesOfTheirOwn", func(t *testing.T) {
		url := pgtest.URL(t)
		a, b := open(t, with(t, url, "schema", "a"), nil), open(t, url, &postgres.Options{Schema: "b"})
		put(t, a, map[string]string{"k": "in a"})
		put(t, b, map[string]string{"k": "in b"})
		for want, db := range map[string]*postgres.DB{"in a": a, "in b": b} {
			if s, err := db.Read(t.Context(), "k"); err != nil || string(s.Entries[0].Value) != want {
				t.Errorf("Read = %v, %v, want %q", s.Entries, err, want)
			}
		}
	})
	t.Run("ConnectionsAreDivided", func(t *testing.T) {
		url := pgtest.URL(t)
		for text, want := range map[string]int{"3": 1, "6": 2, "10": 4, "20": 9} {
			if got := open(t, with(t, url, "connections", text), nil).Info().Writers; got != want {
				t.Errorf("connections=%s: Writers = %d, want %d", text, got, want)
			}
		}
		if got := open(t, with(t, url, "connections", "20"), &postgres.Options{Connections: 6}).Info().Writers; got != 2 {
			t.Errorf("Options.Connections 6 over connections=20: Writers = %d, want 2", got)
		}
	})
	t.Run("SettingsOfConnections", func(t *testing.T) {
		url := pgtest.URL(t)
		db := open(t, with(t, url, "synchronous_commit", "off"), nil)
		got, err := db.Settings(t.Context(), "synchronous_commit", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "search_path", "application_name")
		want := []string{"on", "30s", "4s", "10s", `"holdfast"`, "holdfast"}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
	})
}
