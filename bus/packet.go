package bus

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"iter"
	"math/bits"
)

// The stored form of a packet:
//
//	magic 3, format 1,
//	fleet (length 1, bytes), topic (length 1, bytes), sender 12,
//	number uvarint, the number before it on this topic uvarint,
//	records: kind 1, length uvarint, and of that length: id uvarint, arg uvarint, data
//	checksum 4 (CRC-32C of all before it, little endian)
//
// Magic and format stay where they are in every later format. Kinds that a
// reader does not know are passed over by their length.
const (
	magic  = "HfB"
	format = 1
)

// Sizes of packets, in bytes. Those that are received may be larger than those
// that are sent, so that what is sent may grow one day.
const (
	sentPacket     = 64 << 10
	receivedPacket = 256 << 10
)

// kind says what a record is.
type kind byte

const (
	plain   kind = iota + 1 // data: a message
	request                 // id: of the request, arg: ms that its sender waits, data: a message
	reply                   // id: of the request, arg: outcome, data: a message or an error's text
	large                   // id: under which its sender keeps it, arg: bytes, data: checksum, kind, id and arg of what is kept
	fetch                   // id: of what is kept, arg: from where, data: how many bytes
	piece                   // id: of what is kept, arg: from where, data: some of it
	gone                    // id: of what is kept no longer
)

// The outcomes of a request.
const (
	outcomeReply = iota
	outcomeError
)

// record is one message in a packet, or a part of the talk about one.
type record struct {
	kind kind
	id   uint64
	arg  uint64
	data []byte
}

// Reasons why a packet is refused.
var (
	errMalformed = errors.New("malformed")
	errNewer     = errors.New("of another format")
	errForeign   = errors.New("of another fleet or topic")
	errOversized = errors.New("oversized")
)

// head is what a packet says of itself.
type head struct {
	fleet, topic string
	from         ID
	number       uint64 // counts the sender's packets, from 1
	before       uint64 // the number of its packet before this one on the topic; 0: there is none, or it is not known
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// overhead bounds what a packet holds beside its records.
func (h *head) overhead() int {
	return len(magic) + 1 + 1 + len(h.fleet) + 1 + len(h.topic) + len(h.from) + 2*binary.MaxVarintLen64 + crc32.Size
}

func (h *head) append(b []byte) []byte {
	b = append(append(b, magic...), format)
	b = append(append(b, byte(len(h.fleet))), h.fleet...)
	b = append(append(b, byte(len(h.topic))), h.topic...)
	b = append(b, h.from[:]...)
	return binary.AppendUvarint(binary.AppendUvarint(b, h.number), h.before)
}

// seal ends a packet.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// size is how many bytes append adds.
func (r *record) size() int {
	n := uvarintLen(r.id) + uvarintLen(r.arg) + len(r.data)
	return 1 + uvarintLen(uint64(n)) + n
}

func uvarintLen(v uint64) int { return max(1, (bits.Len64(v)+6)/7) }

func (r *record) append(b []byte) []byte {
	var args [2 * binary.MaxVarintLen64]byte
	a := binary.AppendUvarint(binary.AppendUvarint(args[:0], r.id), r.arg)
	b = binary.AppendUvarint(append(b, byte(r.kind)), uint64(len(a)+len(r.data)))
	return append(append(b, a...), r.data...)
}

// incoming is a packet that was read and is in order.
type incoming struct {
	head
	body []byte
}

// read takes a packet apart, which must be of a fleet and a topic. Nothing is
// allocated, whatever the packet says.
func read(b []byte, fleet, topic string) (p incoming, err error) {
	switch {
	case len(b) > receivedPacket:
		return p, errOversized
	case len(b) < len(magic)+1+crc32.Size || string(b[:len(magic)]) != magic:
		return p, errMalformed
	case b[len(magic)] != format:
		return p, errNewer
	}
	end := len(b) - crc32.Size
	if crc32.Checksum(b[:end], castagnoli) != binary.LittleEndian.Uint32(b[end:]) {
		return p, errMalformed
	}
	c := cursor{b[len(magic)+1 : end], true}
	if f, t := c.short(), c.short(); c.ok && (string(f) != fleet || string(t) != topic) {
		return p, errForeign
	}
	p.fleet, p.topic = fleet, topic
	copy(p.from[:], c.take(uint64(len(p.from))))
	p.number, p.before = c.uvarint(), c.uvarint()
	p.body = c.rest
	for c.ok && len(c.rest) > 0 {
		c.record()
	}
	if !c.ok || p.number == 0 || p.before >= p.number {
		return incoming{}, errMalformed
	}
	return p, nil
}

// records yields what the packet holds.
func (p *incoming) records() iter.Seq[record] {
	return func(yield func(record) bool) {
		c := cursor{p.body, true}
		for len(c.rest) > 0 && yield(c.record()) {
		}
	}
}

// cursor reads from bytes. Once something was not there, ok is false and it
// yields zeros.
type cursor struct {
	rest []byte
	ok   bool
}

func (c *cursor) take(n uint64) []byte {
	if !c.ok || n > uint64(len(c.rest)) {
		c.ok, c.rest = false, nil
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// short takes bytes whose length is one byte before them.
func (c *cursor) short() []byte {
	n := c.take(1)
	if n == nil {
		return nil
	}
	return c.take(uint64(n[0]))
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.rest)
	if !c.ok || n <= 0 {
		c.ok, c.rest = false, nil
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) record() (r record) {
	if k := c.take(1); k != nil {
		r.kind = kind(k[0])
	}
	in := cursor{c.take(c.uvarint()), c.ok}
	r.id, r.arg, r.data = in.uvarint(), in.uvarint(), in.rest
	c.ok = c.ok && in.ok
	return r
}
