package roblox_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/roblox"
)

func TestParseEntry(t *testing.T) {
	created := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		text string
		want roblox.Entry
	}{
		"KeyAndValueAreEnough": {`{"key":"PlayerList$1","value":{"n":1}}`, roblox.Entry{Key: "PlayerList$1", Value: []byte(`{"n":1}`)}},
		"AllMembers": {
			`{"store":"S","scope":"global","key":"1","value":5,"ordered":true,"metadata":{"a":1},"userIds":[7,"8"],"version":"v","createdTime":"2024-05-01T12:00:00+02:00","updatedTime":1714557600000}`,
			roblox.Entry{
				Store: "S", Scope: "global", Key: "1", Value: []byte(`5`), Ordered: true, Metadata: []byte(`{"a":1}`), UserIDs: []string{"7", "8"}, Version: "v",
				Created: created, Updated: created,
			},
		},
		"OfOpenCloud": {
			`{"path":"universes/5/data-stores/DATA%2F42/scopes/global/entries/7","createTime":"2024-05-01T10:00:00Z","revisionId":"r","revisionCreateTime":"2024-05-01T10:00:00Z",
			  "state":"ACTIVE","etag":"e","value":{"n":1},"id":"7","users":["users/42"],"attributes":{}}`,
			roblox.Entry{
				Store: "DATA/42", Scope: "global", Key: "7", Value: []byte(`{"n":1}`), Metadata: []byte(`{}`), UserIDs: []string{"42"}, Version: "r",
				Created: created, Updated: created,
			},
		},
		"OfOpenCloudOrdered": {
			`{"path":"universes/5/ordered-data-stores/DATA%2F42/scopes/global/entries/7","value":7,"id":"7"}`,
			roblox.Entry{Store: "DATA/42", Scope: "global", Key: "7", Value: []byte(`7`), Ordered: true},
		},
		"OfOpenCloudDeleted": {
			`{"path":"universes/5/data-stores/S/entries/a%2Fb","state":"DELETED"}`, roblox.Entry{Store: "S", Key: "a/b", Deleted: true},
		},
		"Deleted":                    {`{"key":"1","deleted":true}`, roblox.Entry{Key: "1", Deleted: true}},
		"APathOfTheGamesIsNoAddress": {`{"key":"1","value":{"path":"universes/5"}}`, roblox.Entry{Key: "1", Value: []byte(`{"path":"universes/5"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := roblox.ParseEntry([]byte(c.text))
			if err != nil {
				t.Fatalf("ParseEntry(%s) = %v", c.text, err)
			}
			if d := cmp.Diff(c.want, *got); d != "" {
				t.Errorf("ParseEntry(%s): %s", c.text, d)
			}
		})
	}
	for text, why := range map[string]string{
		``: "EOF", `5`: "", `{"key":"1"`: "EOF", `{"value":1}`: "no key", `{"key":"1"}`: "no value", `{"key":"","value":1}`: "empty",
		`{"key":"1","value":1,"data":2}`: "data", `{"key":"1","key":"2","value":1}`: "duplicate", `{"key":"1","value":1} {}`: "",
		`{"key":"1","value":1,"metadata":[1]}`: "metadata", `{"key":"1","value":1,"userIds":[1.5]}`: "user id", `{"key":"1","value":1,"createdTime":"noon"}`: "noon",
		`{"path":"universes/5/data-stores/S/entries/1","id":"1"}`: "listing", `{"path":"universes/5/data-stores/S/entries/","value":1}`: "no id",
		"{\"key\":\"\xff\",\"value\":1}": "UTF-8",
	} {
		if e, err := roblox.ParseEntry([]byte(text)); !errors.Is(err, roblox.ErrForm) || !strings.Contains(err.Error(), why) {
			t.Errorf("ParseEntry(%q) = %+v, %v, want an ErrForm that says %q", text, e, err, why)
		}
	}
}

func TestFileEntry(t *testing.T) {
	for _, c := range []struct {
		text string
		want roblox.Entry
	}{
		{`{"key":"sword","value":5}`, roblox.Entry{Store: "S", Key: "1", Value: []byte(`{"key":"sword","value":5}`)}},
		{`{"coins":`, roblox.Entry{Store: "S", Key: "1", Value: []byte(`{"coins":`)}},
		{"\ufeff5", roblox.Entry{Store: "S", Key: "1", Value: []byte(`5`)}},
		{`{"path":"universes/5/data-stores/T/entries/2","value":5}`, roblox.Entry{Store: "T", Key: "2", Value: []byte(`5`)}},
	} {
		got, err := roblox.FileEntry("S", "1", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, *got); d != "" {
			t.Errorf("FileEntry(%s): %s", c.text, d)
		}
	}
}

// FuzzDecode looks for values that a form takes and a document does not, or that
// come out as something else than they went in.
func FuzzDecode(f *testing.F) {
	for _, c := range refusals {
		f.Add([]byte(c.entry.Value))
	}
	for _, s := range []string{
		`{"n":[1e+15,5.0,0.5,-0.0,1e400,12345678901234567890e-5]}`, `{"a":[],"b":{"*":[[],[]]},"é":"\u00e9\ud83d\ude00"}`, `[]`,
		profile(`{"a":[1,"x",true]}`, `,"ActiveSession":[1,"x"]`, `[1,[[1,1,false,{"a":1}]]]`), `{"migrationVersion":1,"data":{"a":1}}`,
	} {
		f.Add([]byte(s))
	}
	o := &roblox.Options{Maps: []string{"a", "b/*/*"}, Main: []string{"S"}}
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, form := range []roblox.Form{roblox.Nexus, roblox.ProfileStore, roblox.DataStore2, roblox.Lapis, roblox.Plain} {
			r, err := form.Decode(&roblox.Entry{Store: "S", Key: "1", Value: bytes.Clone(value)}, o)
			if err != nil {
				if !errors.Is(err, roblox.ErrForm) {
					t.Fatalf("%s.Decode(%q) = %v, which is no ErrForm", form, value, err)
				}
				continue
			}
			check(t, form, value, r)
		}
	})
}

func check(t *testing.T, form roblox.Form, value []byte, r *roblox.Record) {
	t.Helper()
	fields, err := r.JSON()
	if err != nil {
		t.Fatalf("%s.Decode(%q) gave %q: %v", form, value, r.Fields, err)
	}
	for _, text := range [][]byte{fields, r.Beside} {
		if text == nil {
			continue
		}
		if _, err := document.Compact(text, &document.Limits{Depth: 1000}); err != nil && !errors.Is(err, document.ErrTooDeep) {
			t.Fatalf("%s.Decode(%q) gave %q: %v", form, value, text, err)
		}
	}
	if fields == nil {
		return
	}
	// Without [] nothing may change, and a second time never.
	if form == roblox.Plain && !bytes.Contains(value, []byte("[")) && !document.Equal(value, fields) {
		t.Fatalf("Decode(%q) gave %q, which means something else", value, fields)
	}
	again, err := roblox.Plain.Decode(&roblox.Entry{Key: "1", Value: fields}, nil)
	if err != nil {
		t.Fatalf("Decode(%q) gave %q, and of that: %v", value, fields, err)
	}
	if twice, err := again.JSON(); err != nil || !bytes.Equal(twice, fields) {
		t.Fatalf("Decode(%q) gave %q, and from that again %q, %v", value, fields, twice, err)
	}
}

// FuzzParseEntry looks for lines that are taken and are no entry, or that Place and
// Decode cannot deal with.
func FuzzParseEntry(f *testing.F) {
	for _, s := range []string{
		`{"key":"PlayerList$1","value":{"n":1},"createdTime":1714557600000,"userIds":[1,"2"]}`, `{"key":"1","deleted":true,"metadata":{"lockId":"x"}}`,
		`{"path":"universes/5/ordered-data-stores/DATA%2F42/scopes/global/entries/7","value":7}`, `{"key":"7","store":"DATA/42","value":7,"ordered":true}`,
		`{"path":"universes/5/data-stores/S/entries/%zz","value":null,"state":"DELETED"}`, "\ufeff{}", `{"key":"1","value":1,"updatedTime":9e18}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := roblox.ParseEntry(text)
		if err != nil {
			if !errors.Is(err, roblox.ErrForm) {
				t.Fatalf("ParseEntry(%q) = %v, which is no ErrForm", text, err)
			}
			return
		}
		if e.Key == "" || len(e.Value) == 0 && !e.Deleted {
			t.Fatalf("ParseEntry(%q) = %+v, without key or value", text, e)
		}
		for _, form := range []roblox.Form{roblox.Nexus, roblox.ProfileStore, roblox.DataStore2, roblox.Lapis, roblox.Plain} {
			if p, err := form.Place(e, nil); err == nil && p.ID == "" || err != nil && !errors.Is(err, roblox.ErrForm) {
				t.Fatalf("%s.Place(%q) = %+v, %v", form, text, p, err)
			}
			if _, err := form.Decode(e, nil); err != nil && !errors.Is(err, roblox.ErrForm) {
				t.Fatalf("%s.Decode(%q) = %v, which is no ErrForm", form, text, err)
			}
		}
	})
}
