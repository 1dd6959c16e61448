package bustest

import (
	"bytes"
	"slices"
	"time"

	"github.com/holdfast-games/holdfast/bus"
)

func fleets(w *world) {
	a, _ := w.open(&bus.Options{Fleet: "other"})
	b, _ := w.open(nil)
	c, _ := w.open(nil)
	heard, others := record(w.T, b, "a"), record(w.T, a, "a")
	w.publish(a, "a", "1")
	others.last(w.T, "1")
	w.publish(c, "a", "2")
	same(w.T, "messages", []string{"2"}, texts(heard.last(w.T, "2")))
}

// caught returns a packet with one message that was sent under a topic.
func caught(w *world, o *bus.Options, topic string) bus.Packet {
	w.Helper()
	a, line := w.open(o)
	heard := record(w.T, a, topic)
	w.publish(a, topic, "caught")
	heard.last(w.T, "caught")
	packets, _ := line.Sent()
	for _, p := range packets {
		if bytes.Contains(p.Data, []byte("caught")) {
			return p
		}
	}
	w.Fatal("the packet was not caught")
	return bus.Packet{}
}

// injected sends packets that no Bus would send under a topic, and returns what
// a subscriber there has heard when a message came after them.
func injected(w *world, topic string, packets ...[]byte) []string {
	w.Helper()
	a, _ := w.open(nil)
	b, line := w.open(nil)
	heard := record(w.T, b, topic)
	w.publish(a, topic, "begin")
	heard.last(w.T, "begin")
	came := make(chan struct{}, 1000)
	line.SetFilter(func(p []byte) [][]byte {
		came <- struct{}{}
		return [][]byte{p}
	})
	raw := w.raw()
	for _, p := range packets {
		if err := raw.Send(w.Context(), []bus.Packet{{Subject: bus.DefaultFleet + "." + topic, Data: p}}); err != nil {
			w.Fatalf("Send: %v", err)
		}
		select {
		case <-came:
		case <-time.After(patience):
			w.Fatalf("the packet %.100q did not arrive", p)
		}
	}
	line.SetFilter(nil)
	w.publish(a, topic, "end")
	return texts(heard.last(w.T, "end"))
}

func foreign(w *world) {
	other := caught(w, &bus.Options{Fleet: "other"}, "a")
	elsewhere := caught(w, nil, "b")
	same(w.T, "messages", []string{"begin", "end"}, injected(w, "a", other.Data, elsewhere.Data))
}

func newer(w *world) {
	p := caught(w, nil, "a").Data
	p[3]++ // the format
	same(w.T, "messages", []string{"begin", notice, "end"}, injected(w, "a", p))
}

func malformed(w *world) {
	p := caught(w, nil, "b").Data
	trash := [][]byte{{}, []byte("x"), []byte("HfB"), p[:len(p)-1], p[:20], append(slices.Clone(p), 0), bytes.Repeat([]byte("HfB\x01"), 200)}
	for i := range p {
		if i != 3 {
			q := slices.Clone(p)
			q[i] ^= 0x40
			trash = append(trash, q)
		}
	}
	same(w.T, "messages", []string{"begin", "end"}, injected(w, "b", trash...))
}
