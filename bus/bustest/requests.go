package bustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/holdfast-games/holdfast/bus"
)

func (w *world) serve(b *bus.Bus, topic string, fn bus.Handler) (cancel func()) {
	w.Helper()
	cancel, err := b.Serve(topic, fn)
	if err != nil {
		w.Fatalf("Serve(%q): %v", topic, err)
	}
	w.Cleanup(cancel)
	return cancel
}

// ask requests with patience.
func (w *world) ask(b *bus.Bus, topic, msg string) (string, error) {
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	data, err := b.Request(ctx, topic, []byte(msg))
	return string(data), err
}

func upper(_ context.Context, m bus.Message) ([]byte, error) {
	return []byte(strings.ToUpper(string(m.Data))), nil
}

func replied(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	w.serve(b, "a", upper)
	heard := record(w.T, b, "a")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			msg := fmt.Sprintf("x%d", i)
			if got, err := w.ask(a, "a", msg); got != strings.ToUpper(msg) || err != nil {
				w.Errorf("Request(%q) = %q, %v", msg, got, err)
			}
		})
	}
	wg.Wait()
	if got, err := w.ask(b, "a", "own"); got != "OWN" || err != nil {
		w.Errorf("Request of its own server = %q, %v", got, err)
	}
	w.publish(a, "a", "plain")
	same(w.T, "messages to a subscriber beside the server", []string{"plain"}, texts(heard.count(w.T, 1)))
}

func repliedLarge(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	w.serve(b, "a", func(_ context.Context, m bus.Message) ([]byte, error) { return append(m.Data, '!'), nil })
	for _, size := range []int{0, 5_900, 70_000, bus.MaxMessage - 1} {
		want := body(size)
		for _, from := range []*bus.Bus{a, b} {
			if got, err := w.ask(from, "a", want); got != want+"!" || err != nil {
				w.Errorf("Request of %d bytes = %d bytes, %v", size, len(got), err)
			}
		}
	}
}

func repliedError(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	w.serve(b, "a", func(_ context.Context, m bus.Message) ([]byte, error) {
		if len(m.Data) == 0 {
			return make([]byte, bus.MaxMessage+1), nil
		}
		return nil, errors.New(string(m.Data))
	})
	for msg, want := range map[string]string{
		"poor":                    "poor",
		"\xff":                    "?",
		strings.Repeat("x", 5000): strings.Repeat("x", 1024),
		"":                        fmt.Sprintf("message too large: reply of %d bytes, at most %d", bus.MaxMessage+1, bus.MaxMessage),
	} {
		_, err := w.ask(a, "a", msg)
		var said *bus.ReplyError
		if !errors.As(err, &said) || said.Text != want {
			w.Errorf("Request(%.20q): %.100v, want a ReplyError %.100q", msg, err, want)
		}
	}
}

func noReply(w *world) {
	a, _ := w.open(nil)
	ctx, cancel := context.WithTimeout(w.Context(), 1)
	defer cancel()
	if _, err := a.Request(ctx, "a", nil); !errors.Is(err, bus.ErrNoReply) || !errors.Is(err, context.DeadlineExceeded) {
		w.Errorf("Request to nobody: %v, want ErrNoReply and DeadlineExceeded", err)
	}
	ctx, cancel = context.WithCancel(w.Context())
	b, _ := w.open(nil)
	told := make(chan struct{})
	w.serve(b, "b", func(ctx context.Context, _ bus.Message) ([]byte, error) {
		close(told)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	go func() {
		<-told
		cancel()
	}()
	if _, err := a.Request(ctx, "b", nil); !errors.Is(err, bus.ErrNoReply) || !errors.Is(err, context.Canceled) {
		w.Errorf("Request that is given up: %v, want ErrNoReply and Canceled", err)
	}
}

func severalReplies(w *world) {
	a, _ := w.open(nil)
	var asked atomic.Int32
	for range 3 {
		b, _ := w.open(nil)
		w.serve(b, "a", func(context.Context, bus.Message) ([]byte, error) {
			asked.Add(1)
			return []byte("yes"), nil
		})
	}
	for range 10 {
		if got, err := w.ask(a, "a", "x"); got != "yes" || err != nil {
			w.Fatalf("Request = %q, %v", got, err)
		}
	}
	if n := asked.Load(); n < 10 || n > 30 {
		w.Errorf("10 requests to 3 servers were dealt with %d times", n)
	}
}

func servedTwice(w *world) {
	a, _ := w.open(nil)
	cancel := w.serve(a, "a", upper)
	if _, err := a.Serve("a", upper); !errors.Is(err, bus.ErrServed) {
		w.Errorf("second Serve: %v, want ErrServed", err)
	}
	cancel()
	w.serve(a, "a", upper)
	if got, err := w.ask(a, "a", "x"); got != "X" || err != nil {
		w.Errorf("Request after Serve, cancel, Serve = %q, %v", got, err)
	}
}
