package postgres

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-games/holdfast/internal/pgtest"
)

func mustOpen(t *testing.T, url string) *DB {
	t.Helper()
	db, err := Open(t.Context(), url, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// settingsOf returns settings of a connection of a pool.
func settingsOf(t *testing.T, p *pgxpool.Pool, names ...string) map[string]string {
	t.Helper()
	got := make(map[string]string)
	for _, name := range names {
		var value *string
		if err := p.QueryRow(t.Context(), "SELECT current_setting($1, true)", name).Scan(&value); err != nil {
			t.Fatalf("setting %s: %v", name, err)
		}
		if value != nil {
			got[name] = *value
		}
	}
	return got
}

func TestConnections(t *testing.T) {
	server := pgtest.URL(t)
	db := mustOpen(t, server)
	t.Run("AskTheServerToNoticeThatAClientHasGone", func(t *testing.T) {
		want := map[string]string{
			"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", "tcp_user_timeout": "10000",
			"client_connection_check_interval": "2s",
		}
		for name, p := range map[string]*pgxpool.Pool{"writes": db.writes, "urgent": db.urgent, "reads": db.reads} {
			got := settingsOf(t, p, "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout", "client_connection_check_interval")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("settings of %s (-want +got):\n%s", name, diff)
			}
		}
	})
	t.Run("OfUrgentGroupsAreLessPatient", func(t *testing.T) {
		known := settingsOf(t, db.urgent, "transaction_timeout") // from 17 on
		for p, want := range map[*pgxpool.Pool]map[string]string{
			db.urgent: {"lock_timeout": "2s", "transaction_timeout": "10s"},
			db.writes: {"lock_timeout": "4s", "transaction_timeout": "2min"},
			db.reads:  {"lock_timeout": "4s", "transaction_timeout": "2min"},
		} {
			if len(known) == 0 {
				delete(want, "transaction_timeout")
			}
			if diff := cmp.Diff(want, settingsOf(t, p, "lock_timeout", "transaction_timeout")); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		}
	})
	t.Run("GiveUpAHostThatIsSilent", func(t *testing.T) {
		for name, c := range map[string]struct {
			parameter string
			pool      func(*DB) *pgxpool.Pool
			want      time.Duration
		}{
			"urgent":                    {"", func(db *DB) *pgxpool.Pool { return db.urgent }, 2 * time.Second},
			"writes":                    {"", func(db *DB) *pgxpool.Pool { return db.writes }, 5 * time.Second},
			"urgent, as the URL has it": {"&connect_timeout=60", func(db *DB) *pgxpool.Pool { return db.urgent }, time.Minute},
		} {
			if got := c.pool(mustOpen(t, server+c.parameter)).Config().ConnConfig.ConnectTimeout; got != c.want {
				t.Errorf("%s: after %v, want %v", name, got, c.want)
			}
		}
	})
	t.Run("KnowWhichProcessOfTheServersServesThem", func(t *testing.T) {
		c := acquire(t, db.urgent)
		var want, got backend
		if err := c.QueryRow(t.Context(), "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&want.pid, &want.began); err != nil {
			t.Fatal(err)
		}
		got, _ = c.Conn().PgConn().CustomData()[served].(backend)
		if got.pid != want.pid || !got.began.Equal(want.began) {
			t.Errorf("backend = %+v, want %+v", got, want)
		}
	})
	t.Run("WorkOverAUnixSocket", func(t *testing.T) {
		var folders string
		if err := db.reads.QueryRow(t.Context(), "SHOW unix_socket_directories").Scan(&folders); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		u.RawQuery = url.Values{"host": {folders}, "port": {u.Port()}}.Encode()
		u.Host = ""
		local := mustOpen(t, u.String())
		if _, err := local.Read(t.Context(), "k"); err != nil {
			t.Errorf("Read: %v", err)
		}
		if c := acquire(t, local.writes); c.Conn().PgConn().Conn().RemoteAddr().Network() != "unix" {
			t.Errorf("it is connected by %v, want a unix socket", c.Conn().PgConn().Conn().RemoteAddr())
		}
	})
	t.Run("AreCutByHangingUp", func(t *testing.T) {
		db := mustOpen(t, server)
		c := acquire(t, db.reads)
		db.hangUp()
		for err := error(nil); err == nil; {
			_, err = c.Exec(t.Context(), "SELECT 1")
		}
		if _, err := db.Read(t.Context(), "k"); err == nil {
			t.Error("Read after hanging up: no error, want none of the connections to serve it")
		}
	})
	t.Run("DoWithoutSettingsThatTheServerRefuses", func(t *testing.T) {
		c, err := pgx.Connect(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		// Within a transaction that has failed the server refuses everything.
		if _, err := c.Exec(t.Context(), "BEGIN"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(t.Context(), "no statement"); err == nil {
			t.Fatal("the server took what is no statement")
		}
		if err := tune(t.Context(), c, patient); err != nil {
			t.Errorf("tune = %v, want nil", err)
		}
	})
}

// acquire takes a connection of a pool until the test ends.
func acquire(t *testing.T, p *pgxpool.Pool) *pgxpool.Conn {
	t.Helper()
	c, err := p.Acquire(t.Context())
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	t.Cleanup(c.Release)
	return c
}

func TestSweep(t *testing.T) {
	server := pgtest.URL(t)
	db := mustOpen(t, server)
	dead, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close(context.Background())
	var b backend
	if err := dead.QueryRow(t.Context(), "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&b.pid, &b.began); err != nil {
		t.Fatal(err)
	}
	there := func() (n int) {
		if err := db.writes.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", b.pid).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Run("LeavesAConnectionThatIsInNobodysWay", func(t *testing.T) {
		db.sweeper.sweep([]backend{b})
		if there() == 0 {
			t.Error("an idle connection was ended")
		}
	})
	f := dead.PgConn().Frontend()
	f.SendParse(&pgproto3.Parse{Query: "SELECT 1"})
	f.SendBind(&pgproto3.Bind{})
	f.SendExecute(&pgproto3.Execute{})
	f.Send(&pgproto3.Flush{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	for waits := false; !waits; {
		if err := db.writes.QueryRow(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND wait_event = 'ClientRead'", b.pid).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("LeavesAProcessThatHasTheIdOfAnother", func(t *testing.T) {
		db.sweeper.sweep([]backend{{b.pid, b.began.Add(-time.Microsecond)}})
		if there() == 0 {
			t.Error("a process that began at another time was ended")
		}
	})
	t.Run("EndsAProcessThatWasGivenUpInTheMiddle", func(t *testing.T) {
		db.sweeper.sweep([]backend{b})
		for there() > 0 {
			if t.Context().Err() != nil {
				t.Fatal("it is still there")
			}
		}
	})
}
