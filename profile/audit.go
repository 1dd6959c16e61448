package profile

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/holdfast-games/holdfast/audit"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// Audit writes an operator's act into the audit log, with the update: no crash keeps the
// one without the other, and if the update fails there is no entry. It is for the tools
// of a game's own by which people change players. The act's Key is the profile's, By is
// the server's name if it is empty, and its other fields are as audit.Act says. An act
// that is out of bounds fails the whole update as driver.ErrInvalid.
func (tx *Tx) Audit(a audit.Act) error {
	_, ok := tx.w.(*session.Tx)
	if tx.over || !ok {
		return tx.noOutbox("write an act")
	}
	srv := tx.p.srv
	a.Key, a.By = tx.p.key, cmp.Or(a.By, audit.Clean(srv.ss.Name(), audit.MaxBy))
	if err := a.Prepare(srv.ss.DB(), srv.ss.Now(), srv.ss.Name()); err != nil {
		return tx.spoil(err)
	}
	ws, err := a.Writes()
	if err != nil {
		return tx.spoil(err)
	}
	for _, w := range ws {
		w.Mode = driver.Always
		if err := tx.Attach(w); err != nil {
			return err
		}
	}
	return nil
}

// As returns the server for acts of an operator, who is named in 1 to audit.MaxBy bytes
// of text: what is asked for by its Change, Restore, Send, Resend and Discard, and by
// layers over it, is in the audit log under his name, and needs a reason. It shares
// everything with srv. A name that is out of bounds is refused by those, as
// driver.ErrInvalid; an empty one is nobody's.
func (srv *Server) As(operator string) *Server {
	return &Server{common: srv.common, schema: srv.schema, by: operator}
}

// Operator returns whose acts are asked for by the server, or an empty text: see As.
func (srv *Server) Operator() string { return srv.by }

// actOf returns the act of the server's operator; nil if there is none.
func (srv *Server) actOf(what string, details []byte) *audit.Act {
	if srv.by == "" {
		return nil
	}
	if len(details) > audit.MaxDetails {
		details = nil
	}
	return &audit.Act{By: srv.by, What: what, Details: details}
}

// Acted returns the entries of an act of the server's operator, to be created in the
// commit that makes it; none if there is no operator. The act's By is his name.
func (srv *Server) Acted(a audit.Act) ([]driver.Write, error) {
	if srv.by == "" {
		return nil, nil
	}
	a.By = srv.by
	if err := a.Prepare(srv.ss.DB(), srv.ss.Now(), srv.ss.Name()); err != nil {
		return nil, err
	}
	return a.Writes()
}

// sending returns the entries of the act that it is to send a message, unless nobody is
// named for it, the message is one of Holdfast's own (which notes its act when it is
// handled), or it was sent before.
func (srv *Server) sending(ctx context.Context, to session.Key, m *Message) ([]driver.Write, error) {
	if srv.by == "" || strings.HasPrefix(m.Topic, "~") {
		return nil, nil
	}
	snap, err := srv.ss.DB().Read(ctx, entryKey(to, mailFolder, m.ID), entryKey(to, doneFolder, m.ID))
	if err != nil || snap.Entries[0].Found() || snap.Entries[1].Found() {
		return nil, err
	}
	details, err := json.Marshal(map[string]string{"id": m.ID, "topic": m.Topic})
	if err != nil {
		return nil, err
	}
	return srv.Acted(audit.Act{What: "mail", Key: to, Reason: m.Reason, Details: details})
}

// storedAudit is the operator's act that a message carries out, as it travels with it.
type storedAudit struct {
	By      string          `json:"by"`
	What    string          `json:"what"`
	Reason  string          `json:"reason,omitempty"` // empty: the message's
	Details json.RawMessage `json:"details,omitempty"`
}

// prepareAudit checks the act that a message carries out.
func (m *Message) prepareAudit(server string) error {
	if m.Audit == nil {
		return nil
	}
	a := *m.Audit
	a.By, a.Reason, a.Result = cmp.Or(a.By, audit.Clean(server, audit.MaxBy)), cmp.Or(a.Reason, m.Reason), ""
	m.Audit = &a
	return a.Check()
}

func (m *Message) storedAudit() *storedAudit {
	if m.Audit == nil {
		return nil
	}
	s := &storedAudit{m.Audit.By, m.Audit.What, m.Audit.Reason, m.Audit.Details}
	if s.Reason == m.Reason {
		s.Reason = ""
	}
	return s
}

func (s *storedAudit) act(reason string) *audit.Act {
	if s == nil {
		return nil
	}
	return &audit.Act{By: s.By, What: s.What, Reason: cmp.Or(s.Reason, reason), Details: s.Details}
}

// auditEnd writes the act that a message carries out, with what came of it.
func (m *Message) auditEnd(tx *Tx, o *storedOutcome) error {
	if m.Audit == nil {
		return nil
	}
	a := *m.Audit
	a.Result = m.resultOf(o)
	return tx.Audit(a)
}
