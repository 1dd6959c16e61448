package postgres

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// octetArrays encodes a [][]byte as bytea[]. It writes what pgx's own codec
// would, but makes room for all of it at once: the values of a group are half a
// megabyte, and a buffer that grows under them would be most of what a save
// allocates.
type octetArrays struct{ pgtype.Codec }

// registerArrays makes a connection use octetArrays.
func registerArrays(c *pgx.Conn) { registerIn(c.TypeMap()) }

func registerIn(m *pgtype.Map) {
	if t, ok := m.TypeForOID(pgtype.ByteaArrayOID); ok {
		m.RegisterType(&pgtype.Type{Name: t.Name, OID: t.OID, Codec: octetArrays{t.Codec}})
	}
}

// PlanEncode implements pgtype.Codec.
func (a octetArrays) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([][]byte); ok && format == pgtype.BinaryFormatCode {
		return octetArrayPlan{}
	}
	return a.Codec.PlanEncode(m, oid, format, value)
}

type octetArrayPlan struct{}

// Encode implements pgtype.EncodePlan. An element that is nil becomes NULL, and
// so does a nil array.
func (octetArrayPlan) Encode(value any, buf []byte) ([]byte, error) {
	list := value.([][]byte)
	if list == nil {
		return nil, nil
	}
	size, nulls := 20, uint32(0)
	for _, b := range list {
		size += 4 + len(b)
		if b == nil {
			nulls = 1
		}
	}
	buf = slices.Grow(buf, size)
	buf = appendNumbers(buf, 1, nulls, pgtype.ByteaOID, uint32(len(list)), 1)
	for _, b := range list {
		if b == nil {
			buf = appendNumbers(buf, ^uint32(0)) // a length of -1
			continue
		}
		buf = append(appendNumbers(buf, uint32(len(b))), b...)
	}
	return buf, nil
}

func appendNumbers(buf []byte, numbers ...uint32) []byte {
	for _, n := range numbers {
		buf = binary.BigEndian.AppendUint32(buf, n)
	}
	return buf
}
