package postgres

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/s2"
	"pgregory.net/rapid"

	"github.com/holdfast-games/holdfast/driver"
)

func TestPackIsUndoneByUnpack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "unit")
		value := bytes.Repeat(unit, rapid.IntRange(0, 200).Draw(t, "times"))
		before := bytes.Clone(value)
		packed, stored := pack(value)
		if stored == nil || len(stored) > len(value) {
			t.Errorf("pack of %d bytes = %d bytes, nil %v", len(value), len(stored), stored == nil)
		}
		got, err := unpack(packed, int32(len(value)), stored)
		if err != nil || !bytes.Equal(got, value) || !bytes.Equal(value, before) {
			t.Errorf("unpack(pack(%d bytes)) = %d bytes, %v", len(value), len(got), err)
		}
	})
}

func TestPackPacksWhatGetsSmaller(t *testing.T) {
	if packed, stored := pack(bytes.Repeat([]byte("coins"), packFrom)); packed != snappy || len(stored) > packFrom {
		t.Errorf("pack of repeated text = way %d, %d bytes, want it smaller", packed, len(stored))
	}
	if packed, _ := pack(bytes.Repeat([]byte("x"), packFrom-1)); packed != plain {
		t.Errorf("pack of less than %d bytes = way %d, want it as it is", packFrom, packed)
	}
}

func TestUnpackRefuses(t *testing.T) {
	value := bytes.Repeat([]byte("coins"), 100)
	block := s2.EncodeSnappy(nil, value)
	damaged := bytes.Clone(block)
	damaged[len(damaged)/2] ^= 0xff
	bomb := s2.EncodeSnappy(nil, make([]byte, driver.MaxValue+1))
	for _, c := range []struct {
		fact   string
		packed int16
		size   int
		stored []byte
		want   error
	}{
		{"AnotherSize", snappy, len(value) - 1, block, driver.ErrCorrupt},
		{"ACutBlock", snappy, len(value), block[:len(block)-1], driver.ErrCorrupt},
		{"Nothing", snappy, len(value), nil, driver.ErrCorrupt},
		{"ANegativeSize", snappy, -1, block, driver.ErrCorrupt},
		{"MoreThanAValueMayHave", snappy, driver.MaxValue + 1, bomb, driver.ErrCorrupt},
		{"AWayThatIsNotKnown", snappy + 1, len(value), block, driver.ErrFormat},
	} {
		t.Run(c.fact, func(t *testing.T) {
			if got, err := unpack(c.packed, int32(c.size), c.stored); !errors.Is(err, c.want) {
				t.Errorf("unpack = %d bytes, %v, want %v", len(got), err, c.want)
			}
		})
	}
	t.Run("DamageIsAnErrorOrAnotherValue", func(t *testing.T) {
		if got, err := unpack(snappy, int32(len(value)), damaged); err == nil && bytes.Equal(got, value) {
			t.Error("unpack of a damaged block returned the value")
		}
	})
}
