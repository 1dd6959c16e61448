package session

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestSplitRootReadsWhatAStrictReaderDoes compares the fast way to read a root with
// the plain one.
func TestSplitRootReadsWhatAStrictReaderDoes(t *testing.T) {
	for _, text := range []string{
		`{"format":1,"revision":7,"data":{}}`,
		`{"format":1,"revision":7,"data":{"a":{"data":{"b":1}}}}`,
		`{"format":1,"revision":7,"reason":",\"data\":{","by":"x","data":{"a":1}}`,
		`{"format":1,"lock":{"server":"a\",\"data\":{"},"revision":7,"data":{"a":1}}`,
		`{"format":1,"lock":{"server":"s","data":{"x":1}},"revision":7,"data":{"a":1}}`,
		`{"format":1,"data":{"a":1},"revision":7}`,
		`{"format":1,"erased":true,"revision":0}`,
		`{ "format": 1, "revision": 7, "data": {"a": 1} }`,
		`{"data":{"a":1},"format":1}`,
	} {
		got, err := splitRoot([]byte(text))
		var want root
		if json.Unmarshal([]byte(text), &want); err != nil {
			t.Errorf("splitRoot(%s) = %v", text, err)
		}
		doc, docErr := got.document("k", nil)
		if docErr != nil { // the fast way took it for what it is not: that must be an error, never other data
			if text != `{"format":1,"data":{"a":1},"revision":7}` {
				t.Errorf("splitRoot(%s): its data are refused: %v", text, docErr)
			}
			continue
		}
		plain, err := want.document("k", nil)
		if err != nil {
			t.Fatal(err)
		}
		got.Data, want.Data = nil, nil
		if !reflect.DeepEqual(got, want) || string(doc.AppendJSON(nil)) != string(plain.AppendJSON(nil)) {
			t.Errorf("splitRoot(%s) = %+v with %s, want %+v with %s", text, got, doc.AppendJSON(nil), want, plain.AppendJSON(nil))
		}
	}
	for _, text := range []string{`{"format":1,"data":{`, `{`, ``, `{"format":"x","data":{}}`, `,"data":{`, `[1,"data":{}}`} {
		if r, err := splitRoot([]byte(text)); err == nil {
			if _, err := r.document("k", nil); err == nil {
				t.Errorf("splitRoot(%s) = %+v, want an error from it or from its data", text, r)
			}
		}
	}
}
