package bus

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
	"time"
)

// Limits of what a sender keeps for those who fetch it.
const (
	keepTime  = 30 * time.Second
	keepBytes = 64 << 20
)

// keeper holds the large messages that this Bus has announced, until they are
// too old or too much.
type keeper struct {
	mu     sync.Mutex
	held   map[uint64]*heldMessage
	order  []uint64 // oldest first; some may be gone
	bytes  int
	closed bool
}

type heldMessage struct {
	data  []byte
	timer *time.Timer
}

func newKeeper() *keeper { return &keeper{held: make(map[uint64]*heldMessage)} }

// keep holds a message's data and returns the record that announces it.
func (k *keeper) keep(id uint64, r record) record {
	announced := record{kind: large, id: id, arg: uint64(len(r.data))}
	announced.data = binary.LittleEndian.AppendUint32(nil, crc32.Checksum(r.data, castagnoli))
	announced.data = append(announced.data, byte(r.kind))
	announced.data = binary.AppendUvarint(binary.AppendUvarint(announced.data, r.id), r.arg)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return announced
	}
	for k.bytes+len(r.data) > keepBytes && len(k.order) > 0 {
		k.dropLocked(k.order[0])
	}
	k.held[id] = &heldMessage{r.data, time.AfterFunc(keepTime, func() { k.drop(id) })}
	k.order = append(k.order, id)
	k.bytes += len(r.data)
	return announced
}

// get returns a message's data, or nil if it is not held any more.
func (k *keeper) get(id uint64) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := k.held[id]; h != nil {
		return h.data
	}
	return nil
}

func (k *keeper) drop(id uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropLocked(id)
}

func (k *keeper) dropLocked(id uint64) {
	if h := k.held[id]; h != nil {
		h.timer.Stop()
		k.bytes -= len(h.data)
		delete(k.held, id)
	}
	for len(k.order) > 0 && k.held[k.order[0]] == nil {
		k.order = k.order[1:]
	}
}

// close forgets everything.
func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for id := range k.held {
		k.dropLocked(id)
	}
}

// window is how many bytes are asked for at once, and maxWindow how many are
// sent at most.
const (
	window    = 128 << 10
	maxWindow = 512 << 10
)

// fetched deals with one who fetches a part of what this Bus keeps.
func (b *Bus) fetched(it *item) {
	to := inboxTopic(it.from)
	data := b.kept.get(it.id)
	count, n := binary.Uvarint(it.data)
	if data == nil || n <= 0 || it.arg >= uint64(len(data)) {
		_ = b.out.add(to, record{kind: gone, id: it.id}) // without a word, the other gives up later
		return
	}
	from := int(it.arg)
	part := data[from : from+int(min(count, maxWindow, uint64(len(data)-from)))]
	pieces := split(it.id, from, part, b.room(to))
	// If the outbox is full the other asks again.
	_ = b.out.add(to, pieces...)
}

// split cuts bytes into pieces of which each fits into a packet.
func split(id uint64, from int, part []byte, room int) (pieces []record) {
	empty := record{kind: piece, id: ^uint64(0), arg: MaxMessage}
	most := room - empty.size() - binary.MaxVarintLen32
	for len(part) > 0 {
		n := min(most, len(part))
		pieces = append(pieces, record{kind: piece, id: id, arg: uint64(from), data: part[:n:n]})
		from, part = from+n, part[n:]
	}
	return pieces
}

// Errors of fetching, which become notices.
var (
	errGone    = errors.New("its sender holds it no longer")
	errDamaged = errors.New("checksum mismatch")
	errLate    = errors.New("its sender does not answer")
)

// parcel is a large message that is being fetched.
type parcel struct {
	from  ID
	id    uint64 // at its sender
	size  int
	sum   uint32
	own   bool
	inner record        // what it is, without data
	then  func()        // called when it is settled; nil: nothing
	done  chan struct{} // closed when data or err is there
	data  []byte
	err   error

	mu    sync.Mutex // guards what follows
	got   []byte
	gone  bool
	moved chan struct{} // level: got has grown, or gone
}

// newParcel reads an announcement. It is refused if the message would be larger
// than any that this version sends.
func newParcel(it *item) (*parcel, bool) {
	if it.arg == 0 || it.arg > MaxMessage || len(it.data) < 5 {
		return nil, false
	}
	p := &parcel{
		from: it.from, id: it.id, size: int(it.arg), own: it.own, sum: binary.LittleEndian.Uint32(it.data),
		done: make(chan struct{}), moved: make(chan struct{}, 1),
	}
	c := cursor{it.data[5:], true}
	p.inner = record{kind: kind(it.data[4]), id: c.uvarint(), arg: c.uvarint()}
	return p, c.ok
}

// add takes a piece, or the news that there is none any more. Of pieces
// it takes the next only.
func (p *parcel) add(it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case it.kind == gone:
		p.gone = true
	case it.arg != uint64(len(p.got)) || len(it.data) == 0 || len(it.data) > p.size-len(p.got):
		return
	default:
		p.got = append(p.got, it.data...)
	}
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

// state returns how much there is, and whether the sender has no more.
func (p *parcel) state() (got int, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.got), p.gone
}

// finish settles the parcel.
func (p *parcel) finish(data []byte, err error) {
	if err == nil && crc32.Checksum(data, castagnoli) != p.sum {
		err = errDamaged
	}
	if err == nil {
		p.data = data
	}
	p.err = err
	close(p.done)
}
