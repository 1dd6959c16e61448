package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
)

func testVersion(n byte) driver.Version { return driver.Version{5: n, 15: n} }

func testRecords() []record {
	delta := document.Delta{{Path: document.Field("coins"), Value: []byte("1")}, {Path: document.Element("bag", "")}}
	return []record{
		{session: testVersion(1), key: "player/alice", kind: recordWhole, body: []byte(`{"coins":0}`), revision: 1 << 40,
			outbox: outbox{{Key: "player/alice/x", Mode: driver.Always, Delete: true}}},
		{session: testVersion(1), key: "player/alice", kind: recordDelta, body: delta.AppendBinary(nil), revision: 7,
			outbox: outbox{
				{Key: "player/alice/x", Mode: driver.Always, Value: []byte("1")},
				{Key: "player/b/mail/1", Mode: driver.Once, Value: []byte{}},
			},
			reasons: reasons{"quest", "a gift"}},
		{session: testVersion(2), key: "player/b%2Fb", kind: recordDelta, body: []byte{}},
	}
}

func encodeRecords(rs []record) []byte {
	b := []byte{journalFormat}
	for i := range rs {
		b = appendRecord(b, &rs[i])
	}
	return b
}

func TestRecords(t *testing.T) {
	want := testRecords()
	b := encodeRecords(want)
	got, err := decodeRecords(b)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(record{})); err != nil || diff != "" {
		t.Errorf("decodeRecords of what appendRecord made: %v, differs (-want +got):\n%s", err, diff)
	}
	ends := map[int]bool{1: true}
	for i := range want {
		ends[len(encodeRecords(want[:i+1]))] = true
	}
	for n := range b {
		if rs, err := decodeRecords(b[:n]); (err == nil) != ends[n] || err != nil && !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("decodeRecords of the first %d bytes = %d records, %v; want ErrCorrupt unless a record ends there", n, len(rs), err)
		}
	}
	b[0]++
	if _, err := decodeRecords(b); !errors.Is(err, driver.ErrFormat) {
		t.Errorf("decodeRecords of another format = %v, want ErrFormat", err)
	}
}

func FuzzDecodeRecords(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{journalFormat})
	f.Add([]byte{journalFormat, 0xff, 0xff})
	f.Add(encodeRecords(testRecords()))
	f.Fuzz(func(t *testing.T, b []byte) {
		rs, err := decodeRecords(b)
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat) {
				t.Fatalf("decodeRecords = %v, want ErrCorrupt or ErrFormat", err)
			}
			return
		}
		again, err := decodeRecords(encodeRecords(rs))
		if err != nil || len(again) != len(rs) {
			t.Fatalf("%d records, encoded and decoded again: %d, %v", len(rs), len(again), err)
		}
		for i := range rs {
			if !bytes.Equal(rs[i].body, again[i].body) || rs[i].key != again[i].key || rs[i].session != again[i].session || rs[i].kind != again[i].kind ||
				rs[i].revision != again[i].revision || !reflect.DeepEqual(rs[i].outbox, again[i].outbox) || !slices.Equal(rs[i].reasons, again[i].reasons) {
				t.Fatalf("record %d changed: %v, %v", i, rs[i], again[i])
			}
			if err := rs[i].replay(&held{doc: scratch()}, nil); err != nil && !errors.Is(err, driver.ErrCorrupt) {
				t.Fatalf("replay = %v, want ErrCorrupt", err)
			}
		}
	})
}

func found(value []byte) *driver.Entry {
	return &driver.Entry{Key: "player/alice", Version: testVersion(1), Recent: []driver.Version{testVersion(1)}, Value: value}
}

