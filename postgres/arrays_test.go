package postgres

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgtype"
)

// TestOctetArrays shows that arrays are encoded as pgx encodes them.
func TestOctetArrays(t *testing.T) {
	plain, own := pgtype.NewMap(), pgtype.NewMap()
	registerIn(own)
	large := bytes.Repeat([]byte{1, 2, 3}, 100_000)
	for fact, list := range map[string][][]byte{
		"Nil":               nil,
		"Empty":             {},
		"One":               {[]byte("a")},
		"WithNull":          {[]byte("a"), nil, []byte("c")},
		"WithAnEmptyString": {{}, []byte("b")},
		"Large":             {large, large},
	} {
		t.Run(fact, func(t *testing.T) {
			for _, before := range []string{"", "what is there"} {
				want, err := plain.Encode(pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, list, []byte(before))
				if err != nil {
					t.Fatalf("pgx: %v", err)
				}
				got, err := own.Encode(pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, list, []byte(before))
				if err != nil || !cmp.Equal(got, want) {
					t.Errorf("Encode after %q = %.80x, %v, want %.80x", before, got, err, want)
				}
			}
		})
	}
	t.Run("AreReadAsBefore", func(t *testing.T) {
		want := [][]byte{[]byte("a"), nil, {}}
		b, err := own.Encode(pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, want, nil)
		if err != nil {
			t.Fatalf("Encode: %v", err)
		}
		var got [][]byte
		if err := own.Scan(pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, b, &got); err != nil || !cmp.Equal(got, want) {
			t.Errorf("Scan = %q, %v, want %q", got, err, want)
		}
	})
}
