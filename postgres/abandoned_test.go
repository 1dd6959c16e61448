package postgres_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/pgtest"
)

// halfATransaction sends the first half of a transaction that locks a row, and
// then nothing, as a machine does that loses its power.
func halfATransaction(t *testing.T, c *pgx.Conn, key string) {
	t.Helper()
	f := c.PgConn().Frontend()
	for _, statement := range []string{"BEGIN", "SELECT 1 FROM holdfast.entries WHERE key = '" + key + "' FOR UPDATE"} {
		f.SendParse(&pgproto3.Parse{Query: statement})
		f.SendBind(&pgproto3.Bind{})
		f.SendExecute(&pgproto3.Execute{})
	}
	f.Send(&pgproto3.Flush{})
	if err := f.Flush(); err != nil {
		t.Fatalf("send half a transaction: %v", err)
	}
	for row := false; !row; {
		m, err := f.Receive()
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
		_, row = m.(*pgproto3.DataRow)
	}
}

// lastError returns the code of the last error that a connection receives before
// the server closes it.
func lastError(c *pgx.Conn) (code string) {
	for {
		m, err := c.PgConn().Frontend().Receive()
		if err != nil {
			return code
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			code = e.Code
		}
	}
}

// TestAbandonedTransaction shows that what somebody left half-sent is ended by
// those in whose way it is, and nothing else is. The other end stays connected
// all the time: its machine does not answer for it, and says nothing.
func TestAbandonedTransaction(t *testing.T) {
	t.Parallel() // it waits for time-outs of the server's
	for name, urgent := range map[string]bool{"UrgentGroups": true, "OtherGroups": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			db := open(t, url, nil)
			put(t, db, map[string]string{"~lease/1": "dead"})
			execute(t, connect(t, url), "CREATE TABLE own (n int)")

			dead, idle, own := connect(t, url), connect(t, url), connect(t, url)
			halfATransaction(t, dead, "~lease/1")
			execute(t, idle, "BEGIN")
			rows, load := io.Pipe()
			loaded := make(chan error, 1)
			go func() {
				_, err := own.PgConn().CopyFrom(context.Background(), rows, "COPY own FROM STDIN")
				loaded <- err
			}()

			if _, err := io.WriteString(load, "1\n"); err != nil {
				t.Fatal(err)
			}

			g := always("~lease/1")
			g.Urgent = urgent
			err := driver.ErrUnavailable
			for errors.Is(err, driver.ErrUnavailable) && t.Context().Err() == nil {
				_, err = db.Commit(t.Context(), g)
			}
			if err != nil {
				t.Errorf("Commit = %v, want nil: half of another's transaction is in the way", err)
			}
			if got := lastError(dead); got != "57P01" {
				t.Errorf("the last error of the half transaction is %q, want 57P01, which says that it was terminated", got)
			}
			execute(t, idle, "COMMIT")
			load.Close()
			if err := <-loaded; err != nil {
				t.Errorf("COPY of the user's own: %v, want nil", err)
			}
		})
	}
}
