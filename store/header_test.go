package store

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
)

func TestHeader(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes string
		want  error
	}{
		{"EmptyIsCorrupt", "", driver.ErrCorrupt},
		{"NewerFormatIsToldApart", "\x02\x00", driver.ErrFormat},
		{"MissingLengthIsCorrupt", "\x01", driver.ErrCorrupt},
		{"EndlessLengthIsCorrupt", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", driver.ErrCorrupt},
		{"LengthBeyondTheEndIsCorrupt", "\x01\x05{}", driver.ErrCorrupt},
		{"LengthBeyondTheLimitIsCorrupt", "\x01\x81\x40" + string(make([]byte, 8193)), driver.ErrCorrupt},
		{"TextThatIsNoJSONIsCorrupt", "\x01\x02{]", driver.ErrCorrupt},
		{"UnknownFieldsAreNoError", "\x01\x07{\"x\":1}v", nil},
		{"NoHeaderIsNoError", "\x01\x00v", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, _, err := decodeHeader([]byte(test.bytes)); !errors.Is(err, test.want) {
				t.Errorf("decodeHeader(%q): %v, want %v", test.bytes, err, test.want)
			}
		})
	}
}

func FuzzDecodeHeader(f *testing.F) {
	for _, e := range []Entry{
		{}, {Value: []byte("value")}, {Deleted: true},
		{Meta: map[string]string{"a": "b"}, Users: []string{"1", "2"}, Value: []byte{0}},
	} {
		b, err := e.encode()
		if err != nil {
			f.Fatalf("encode: %v", err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, value, err := decodeHeader(b)
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrFormat) {
				t.Errorf("decodeHeader(%q): %v, want ErrCorrupt or ErrFormat", b, err)
			}
			return
		}
		if !bytes.HasSuffix(b, value) {
			t.Errorf("decodeHeader(%q) has the value %q, want an end of the bytes", b, value)
		}
		e := Entry{Meta: h.Meta, Users: h.Users, Deleted: h.Deleted, Value: value}
		stored, err := e.encode()
		if err != nil {
			return // over a limit, which only holds for what is written
		}
		again, same, err := decodeHeader(stored)
		if err != nil || !bytes.Equal(same, value) || len(again.Users) != len(h.Users) || again.Deleted != h.Deleted {
			t.Errorf("decodeHeader of what it made: %+v, %q, %v, want %+v, %q", again, same, err, h, value)
		}
		if diff := cmp.Diff(h.Meta, again.Meta); diff != "" && len(h.Meta) > 0 {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	})
}
