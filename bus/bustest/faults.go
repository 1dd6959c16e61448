package bustest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-games/holdfast/bus"
)

// filtered publishes what the filter gets one by one: the messages 1 to n.
func filtered(w *world, n int, filter func(packet []byte, number int) [][]byte) *recorder {
	a, _ := w.open(nil)
	b, line := w.open(nil)
	heard := record(w.T, b, "a")
	came := make(chan struct{}, 100)
	number := 0
	line.SetFilter(func(packet []byte) [][]byte {
		number++
		came <- struct{}{}
		return filter(packet, number)
	})
	for i := range n {
		w.publish(a, "a", fmt.Sprint(i+1))
		<-came
	}
	line.SetFilter(nil)
	w.publish(a, "a", "end")
	return heard
}

func doubled(w *world) {
	heard := filtered(w, 3, func(p []byte, _ int) [][]byte { return [][]byte{p, p, p} })
	same(w.T, "messages", []string{"1", "2", "3", "end"}, texts(heard.last(w.T, "end")))
}

func lost(w *world) {
	heard := filtered(w, 5, func(p []byte, number int) [][]byte {
		if number == 1 || number == 3 || number == 4 {
			return nil
		}
		return [][]byte{p}
	})
	same(w.T, "messages", []string{notice, "2", notice, "5", "end"}, texts(heard.last(w.T, "end")))
}

func late(w *world) {
	var held []byte
	heard := filtered(w, 4, func(p []byte, number int) [][]byte {
		switch number {
		case 2:
			held = p
			return nil
		case 3:
			return [][]byte{p, held}
		}
		return [][]byte{p}
	})
	same(w.T, "messages", []string{"1", notice, "3", "4", "end"}, texts(heard.last(w.T, "end")))
}

func repeated(w *world) {
	a, line := w.open(nil)
	b, _ := w.open(nil)
	heard := record(w.T, b, "a")
	line.Fail(5, false)
	w.publish(a, "a", "1", "2", "end")
	same(w.T, "messages", []string{"1", "2", "end"}, texts(heard.last(w.T, "end")))
	if _, sends := line.Sent(); sends < 6 {
		w.Errorf("Send was called %d times, want 6 at least", sends)
	}
}

func uncertain(w *world) {
	a, line := w.open(nil)
	b, _ := w.open(nil)
	heard := record(w.T, b, "a")
	line.Fail(3, true)
	w.publish(a, "a", "1", "2", "end")
	same(w.T, "messages", []string{"1", "2", "end"}, texts(heard.last(w.T, "end")))
}

func full(w *world) {
	a, line := w.open(&bus.Options{QueueBytes: 64 << 10})
	b, _ := w.open(nil)
	heard := record(w.T, b, "a")
	line.Fail(-1, false)
	var want []string
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000))
		if err = a.Publish(w.Context(), "a", []byte(text)); err == nil {
			want = append(want, text)
		}
	}
	if !errors.Is(err, bus.ErrFull) || len(want) < 50 {
		w.Fatalf("Publish: %v after %d messages of 1 KB, want ErrFull at 64 KB", err, len(want))
	}
	line.Fail(0, false)
	got := texts(heard.count(w.T, len(want)))
	same(w.T, "messages", want, got)
}

// listenLog returns a logger, and a channel that is closed at the first line
// that holds a text.
func listenLog(text string) (*slog.Logger, <-chan struct{}) {
	h := &logListener{text: text, heard: make(chan struct{})}
	return slog.New(h), h.heard
}

type logListener struct {
	slog.Handler
	text  string
	heard chan struct{}
}

// Enabled implements slog.Handler.
func (h *logListener) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h *logListener) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.text) {
		select {
		case <-h.heard:
		default:
			close(h.heard)
		}
	}
	return nil
}

func givenUp(w *world) {
	logger, dropped := listenLog("are dropped")
	a, line := w.open(&bus.Options{RetryFor: 10 * time.Millisecond, Logger: logger})
	b, _ := w.open(nil)
	heard, other := record(w.T, b, "a"), record(w.T, b, "b")
	w.publish(a, "a", "1")
	heard.last(w.T, "1")
	line.Fail(-1, false)
	w.publish(a, "a", "2")
	<-dropped
	line.Fail(0, false)
	// The notice does not wait for another message of the topic.
	w.publish(a, "b", "x")
	other.last(w.T, "x")
	same(w.T, "messages", []string{"1", notice}, texts(heard.last(w.T, notice)))
}

func cut(w *world) {
	a, _ := w.open(nil)
	b, line := w.open(nil)
	heard := record(w.T, b, "a")
	w.publish(a, "a", "1")
	heard.last(w.T, "1")
	line.Cut()
	line.Join()
	heard.last(w.T, notice)
	w.publish(a, "a", "2")
	same(w.T, "messages", []string{"1", notice, "2"}, texts(heard.last(w.T, "2")))
}

func lastLost(w *world) {
	a, line := w.open(nil)
	b, bLine := w.open(nil)
	heard, marks := record(w.T, b, "a"), record(w.T, a, "a")
	bLine.SetFilter(func([]byte) [][]byte { return nil })
	w.publish(a, "a", "1")
	marks.last(w.T, "1")
	// What b tells itself comes after what it lost.
	mark := record(w.T, b, "mark")
	bLine.SetFilter(func(p []byte) [][]byte {
		if !bytes.Contains(p, []byte("of b")) {
			return nil
		}
		return [][]byte{p}
	})
	w.publish(b, "mark", "of b")
	mark.last(w.T, "of b")
	bLine.SetFilter(nil)
	line.Cut()
	line.Join()
	same(w.T, "messages", []string{notice}, texts(heard.last(w.T, notice)))
}

