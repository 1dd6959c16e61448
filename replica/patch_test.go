package replica

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestPublishedPatches applies the cases of RFC 6902 that are published as
// json-patch-test-suite. They are fetched for the test and not kept.
func TestPublishedPatches(t *testing.T) {
	if os.Getenv("HOLDFAST_NPM") != "1" {
		t.Skip("set HOLDFAST_NPM=1 to fetch the cases from the npm registry")
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir, "json-patch-test-suite@1.1.0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cases, differ := 0, 0
	for _, name := range []string{"tests.json", "spec_tests.json"} {
		text, err := os.ReadFile(filepath.Join(dir, "node_modules/json-patch-test-suite", name))
		if err != nil {
			t.Fatal(err)
		}
		var all []patchCase
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if !c.Disabled && c.Patch != nil {
				cases++
				if wrong := c.wrong(t); wrong != "" && strings.Contains(string(c.Patch), `"test"`) {
					differ++
				} else if wrong != "" {
					t.Errorf("%s: %s with %s: %s", c.Comment, c.Doc, c.Patch, wrong)
				}
			}
		}
	}
	// The library's "test" is wrong about members without a name, and lets one without
	// a value pass: that is why a replica takes none.
	if cases < 80 || differ != 3 {
		t.Errorf("%d cases, of which %d differ; want more than 80 and 3", cases, differ)
	}
}

type patchCase struct {
	Comment  string          `json:"comment"`
	Doc      json.RawMessage `json:"doc"`
	Patch    json.RawMessage `json:"patch"`
	Expected json.RawMessage `json:"expected"`
	Error    string          `json:"error"`
	Disabled bool            `json:"disabled"`
}

// wrong returns what is wrong with what comes of the case.
func (c *patchCase) wrong(t *testing.T) string {
	t.Helper()
	got, err := patch(c.Doc, c.Patch)
	switch {
	case c.Error != "" && err == nil:
		return "no error, want: " + c.Error
	case c.Error == "" && err != nil:
		return err.Error()
	case c.Error == "" && c.Expected != nil && !sameJSON(t, got, c.Expected):
		return "got " + string(got)
	}
	return ""
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Errorf("%s: %v", a, err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Errorf("%s: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}

func TestCopiesOfCopiesAreRefused(t *testing.T) {
	r := NewReplica()
	if err := r.Apply([]byte(`{"type":"state","epoch":"E","rev":0,"ping":1,"fields":{"a":[0]}}`)); err != nil {
		t.Fatal(err)
	}
	copies := strings.TrimSuffix(strings.Repeat(`{"op":"copy","from":"/a","path":"/a/-"},`, 24), ",")
	if err := r.Apply([]byte(`{"type":"change","rev":1,"ops":[` + copies + `]}`)); !errors.Is(err, ErrFrame) {
		value, _ := r.JSON("a")
		t.Errorf("a frame of %d bytes has become %d bytes: %v", len(copies), len(value), err)
	}
}
