package wire_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/internal/wire"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bench is a row of its own in a table that all share, a proxy before the
// database, and a direct connection.
type bench struct {
	t      *testing.T
	row    string
	ctx    context.Context
	proxy  *wire.Proxy
	url    string
	direct *pgx.Conn
}

func newBench(t *testing.T) *bench {
	t.Helper()
	server := pgtest.Shared(t).URL("postgres")
	p, err := wire.ListenPostgres(server)
	if err != nil {
		t.Fatalf("ListenPostgres: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	url, err := p.URL(server)
	if err != nil {
		t.Fatalf("URL: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	b := &bench{t: t, row: t.Name(), ctx: ctx, proxy: p, url: url}
	b.direct = b.connect(server)
	b.exec("CREATE TABLE IF NOT EXISTS entry (name text PRIMARY KEY, n int NOT NULL)")
	b.exec("INSERT INTO entry VALUES ($1, 0) ON CONFLICT (name) DO UPDATE SET n = 0", b.row)
	return b
}

func (b *bench) connect(url string) *pgx.Conn {
	b.t.Helper()
	c, err := pgx.Connect(b.ctx, url)
	if err != nil {
		b.t.Fatalf("Connect: %v", err)
	}
	b.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.direct.Exec(b.ctx, sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// add adds to the row in one pipeline: BEGIN, UPDATE, COMMIT.
func (b *bench) add(ctx context.Context, c *pgx.Conn, n int) error {
	var batch pgx.Batch
	batch.Queue("BEGIN")
	batch.Queue("UPDATE entry SET n = n + $1 WHERE name = $2", n, b.row)
	batch.Queue("COMMIT")
	return c.SendBatch(ctx, &batch).Close()
}

// wants checks the row, past the proxy. The query waits for whoever changes it.
func (b *bench) wants(want int) {
	b.t.Helper()
	var got int
	if err := b.direct.QueryRow(b.ctx, "SELECT n FROM entry WHERE name = $1 FOR UPDATE", b.row).Scan(&got); err != nil {
		b.t.Fatalf("read the row: %v", err)
	}
	if got != want {
		b.t.Errorf("the row holds %d, want %d", got, want)
	}
}

// sprung waits for a trap.
func (b *bench) sprung(trap *wire.Trap) *wire.Request {
	b.t.Helper()
	r, err := trap.Wait(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// outcome waits for the server's answer to what sprang a trap.
func (b *bench) outcome(trap *wire.Trap) string {
	b.t.Helper()
	code, err := trap.Outcome(b.ctx)
	if err != nil {
		b.t.Fatalf("Outcome: %v", err)
	}
	return code
}
