package session

import (
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

// A whole state that waits for its append when the save has come after all is
// dropped, and a session that stands still asks for none: it would be replayed over
// what an exchange wrote.
func TestNoWholeStateFollowsASessionThatStandsStill(t *testing.T) {
	doc, err := document.Parse([]byte(`{"coins":1}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &lease{flight: &appending{}}
	s, other := &Session{lease: l}, &Session{lease: l}
	doc.Clone().MoveTo(&s.doc)
	doc.MoveTo(&other.doc)
	s.appendWholeLocked()
	other.appendWholeLocked()
	if len(l.wholes) != 2 {
		t.Fatalf("%d whole states wait, want 2", len(l.wholes))
	}
	if covered, appending := s.coveredLocked(); !covered || appending {
		t.Errorf("coveredLocked = %v, %v; want true and false", covered, appending)
	}
	if len(l.wholes) != 1 || l.wholes[0].s != other {
		t.Errorf("%d whole states wait, want the other session's", len(l.wholes))
	}
	s.frozen = &Frozen{s: s, still: true}
	s.appendWholeLocked()
	if len(l.wholes) != 1 {
		t.Errorf("%d whole states wait after one of a session that stands still, want 1", len(l.wholes))
	}
	l.wholes, l.flight.wholes = nil, []whole{{s: s}}
	if covered, appending := s.coveredLocked(); covered || !appending {
		t.Errorf("coveredLocked while a whole state is appended = %v, %v; want false and true", covered, appending)
	}
	l.flight.wholes = nil
	l.unsaved.replace(s, 7)
	if covered, appending := s.coveredLocked(); covered || appending {
		t.Errorf("coveredLocked after a whole state was appended = %v, %v; want false and false", covered, appending)
	}
}
