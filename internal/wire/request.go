package wire

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Request is what a client sends up to one Sync, or one simple query: a
// statement, or a pipeline of several.
type Request struct {
	Conn       int      // number of its connection, from 1
	Statements []string // the SQL that it executes, in order
	Commits    bool     // it makes a change permanent, if the server does not refuse
	bytes      []byte
	next       int // where the messages begin that belong to the next statement
	commit     int // where the messages begin that commit
}

// Has reports whether a text occurs in the request, as it is or in hexadecimal
// digits.
func (r *Request) Has(text string) bool {
	return bytes.Contains(r.bytes, []byte(text)) || bytes.Contains(r.bytes, []byte(hex.EncodeToString([]byte(text))))
}

// note adds a message to a request and follows what it does on the connection.
func (c *link) note(r *Request, m message) {
	r.bytes = append(r.bytes, m...)
	body := m.body()
	switch m.kind() {
	case 'P':
		var p pgproto3.Parse
		if p.Decode(body) == nil {
			c.statements[p.Name] = p.Query
		}
	case 'B':
		var b pgproto3.Bind
		if b.Decode(body) == nil {
			c.portals[b.DestinationPortal] = c.statements[b.PreparedStatement]
		}
	case 'E':
		var e pgproto3.Execute
		if e.Decode(body) == nil {
			c.executes(r, c.portals[e.Portal])
		}
		r.next = len(r.bytes)
	case 'Q':
		var q pgproto3.Query
		if q.Decode(body) == nil {
			for statement := range strings.SplitSeq(q.String, ";") {
				c.executes(r, statement)
			}
		}
	}
}

// executes follows one statement: whether it opens or ends a transaction block,
// and whether a change is permanent with it.
func (c *link) executes(r *Request, statement string) {
	words := strings.Fields(strings.ToUpper(statement))
	if len(words) == 0 {
		return
	}
	r.Statements = append(r.Statements, statement)
	switch words[0] {
	case "BEGIN", "START":
		c.within, c.changed = true, false
	case "ROLLBACK", "ABORT":
		if len(words) < 2 || words[1] != "TO" {
			c.within, c.changed = false, false
		}
	case "COMMIT", "END":
		if c.changed {
			r.commits()
		}
		c.within, c.changed = false, false
	default:
		if !changes(words) {
			return
		}
		if c.within {
			c.changed = true
			return
		}
		r.commits()
	}
}

func (r *Request) commits() { r.Commits, r.commit = true, r.next }

// changes reports whether a statement writes.
func changes(words []string) bool {
	if words[0] != "WITH" {
		words = words[:1]
	}
	for _, w := range words {
		switch strings.Trim(w, "(),") {
		case "INSERT", "UPDATE", "DELETE", "MERGE":
			return true
		}
	}
	return false
}
