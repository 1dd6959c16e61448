package bus

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// Limits of fetching.
const (
	fetchAtOnce = 8                      // parcels that travel at a time
	fetchMost   = 256                    // parcels that travel or wait for that
	firstAgain  = 200 * time.Millisecond // until a part is asked for again
	fetchQuiet  = 5 * time.Second        // without progress, it is given up
)

// fetcher gets large messages from their senders, each once per announcement.
type fetcher struct {
	b     *Bus
	turns chan struct{} // as many as may travel at a time

	mu      sync.Mutex // guards parcels
	parcels map[parcelKey]*parcel
}

// parcelKey names a message that somebody keeps.
type parcelKey struct {
	from ID
	id   uint64
}

func newFetcher(b *Bus) *fetcher {
	return &fetcher{b: b, turns: make(chan struct{}, fetchAtOnce), parcels: make(map[parcelKey]*parcel)}
}

// start begins to fetch a parcel, unless there are too many.
func (f *fetcher) start(p *parcel) bool {
	if p.own {
		f.end(p, f.b.kept.get(p.id), nil)
		return true
	}
	key := parcelKey{p.from, p.id}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.parcels) >= fetchMost || f.parcels[key] != nil || !f.b.work(func() { f.run(p) }) {
		return false
	}
	f.parcels[key] = p
	return true
}

// run fetches a parcel and settles it.
func (f *fetcher) run(p *parcel) {
	var data []byte
	err := ErrClosed
	select {
	case f.turns <- struct{}{}:
		data, err = f.travel(p)
		<-f.turns
	case <-f.b.ctx.Done():
	}
	f.mu.Lock()
	delete(f.parcels, parcelKey{p.from, p.id})
	f.mu.Unlock()
	f.end(p, data, err)
}

// travel asks for one part after another, and again for what does not come.
func (f *fetcher) travel(p *parcel) ([]byte, error) {
	asked, wait, moved := 0, firstAgain, time.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		got, gone := p.state()
		switch {
		case gone:
			return nil, errGone
		case got == p.size:
			return p.got, nil
		case got >= asked:
			f.ask(p, got)
			asked = got + window
		}
		timer.Reset(wait)
		select {
		case <-p.moved:
			moved, wait = time.Now(), firstAgain
		case <-timer.C:
			if time.Since(moved) >= fetchQuiet {
				return nil, errLate
			}
			asked, wait = 0, 2*wait
		case <-f.b.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// ask asks for the next part. A full outbox is as good as a lost question.
func (f *fetcher) ask(p *parcel, from int) {
	r := record{kind: fetch, id: p.id, arg: uint64(from), data: binary.AppendUvarint(nil, window)}
	_ = f.b.out.add(inboxTopic(p.from), r)
}

// end settles a parcel with what was fetched.
func (f *fetcher) end(p *parcel, data []byte, err error) {
	if data == nil && err == nil {
		err = errGone
	}
	p.finish(data, err)
	if p.then != nil {
		p.then()
	}
	outcome := "fetched"
	switch {
	case errors.Is(p.err, errGone):
		outcome = "gone"
	case errors.Is(p.err, errDamaged):
		outcome = "damaged"
	case p.err != nil:
		outcome = "late"
	}
	f.b.mx.fetches.WithLabelValues(outcome).Inc()
	if p.err != nil {
		f.b.grumbles.add("large message not fetched: "+p.err.Error(), 1, "from", p.from.String(), "bytes", p.size)
	}
}

// arrived gives a piece to those who fetch it.
func (f *fetcher) arrived(it *item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.parcels[parcelKey{it.from, it.id}]; p != nil {
		p.add(it)
	}
}
