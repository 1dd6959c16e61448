package bustest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/holdfast-games/holdfast/bus"
)

func orderly(w *world) {
	const each = 300
	var buses [3]*bus.Bus
	var heard [3]*recorder
	for i := range buses {
		buses[i], _ = w.open(nil)
		heard[i] = record(w.T, buses[i], "a")
	}
	var wg sync.WaitGroup
	for i, b := range buses {
		wg.Go(func() {
			for n := range each {
				w.publish(b, "a", fmt.Sprintf("%d/%d", i, n))
			}
		})
	}
	wg.Wait()
	for i, r := range heard {
		next := make(map[bus.ID]int)
		for _, m := range r.count(w.T, len(buses)*each) {
			sender := buses[m.Data[0]-'0']
			want := bus.Message{
				Topic: "a", From: sender.ID(), Own: sender == buses[i],
				Data: fmt.Appendf(nil, "%c/%d", m.Data[0], next[m.From]),
			}
			same(w.T, "message", want, m)
			next[m.From]++
		}
	}
}

func topics(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	one, two := record(w.T, b, "one"), record(w.T, b, "two")
	w.publish(a, "one", "1")
	w.publish(a, "two", "2")
	w.publish(a, "nobody", "3")
	w.publish(a, "one", "4")
	same(w.T, "one", []string{"1", "4"}, texts(one.count(w.T, 2)))
	same(w.T, "two", []string{"2"}, texts(two.count(w.T, 1)))
}

func own(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	first := func(m bus.Message) { clear(m.Data) }
	for range 2 {
		cancel, err := b.Subscribe("a", first)
		if err != nil {
			w.Fatalf("Subscribe: %v", err)
		}
		defer cancel()
	}
	heard := record(w.T, b, "a")
	var want []string
	for _, size := range []int{10, 1000, 100_000} {
		msg := []byte(body(size))
		want = append(want, string(msg))
		w.publish(a, "a", want[len(want)-1])
		if err := a.Publish(w.Context(), "a", msg); err != nil {
			w.Errorf("Publish: %v", err)
		}
		clear(msg)
		want = append(want, want[len(want)-1])
	}
	for i, m := range heard.count(w.T, len(want)) {
		if string(m.Data) != want[i] {
			w.Errorf("message %d of %d bytes was changed by its publisher or another subscriber", i, len(want[i]))
		}
	}
}

func packed(w *world) {
	a, line := w.open(nil)
	b, _ := w.open(nil)
	heard := record(w.T, b, "a")
	release := line.Hold()
	defer release()
	w.publish(a, "a", "first")
	const n = 1000
	for i := range n {
		w.publish(a, "a", fmt.Sprint(i))
	}
	release()
	all := heard.count(w.T, n+1)
	for i, m := range all[1:] {
		if string(m.Data) != fmt.Sprint(i) {
			w.Fatalf("message %d is %q", i, m.Data)
		}
	}
	packets, _ := line.Sent()
	if most := 1 + n*8/(line.Limit()-300) + 1; len(packets) > most {
		w.Errorf("%d messages travelled in %d packets, want %d at most", n+1, len(packets), most)
	}
}

func limited(w *world) {
	a, line := w.open(nil)
	b, _ := w.open(nil)
	topic := strings.Repeat("t", bus.MaxTopic)
	heard := record(w.T, b, topic)
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 300
	for range n {
		w.publish(a, topic, strings.Repeat("x", rng.IntN(min(line.Limit(), 64<<10)+100)))
	}
	heard.count(w.T, n)
	packets, _ := line.Sent()
	for _, p := range packets {
		if len(p.Data) > line.Limit() {
			w.Errorf("a packet has %d bytes, at most %d are allowed", len(p.Data), line.Limit())
		}
	}
}

// body is a text of a size, different for each.
func body(size int) string {
	b := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)})
	_, _ = rng.Read(b) // it never fails
	return string(b)
}

func largeOnes(w *world) {
	a, line := w.open(nil)
	b, _ := w.open(nil)
	heard := record(w.T, b, "a")
	limit := min(line.Limit(), 64<<10)
	var want []string
	sizes := []int{0, 1, limit, limit + 1, 3 * limit, 200_001, bus.MaxMessage}
	for size := limit - 70; size < limit-30; size++ { // around what fits into a packet
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		want = append(want, body(size), "small")
	}
	w.publish(a, "a", want...)
	for i, m := range heard.count(w.T, len(want)) {
		if m.Missed || string(m.Data) != want[i] {
			w.Errorf("message %d: %d bytes, missed %v; want %d bytes as published", i, len(m.Data), m.Missed, len(want[i]))
		}
	}
}

