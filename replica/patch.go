package replica

import (
	"encoding/json"
	"errors"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// maxCopied is how many bytes the operations of one patch may copy: copies of copies
// would grow without bound.
const maxCopied = 16 << 20

// patch applies a JSON Patch (RFC 6902) to a document, all of it or nothing.
func patch(doc, ops []byte) ([]byte, error) {
	p, err := jsonpatch.DecodePatch(ops)
	if err != nil {
		return nil, err
	}
	o := jsonpatch.NewApplyOptions()
	o.SupportNegativeIndices, o.EscapeHTML = false, false // neither is in the RFC
	o.AccumulatedCopySizeLimit = maxCopied
	return p.ApplyWithOptions(doc, o)
}

// patchFields applies a JSON Patch to fields, and returns those that it has touched,
// nil for what is gone. Only these are looked at, whatever else there is.
func patchFields(fields map[string]json.RawMessage, ops []byte) (map[string]json.RawMessage, error) {
	touched, err := touchedBy(ops)
	if err != nil {
		return nil, err
	}
	before := make(map[string]json.RawMessage, len(touched))
	for name := range touched {
		if value, ok := fields[name]; ok {
			before[name] = value
		}
	}
	doc, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	if doc, err = patch(doc, ops); err != nil {
		return nil, err
	}
	var after map[string]json.RawMessage
	if err := json.Unmarshal(doc, &after); err != nil {
		return nil, err
	}
	for name := range touched {
		touched[name] = after[name]
	}
	return touched, nil
}

// touchedBy returns the fields that a patch names.
func touchedBy(ops []byte) (map[string]json.RawMessage, error) {
	var list []struct {
		Op   string  `json:"op"`
		Path string  `json:"path"`
		From *string `json:"from"`
	}
	if err := json.Unmarshal(ops, &list); err != nil {
		return nil, err
	}
	touched := make(map[string]json.RawMessage)
	for _, op := range list {
		if op.Op == "test" {
			return nil, errors.New("a test: the server knows what the client has")
		}
		for _, p := range []*string{&op.Path, op.From} {
			if p == nil {
				continue
			}
			name, ok := firstSegment(*p)
			if !ok {
				return nil, fmt.Errorf("path %.60q names no field", *p)
			}
			touched[name] = nil
		}
	}
	return touched, nil
}
