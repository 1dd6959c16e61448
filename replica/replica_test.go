package replica_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-games/holdfast/replica"
)

// copyOf is a replica that has got a state: coins are 5, at revision 5 of E.
func copyOf(t *testing.T) *replica.Replica {
	t.Helper()
	r := replica.NewReplica()
	takes(t, r, `{"type":"state","epoch":"E","rev":5,"ping":1000,"fields":{"coins":5}}`)
	return r
}

// takes applies a frame.
func takes(t *testing.T, r *replica.Replica, text string) {
	t.Helper()
	if err := r.Apply([]byte(text)); err != nil {
		t.Errorf("Apply(%s) = %v", text, err)
	}
}

// refuses applies a frame that is an error, and checks where the replica stands then.
func refuses(t *testing.T, r *replica.Replica, text string, want error, at replica.Position) {
	t.Helper()
	if err := r.Apply([]byte(text)); !errors.Is(err, want) {
		t.Errorf("Apply(%s) = %v, want %v", text, err, want)
	}
	if got := r.Position(); got != at {
		t.Errorf("after %s the position is %v, want %v", text, got, at)
	}
}

// sees checks what coins are.
func sees(t *testing.T, r *replica.Replica, want int) {
	t.Helper()
	if got, _ := r.JSON("coins"); string(got) != fmt.Sprint(want) {
		t.Errorf("coins = %s, want %d", got, want)
	}
}

const change6 = `{"type":"change","rev":6,"ops":[{"op":"add","path":"/coins","value":6}]}`

func TestAChangeBeforeTheServerHasSaidWhereItBeginsIsAGap(t *testing.T) {
	for _, early := range []string{change6, `{"type":"saved","rev":6}`} {
		r := copyOf(t)
		at := r.Resume()
		refuses(t, r, early, replica.ErrGap, at)
		sees(t, r, 5)
		takes(t, r, `{"type":"resumed","rev":5,"ping":1000}`)
		takes(t, r, change6)
		sees(t, r, 6)

		r.Resume()
		takes(t, r, `{"type":"state","epoch":"F","rev":5,"ping":1000,"fields":{"coins":50}}`)
		takes(t, r, change6)
		sees(t, r, 6)
	}
}

func TestGoingOnFromAnotherRevisionIsMalformed(t *testing.T) {
	for _, revision := range []int{4, 6} {
		r := copyOf(t)
		r.Resume()
		refuses(t, r, fmt.Sprintf(`{"type":"resumed","rev":%d,"ping":1000}`, revision), replica.ErrFrame, replica.Position{})
		refuses(t, r, change6, replica.ErrGap, replica.Position{})
		sees(t, r, 5)
	}
	r := copyOf(t)
	r.Resume()
	for _, text := range []string{`{"type":"resumed","rev":5,"ping":1000}`, change6, `{"type":"resumed","rev":5,"ping":1000}`} {
		takes(t, r, text) // what comes twice changes nothing
	}
	refuses(t, r, `{"type":"resumed","rev":7,"ping":1000}`, replica.ErrFrame, replica.Position{})
	refuses(t, replica.NewReplica(), `{"type":"resumed","rev":0,"ping":1000}`, replica.ErrFrame, replica.Position{})
}

func TestAFrameThatDoesNotSayHowOftenTheServerPingsIsMalformed(t *testing.T) {
	for _, ping := range []string{``, `,"ping":0`, `,"ping":-1`, `,"ping":"1000"`, `,"ping":1e999`} {
		for _, text := range []string{`{"type":"state","epoch":"F","rev":1,"fields":{}` + ping + `}`, `{"type":"resumed","rev":5` + ping + `}`} {
			r := copyOf(t)
			r.Resume()
			refuses(t, r, text, replica.ErrFrame, replica.Position{})
			sees(t, r, 5)
		}
	}
}

func TestTheSameValueWrittenInAnotherWayIsNoUpdate(t *testing.T) {
	r := replica.NewReplica()
	var told []string
	r.OnUpdated("bag", func(value json.RawMessage) { told = append(told, string(value)) })
	takes(t, r, `{"type":"state","epoch":"E","rev":1,"ping":1000,"fields":{"bag":{"a":"<","b":{"c":1,"d":2}}}}`)
	for _, text := range []string{
		`{"type":"state","epoch":"E","rev":1,"ping":1000,"fields":{"bag":{"b":{"d":2,"c":1},"a":"\u003c"}}}`,
		`{"type":"change","rev":2,"ops":[{"op":"add","path":"/bag","value":{"a":"<","b":{"d":2,"c":1}}}]}`,
	} {
		takes(t, r, text)
		if len(told) != 0 {
			t.Errorf("told of %v after %s", told, text)
		}
	}
	for n, text := range []string{
		`{"type":"change","rev":3,"ops":[{"op":"add","path":"/bag/b","value":{"c":1,"d":9007199254740993}}]}`,
		`{"type":"change","rev":4,"ops":[{"op":"add","path":"/bag/b","value":{"c":1,"d":9007199254740992}}]}`,
		`{"type":"change","rev":5,"ops":[{"op":"add","path":"/bag","value":null}]}`,
		`{"type":"change","rev":6,"ops":[{"op":"remove","path":"/bag"}]}`,
	} {
		if takes(t, r, text); len(told) != n+1 {
			t.Errorf("told of %v after %s", told, text)
		}
	}
}