func largeToAll(w *world) {
	a, _ := w.open(nil)
	want := body(300_000)
	var heard []*recorder
	for _, b := range []*bus.Bus{a, a} {
		heard = append(heard, record(w.T, b, "a"))
	}
	for range 3 {
		b, _ := w.open(nil)
		heard = append(heard, record(w.T, b, "a"), record(w.T, b, "a"))
	}
	w.publish(a, "a", want)
	for i, r := range heard {
		if m := r.count(w.T, 1)[0]; m.Missed || string(m.Data) != want || m.Own != (i < 2) {
			w.Errorf("subscriber %d got %d bytes, missed %v, own %v", i, len(m.Data), m.Missed, m.Own)
		}
	}
}

func oversized(w *world) {
	a, _ := w.open(nil)
	heard := record(w.T, a, "a")
	if err := a.Publish(w.Context(), "a", make([]byte, bus.MaxMessage+1)); !errors.Is(err, bus.ErrTooLarge) {
		w.Errorf("Publish of %d bytes: %v, want ErrTooLarge", bus.MaxMessage+1, err)
	}
	w.publish(a, "a", "next")
	same(w.T, "messages", []string{"next"}, texts(heard.count(w.T, 1)))
}

func slow(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(&bus.Options{Backlog: 10})
	release, heard := make(chan struct{}), &recorder{moved: make(chan struct{})}
	begun := make(chan struct{}, 100)
	cancel, err := b.Subscribe("a", func(m bus.Message) {
		begun <- struct{}{}
		<-release
		heard.add(m)
	})
	if err != nil {
		w.Fatalf("Subscribe: %v", err)
	}
	defer cancel()
	fast := record(w.T, b, "a")
	w.publish(a, "a", "0")
	<-begun
	want := []string{"0"}
	for i := range 20 {
		text := fmt.Sprint(i + 1)
		w.publish(a, "a", text)
		fast.last(w.T, text)
		if i < 10 {
			want = append(want, text)
		}
	}
	close(release)
	heard.count(w.T, 12)
	w.publish(a, "a", "end")
	same(w.T, "messages", append(want, notice, "end"), texts(heard.last(w.T, "end")))
}

func reserved(w *world) {
	a, _ := w.open(nil)
	topic := bus.SystemPrefix + "lease.1"
	heard := &recorder{moved: make(chan struct{})}
	cancel, err := a.SubscribeSystem(topic, heard.add)
	if err != nil {
		w.Fatalf("SubscribeSystem(%q): %v", topic, err)
	}
	defer cancel()
	if err := a.PublishSystem(w.Context(), topic, []byte("x")); err != nil {
		w.Errorf("PublishSystem(%q): %v", topic, err)
	}
	heard.last(w.T, "x")
	inbox := bus.SystemPrefix + "inbox." + a.ID().String()
	for _, topic := range []string{topic, inbox, "", strings.Repeat("t", bus.MaxTopic+1), "\xff", "a\x00b"} {
		for what, err := range everyCall(w, a, topic) {
			if !errors.Is(err, bus.ErrTopic) {
				w.Errorf("%s(%q): %v, want ErrTopic", what, topic, err)
			}
		}
	}
	for _, topic := range []string{"game", "holdfas", inbox, bus.SystemPrefix + strings.Repeat("t", bus.MaxTopic)} {
		_, err := a.SubscribeSystem(topic, func(bus.Message) {})
		for what, err := range map[string]error{"SubscribeSystem": err, "PublishSystem": a.PublishSystem(w.Context(), topic, nil)} {
			if !errors.Is(err, bus.ErrTopic) {
				w.Errorf("%s(%q): %v, want ErrTopic", what, topic, err)
			}
		}
	}
}

func oddTopics(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	odd := []string{
		"a", "A", "a.", ".a", "a..b", "a.b", "*", ">", "a.*", "a.>", " ", "a b", "a\tb", "a\r\nPUB x 0", "%", "%2E", "$SYS.x",
		"ä", "日本", "'; drop table x; --", `"`, "holdfast", strings.Repeat("x", bus.MaxTopic), strings.Repeat("x", bus.MaxTopic-1),
		strings.Repeat("ü", bus.MaxTopic/2), strings.Repeat(".", bus.MaxTopic),
	}
	heard := make([]*recorder, len(odd))
	for i, topic := range odd {
		heard[i] = record(w.T, b, topic)
	}
	for i, topic := range odd {
		w.publish(a, topic, fmt.Sprint(i), "end")
	}
	for i, r := range heard {
		same(w.T, odd[i], []string{fmt.Sprint(i), "end"}, texts(r.last(w.T, "end")))
	}
}