func FuzzDecodeRoot(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"format":1,"birth":"","data":{}}`))
	f.Add([]byte(`{"format":2}`))
	r := testRoot()
	b, err := r.append(nil, func(dst []byte) []byte { return append(dst, `{"coins":1}`...) })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRoot(found(b))
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat) {
				t.Fatalf("decodeRoot = %v, want ErrCorrupt or ErrFormat", err)
			}
			return
		}
		d, err := r.document("player/alice", nil)
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) {
				t.Fatalf("document = %v, want ErrCorrupt", err)
			}
			return
		}
		again, err := r.append(nil, d.AppendJSON)
		if err != nil {
			return // a time that JSON cannot say
		}
		if _, err := decodeRoot(found(again)); err != nil {
			t.Fatalf("root %s, written again as %s: %v", b, again, err)
		}
	})
}

func FuzzDecodeLease(f *testing.F) {
	e := leaseEntry{Name: "a", Length: 10_000, Revoked: []revocation{{testVersion(1), "b", "why", true}}, Sealed: &seal{"b", "expired"}}
	b, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":1,"length_ms":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := decodeLease(found(b))
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat) {
				t.Fatalf("decodeLease = %v, want ErrCorrupt or ErrFormat", err)
			}
			return
		}
		if l.length() <= 0 || l.length() > MaxLease {
			t.Fatalf("decodeLease accepts a length of %v", l.length())
		}
	})
}

func testRoot() root {
	score := int64(-5)
	return root{Birth: testVersion(3), Lock: &lock{
		Lease: testVersion(1), Session: testVersion(2), Server: `a "server" <&>  `, Since: time.Unix(1, 5).UTC(), Position: 7,
	}, Rows: rows{{Ranked{"wins", "wins <&>", false}, &score}, {Ranked{Ranking: "laps", Field: "lap", LowestFirst: true}, nil}}}
}

// A session's saves take a shorter way than others' roots, to the same bytes.
func TestHeaderGivesTheRoot(t *testing.T) {
	for _, position := range []uint64{0, 1, 1<<64 - 1} {
		r := testRoot()
		r.Lock.Position, r.Revision = position, position/2
		data := func(dst []byte) []byte { return append(dst, `{"coins":1}`...) }
		want, err := r.append([]byte("x"), data)
		if err != nil {
			t.Fatal(err)
		}
		h, err := newHeader(testRoot())
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.append([]byte("x"), position, position/2, r.Rows)
		if err != nil {
			t.Fatal(err)
		}
		got = append(data(got), '}')
		if string(got) != string(want) {
			t.Errorf("header.append(%d) = %s, want what root.append gives: %s", position, got, want)
		}
		var back root
		if err := json.Unmarshal(got[1:], &back); err != nil || back.Lock.Position != position {
			t.Errorf("read back: %v, %+v", err, back.Lock)
		}
	}
}

func TestKeys(t *testing.T) {
	lease, from, session := testVersion(1), testVersion(2), testVersion(3)
	for _, number := range []uint64{0, 1, 1<<64 - 1} {
		if got, err := journalNumber(journalKey(lease, number)); got != number || err != nil {
			t.Errorf("journalNumber(journalKey(%d)) = %d, %v", number, got, err)
		}
	}
	if a, b := journalKey(lease, 9), journalKey(lease, 16); a >= b {
		t.Errorf("journal keys do not sort by number: %q, %q", a, b)
	}
	for _, key := range []string{leaseKey(lease), journalKey(lease, 1), requestKey(lease, from, session)} {
		if k, err := ParseKey(key); err == nil {
			t.Errorf("ParseKey(%q) = %v, nil; a system's key is nobody's", key, k)
		}
		if err := driver.CheckKey(key); err != nil {
			t.Errorf("key %q: %v", key, err)
		}
	}
	for _, bad := range []string{"", "x", "~journal/x/zzzzzzzzzzzzzzzz"} {
		if n, err := journalNumber(bad); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("journalNumber(%q) = %d, %v; want ErrCorrupt", bad, n, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"player/alice", "player/a%2Fb", "~lease/x", "%7Ex/y", "a/b/c", "a/", "/", "%", "a/%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		if err != nil {
			if !errors.Is(err, driver.ErrInvalid) {
				t.Fatalf("ParseKey(%q) = %v, want ErrInvalid", s, err)
			}
			return
		}
		if again, err := ParseKey(k.String()); again != k || err != nil {
			t.Fatalf("ParseKey(%q) = %v, whose text %q gives %v, %v", s, k, k.String(), again, err)
		}
		if err := driver.CheckKey(k.String()); err != nil {
			t.Fatalf("%v is no key of a database: %v", k, err)
		}
	})
}

func FuzzKeyString(f *testing.F) {
	f.Add("player", "alice")
	f.Add("~a/b", "%2F~")
	f.Fuzz(func(t *testing.T, kind, id string) {
		k := Key{kind, id}
		if err := k.Check(); err != nil {
			if !errors.Is(err, driver.ErrInvalid) {
				t.Fatalf("Check of %q = %v, want ErrInvalid", k, err)
			}
			return
		}
		if got, err := ParseKey(k.String()); got != k || err != nil {
			t.Fatalf("ParseKey(%q) = %v, %v; want %v", k.String(), got, err, k)
		}
	})
}

func TestOneVerdictOnALock(t *testing.T) {
	mine, other := testVersion(1), testVersion(2)
	for _, c := range []struct {
		name string
		e    *leaseEntry
		want bool
	}{
		{"Missing", nil, true},
		{"Sealed", &leaseEntry{Sealed: &seal{}}, true},
		{"Revoked", &leaseEntry{Revoked: []revocation{{Session: mine}}}, true},
		{"AnotherRevoked", &leaseEntry{Revoked: []revocation{{Session: other}}}, false},
		{"Standing", &leaseEntry{}, false},
	} {
		if got := c.e.dead(mine); got != c.want {
			t.Errorf("%s: dead = %v, want %v", c.name, got, c.want)
		}
	}
}

// The heap names the oldest record that some root lacks, whatever order the
// sessions are saved in.
func TestOldestFirst(t *testing.T) {
	var h oldestFirst
	ss := make([]*Session, 10)
	for i := range ss {
		ss[i] = &Session{rootKey: fmt.Sprint(i)}
		h.note(ss[i], uint64(i+1))
	}
	h.note(ss[0], 20)
	if got := h[0].oldest; got != 1 {
		t.Errorf("oldest = %d, want 1", got)
	}
	h.saved(ss[0], 20)
	h.replace(ss[1], 21)
	h.saved(ss[2], 0)
	h.saved(ss[2], 0)
	if got := h[0]; got != ss[3] || len(h) != 9 {
		t.Errorf("oldest is session %s of %d, want 3 of 9", got.rootKey, len(h))
	}
	for last := uint64(0); len(h) > 0; {
		s := h[0]
		if s.oldest < last {
			t.Errorf("session %s with record %d comes after %d", s.rootKey, s.oldest, last)
		}
		last = s.oldest
		h.saved(s, 0)
	}
}
