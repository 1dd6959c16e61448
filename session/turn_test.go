package session

import (
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

// A position and the data that are saved with it belong to one moment: when the
// page has turned, and be it just now, there is no snapshot.
func TestPositionBelongsToTheTurn(t *testing.T) {
	l := &lease{turn: 5, answered: 9}
	s := &Session{lease: l, next: 4, pending: &changes{turn: 4}}
	if position, ok := s.positionLocked(s.pending); ok {
		t.Errorf("position after the page turned = %d, want none", position)
	}
	s.pending.turn = 5
	if position, ok := s.positionLocked(s.pending); !ok || position != 9 || s.next != 0 {
		t.Errorf("position = %d, %v and next record %d; want 9 and none", position, ok, s.next)
	}
	s.pending = nil
	if position, ok := s.positionLocked(s.pending); !ok || position != 9 {
		t.Errorf("position of a session without changes = %d, %v; want 9", position, ok)
	}
}

// Whole states go before the changes that were built on them, in as many
// appends as it takes.
func TestWholeStatesGoBeforeChanges(t *testing.T) {
	s := &Session{id: testVersion(1), rootKey: "player/alice"}
	c := &changes{s: s}
	c.ledger.note(document.Field("coins"), nil, []byte("1"))
	l := &lease{queue: [][]*changes{{c}}}
	for range 3 {
		l.wholes = append(l.wholes, whole{s, held{}, make([]byte, appendBytes/2+1)})
	}
	var order []recordKind
	for range 2 {
		a := &appending{}
		values := l.encodeLocked(a).values
		if len(values) != 1 || len(values[0]) > 2*appendBytes {
			t.Fatalf("an append of %d entries, want one of at most %d bytes", len(values), 2*appendBytes)
		}
		rs, err := decodeRecords(values[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) != len(a.wholes)+len(a.records) {
			t.Errorf("%d records, want %d whole and %d changes", len(rs), len(a.wholes), len(a.records))
		}
		for _, r := range rs {
			order = append(order, r.kind)
		}
	}
	if len(l.wholes) > 0 || len(l.queue) > 0 {
		t.Errorf("%d whole states and %d groups are left after two appends", len(l.wholes), len(l.queue))
	}
	for i, kind := range order {
		if (kind == recordDelta) != (i == 3) {
			t.Fatalf("kinds of records in order: %v, want three whole ones and then the changes", order)
		}
	}
}