func cutMedium(w *world) {
	if w.medium.Cut == nil {
		w.Skip("this medium cannot be cut")
	}
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	w.serve(b, "r", upper)
	heard, back := record(w.T, b, "a"), record(w.T, a, "b")
	for i := range 3 {
		text := fmt.Sprint(i)
		w.publish(a, "a", text)
		heard.last(w.T, text)
		before, _ := heard.messages()
		n := len(before)
		w.medium.Cut(w.T)
		w.publish(a, "a", "in between")
		w.medium.Join(w.T)
		heard.until(w.T, "a notice", func(all []bus.Message) bool {
			return slices.Contains(texts(all[n:]), notice)
		})
		back.count(w.T, i+1) // the publisher's line is back too
	}
	w.publish(a, "a", "end")
	all := heard.last(w.T, "end")
	if got, err := w.ask(a, "r", "x"); got != "X" || err != nil {
		w.Errorf("Request after the cut = %q, %v", got, err)
	}
	once(w, all)
}

func subscribeCut(w *world) {
	if w.medium.Cut == nil {
		w.Skip("this medium cannot be cut")
	}
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	w.medium.Cut(w.T)
	heard := record(w.T, b, "a")
	w.medium.Join(w.T)
	heard.last(w.T, notice)
	w.publish(a, "a", "1")
	heard.last(w.T, "1")
}

// once checks that what was published once came once at most.
func once(w *world, all []bus.Message) {
	seen := make(map[string]int)
	for _, m := range all {
		if text := string(m.Data); !m.Missed && text != "in between" {
			if seen[text]++; seen[text] > 1 {
				w.Errorf("%q came twice", text)
			}
		}
	}
}

func soak(w *world) {
	const n = 400
	faults := Faults{Lose: 0.1, Double: 0.1, Swap: 0.1, Delay: 0.1, Late: 5 * time.Millisecond, Refuse: 0.2}
	a, aLine := w.open(nil)
	b, bLine := w.open(nil)
	c, cLine := w.open(nil)
	heard := record(w.T, c, "a")
	for _, l := range []*Line{aLine, bLine, cLine} {
		l.SetFaults(faults)
	}
	senders := []*bus.Bus{a, b}
	for i := range n {
		for s, from := range senders {
			w.publish(from, "a", fmt.Sprintf("%d %d", s, i))
		}
		if i%3 == 0 {
			<-aLine.sending // so there are many packets
		}
	}
	for _, l := range []*Line{aLine, bLine, cLine} {
		l.SetFaults(Faults{})
	}
	w.publish(a, "a", "0 end")
	w.publish(b, "a", "1 end")
	all := heard.until(w.T, "both ends", func(all []bus.Message) bool {
		got := texts(all)
		return slices.Contains(got, "0 end") && slices.Contains(got, "1 end")
	})
	checkSoak(w, all, [2]bus.ID{a.ID(), b.ID()}, n)
}

// checkSoak checks that of each sender, messages came in order and once, with a
// notice wherever some are missing.
func checkSoak(w *world, all []bus.Message, ids [2]bus.ID, n int) {
	next, noticed := make(map[bus.ID]int), make(map[bus.ID]bool)
	for _, m := range all {
		if m.Missed {
			for _, id := range ids {
				noticed[id] = noticed[id] || m.From == id || m.From == bus.ID{}
			}
			continue
		}
		number := n
		if _, err := fmt.Sscanf(string(m.Data), "%d %d", new(int), &number); err != nil && !strings.HasSuffix(string(m.Data), "end") {
			w.Fatalf("message %q", m.Data)
		}
		if number < next[m.From] || number > next[m.From] && !noticed[m.From] {
			w.Fatalf("of %v came %q where %d was due, noticed %v", m.From, m.Data, next[m.From], noticed[m.From])
		}
		next[m.From], noticed[m.From] = number+1, false
	}
	if len(next) != 2 {
		w.Errorf("messages of %d senders came, want 2", len(next))
	}
}

func piecesLost(w *world) {
	a, _ := w.open(nil)
	b, line := w.open(nil)
	heard := record(w.T, b, "a")
	// From one loss to the next it is ever longer. Were it always the same, the
	// rest of a message that is just as long would lose its first piece each time
	// that it is asked for, and never come.
	number, loses, gap := 0, 4, 10
	line.SetFilter(func(p []byte) [][]byte {
		if !bytes.Contains(p, []byte(bus.SystemPrefix+"inbox.")) {
			return [][]byte{p}
		}
		switch number++; number {
		case loses:
			loses, gap = loses+gap, gap+1
			return nil
		case loses - 3:
			return [][]byte{p, p}
		}
		return [][]byte{p}
	})
	var want []string
	for i := range 4 {
		want = append(want, body(300_000+i), "small")
	}
	w.publish(a, "a", want...)
	for i, m := range heard.count(w.T, len(want)) {
		if m.Missed || string(m.Data) != want[i] {
			w.Errorf("message %d: %d bytes, missed %v; want %d bytes as published", i, len(m.Data), m.Missed, len(want[i]))
		}
	}
}
