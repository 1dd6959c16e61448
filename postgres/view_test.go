package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/s2"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
	"github.com/holdfast-games/holdfast/postgres"
)

// root returns a profile as it is stored, with the given members before its
// data.
func root(head, data string) string {
	return `{"format":1,"birth":"04VPDR800000000000000000AG"` + head + `,"data":` + data + `}`
}

func open(t testing.TB, url string, o *postgres.Options) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(context.Background(), url, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// put writes entries whatever is there.
func put(t testing.TB, db driver.DB, entries map[string]string) {
	t.Helper()
	b := driver.Batch{ID: newID()}
	for key, value := range entries {
		b.Writes = append(b.Writes, driver.Write{Key: key, Mode: driver.Always, Value: []byte(value)})
	}
	out, err := db.Commit(context.Background(), driver.Group{Batches: []driver.Batch{b}})
	if err != nil || len(out[0].Refused) > 0 {
		t.Fatalf("Commit of %d entries = %v, %v", len(entries), out, err)
	}
}

func TestPlayersView(t *testing.T) {
	url := pgtest.URL(t)
	db := open(t, url, nil)
	long := `{"bag":"` + strings.Repeat("0123456789abcdef, ", 1000) + `"}`
	lock := `,"lock":{"lease":"A","session":"B","server":"eu-\"data\":1","since":"2026-11-20T12:00:00.5Z","position":7}`
	put(t, db, map[string]string{
		"player/plain":   root("", `{"coins":5}`),
		"player/locked":  root(lock, `{}`),
		"player/erased":  root(`,"erased":true`, `{}`),
		"player/nul":     root("", `{"name":"a\u0000b","x":1}`),
		"player/big":     root("", `{"n":123456789012345678901234567890.10,"n":1}`),
		"player/long":    root("", long),
		"player/no json": "{",
		"player/number":  "7",
		"player/empty":   "",
		"player/deep":    root("", strings.Repeat("[", 100_000)),
		"player/bytes":   "\xff\xfe",
		"player/x/slot":  root("", `{}`),
		"~lease/1":       root("", `{}`),
		"lonely":         root("", `{}`),
	})
	want := map[string]string{
		"plain":   `<nil> {"coins":5}`,
		"locked":  `eu-"data":1 {}`,
		"erased":  `<nil> {} erased`,
		"nul":     `<nil> {"name":"a\u0000b","x":1}`,
		"big":     `<nil> {"n":123456789012345678901234567890.10,"n":1}`,
		"long":    "<nil> " + long,
		"no json": "<nil> <nil>",
		"number":  "<nil> <nil>",
		"empty":   "<nil> <nil>",
		"deep":    "<nil> <nil>",
		"bytes":   "<nil> <nil>",
	}
	got := make(map[string]string)
	tool := connect(t, url)
	rows, err := tool.Query(t.Context(), "SELECT kind, id, locked_by, fields::text, erased FROM holdfast.players")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var kind, id string
		var lockedBy, fields *string
		var erased *bool
		if err := rows.Scan(&kind, &id, &lockedBy, &fields, &erased); err != nil {
			t.Fatal(err)
		}
		got[id] = fmt.Sprintf("%v %v", shown(lockedBy), shown(fields))
		if erased != nil && *erased {
			got[id] += " erased"
		}
		if kind != "player" {
			t.Errorf("kind of %q is %q, want player", id, kind)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("read the view: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("players (-want +got):\n%s", diff)
	}
}

func shown(s *string) string {
	if s == nil {
		return "<nil>"
	}
	return *s
}

// unpacked calls the schema's function.
func unpacked(t *testing.T, c *pgx.Conn, packed int16, size int, stored []byte) (value []byte) {
	t.Helper()
	if err := c.QueryRow(t.Context(), "SELECT holdfast.unpack($1, $2, $3)", packed, size, stored).Scan(&value); err != nil {
		t.Fatalf("unpack of %d bytes: %v", len(stored), err)
	}
	return value
}

func TestUnpackInSQL(t *testing.T) {
	url := pgtest.URL(t)
	open(t, url, nil)
	c := connect(t, url)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	values := map[string][]byte{
		"Nothing":          {},
		"OneByte":          []byte("x"),
		"Noise":            noise,
		"OneByteRepeated":  bytes.Repeat([]byte("a"), 70_000),
		"JSON":             document(20_000, 7),
		"NoiseTwice":       append(append([]byte{}, noise...), noise...),
		"ShortRepetitions": bytes.Repeat([]byte("abcabcab"), 999),
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			got := unpacked(t, c, 1, len(value), s2.EncodeSnappy(nil, value))
			if !bytes.Equal(got, value) {
				t.Errorf("unpack returned %d bytes, other than the %d that were packed", len(got), len(value))
			}
		})
	}
	t.Run("AWrongSizeIsNull", func(t *testing.T) {
		if got := unpacked(t, c, 1, 11, s2.EncodeSnappy(nil, []byte("ten bytes!"))); got != nil {
			t.Errorf("unpack = %q, want null", got)
		}
	})
	t.Run("AnotherWayOfPackingIsNull", func(t *testing.T) {
		if got := unpacked(t, c, 2, 1, []byte("x")); got != nil {
			t.Errorf("unpack = %q, want null", got)
		}
	})
	t.Run("NoFlippedBitIsAnError", func(t *testing.T) {
		value := document(600, 3)
		stored := s2.EncodeSnappy(nil, append(value, value...))
		var n int
		err := c.QueryRow(t.Context(), `SELECT count(*) FROM generate_series(0, 8 * length($1::bytea) - 1) AS n,
			LATERAL holdfast.unpack(1::smallint, $2::int, set_bit($1::bytea, n, 1 - get_bit($1::bytea, n))) AS u
			WHERE u IS NULL OR length(u) = $2::int`, stored, 2*len(value)).Scan(&n)
		if err != nil || n != 8*len(stored) {
			t.Errorf("%d of %d damaged blocks were null or of the right size, %v", n, 8*len(stored), err)
		}
	})
	t.Run("NoCutIsAnError", func(t *testing.T) {
		value := bytes.Repeat(document(300, 3), 3)
		stored := s2.EncodeSnappy(nil, value)
		for n := range stored {
			if got := unpacked(t, c, 1, len(value), stored[:n]); got != nil {
				t.Fatalf("unpack of the first %d of %d bytes = %d bytes, want null", n, len(stored), len(got))
			}
		}
	})
}
