package replica

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFromClient decodes what a client might send.
func FuzzFromClient(f *testing.F) {
	for _, text := range []string{
		`{"type":"hello","player":"42","token":"t","epoch":"E","rev":17}`, `{"type":"pong"}`, `{"type":"hello"}`, `{}`, `[]`, ``, `{"type":"hello","player":"\ud800"}`,
		`{"type":"hello","player":"1","rev":18446744073709551616}`, `{"type":"pong","type":"hello"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := decodeFromClient(text)
		switch {
		case err != nil && !errors.Is(err, ErrFrame):
			t.Errorf("decodeFromClient(%q) = %v, want ErrFrame", text, err)
		case err == nil && got.Type == typeHello && (got.Player == "" || !utf8.ValidString(got.Player) || len(got.Epoch) > maxEpoch):
			t.Errorf("decodeFromClient(%q) = %+v", text, got)
		}
	})
}

// FuzzApply applies what a server might send to a replica. Whatever it is, either it is
// refused and no field has changed, or the replica is at its revision.
func FuzzApply(f *testing.F) {
	for _, text := range []string{
		`{"type":"state","epoch":"E","rev":3,"ping":15000,"fields":{"coins":1,"bag":{}}}`,
		`{"type":"change","rev":8,"ops":[{"op":"add","path":"/coins","value":2},{"op":"remove","path":"/bag/x"}]}`,
		`{"type":"change","rev":8,"ops":[{"op":"move","from":"/bag/x","path":"/list/-"},{"op":"test","path":"/coins","value":1}]}`,
		`{"type":"change","rev":8,"ops":[{"op":"copy","from":"","path":"/a"}]}`, `{"type":"change","rev":8,"ops":[null]}`, `{"type":"change","rev":8,"ops":{}}`,
		`{"type":"change","rev":8,"ops":[{"op":"add","path":"/list/99","value":2}]}`, `{"type":"change","rev":8,"ops":[{"op":"add","path":"/~2","value":2}]}`,
		`{"type":"saved","rev":8,"error":"failed"}`, `{"type":"resumed","rev":7,"ping":1}`, `{"type":"end","reason":"moved"}`, `{"type":"new"}`, `{"type":"ping"}`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewReplica()
		if err := r.Apply([]byte(`{"type":"state","epoch":"E","rev":7,"ping":1,"fields":{"coins":1,"bag":{"x":{"y":1}},"list":[1,2],"":null}}`)); err != nil {
			t.Fatal(err)
		}
		before := dumpOf(t, r)
		err := r.Apply(text)
		var ended *EndedError
		if err != nil {
			if !errors.Is(err, ErrFrame) && !errors.Is(err, ErrGap) && !errors.As(err, &ended) {
				t.Errorf("Apply(%q) = %v", text, err)
			}
			if after := dumpOf(t, r); after != before {
				t.Errorf("Apply(%q) = %v, and left %s", text, err, after)
			}
			if at := r.Position(); (at == Position{}) != errors.Is(err, ErrFrame) {
				t.Errorf("Apply(%q) = %v, and is at %v", text, err, at)
			}
		}
		dumpOf(t, r)
	})
}

// dumpOf returns the fields of a replica as JSON, which it must be.
func dumpOf(t *testing.T, r *Replica) string {
	t.Helper()
	text, err := json.Marshal(r.fields)
	if err != nil {
		t.Fatalf("the replica has what is not JSON: %v", err)
	}
	return string(text)
}

// FuzzPointer takes paths apart that were made of names.
func FuzzPointer(f *testing.F) {
	f.Add("coins", "x")
	f.Add("~1", "a/b~c")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, field, element string) {
		if got, ok := firstSegment(pointer(field, element)); got != field || !ok {
			t.Errorf("firstSegment(pointer(%q, %q)) = %q, %v", field, element, got, ok)
		}
		if strings.Count(pointer(field, element), "/") != 2 {
			t.Errorf("pointer(%q, %q) = %q", field, element, pointer(field, element))
		}
	})
}
