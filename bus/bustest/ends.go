package bustest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/holdfast-games/holdfast/bus"
)

// everyCall makes each call that takes a topic.
func everyCall(w *world, b *bus.Bus, topic string) map[string]error {
	_, subscribed := b.Subscribe(topic, func(bus.Message) {})
	_, served := b.Serve(topic, upper)
	_, asked := b.Request(w.Context(), topic, nil)
	return map[string]error{
		"Publish":   b.Publish(w.Context(), topic, nil),
		"Subscribe": subscribed, "Serve": served, "Request": asked,
	}
}

func cancelled(w *world) {
	a, _ := w.open(nil)
	other := record(w.T, a, "a")
	var calls []string
	begun, release := make(chan struct{}), make(chan struct{})
	cancel, err := a.Subscribe("a", func(m bus.Message) {
		calls = append(calls, string(m.Data))
		close(begun)
		<-release
	})
	if err != nil {
		w.Fatalf("Subscribe: %v", err)
	}
	w.publish(a, "a", "1", "2", "3")
	<-begun
	other.last(w.T, "3")
	cancel()
	cancel()
	close(release)
	w.publish(a, "a", "4")
	other.last(w.T, "4")
	if err := a.Close(); err != nil { // it waits for calls under way
		w.Errorf("Close: %v", err)
	}
	same(w.T, "calls", []string{"1"}, calls)
}

func again(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	for i := range 20 {
		text := fmt.Sprint(i)
		heard := &recorder{moved: make(chan struct{})}
		cancel, err := b.Subscribe("a", heard.add)
		if err != nil {
			w.Fatalf("Subscribe: %v", err)
		}
		w.publish(a, "a", text)
		all := heard.last(w.T, text)
		// It has not heard what was said before: the notice says so.
		want := []string{text}
		if i > 0 {
			want = []string{notice, text}
		}
		same(w.T, "messages", want, texts(all))
		cancel()
	}
}

func flushed(w *world) {
	a, line := w.open(nil)
	b, _ := w.open(nil)
	heard := record(w.T, b, "a")
	release := line.Hold()
	const n = 500
	for i := range n {
		w.publish(a, "a", fmt.Sprint(i))
	}
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	release()
	if err := <-closed; err != nil {
		w.Errorf("Close: %v", err)
	}
	for i, m := range heard.count(w.T, n) {
		if string(m.Data) != fmt.Sprint(i) {
			w.Fatalf("message %d is %q", i, texts([]bus.Message{m}))
		}
	}
}

func closed(w *world) {
	a, line := w.open(nil)
	w.serve(a, "served", func(ctx context.Context, _ bus.Message) ([]byte, error) {
		<-ctx.Done()
		return nil, nil
	})
	record(w.T, a, "a")
	asked := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		close(begun)
		_, err := w.ask(a, "served", "x")
		asked <- err
	}()
	<-begun
	line.Fail(-1, false)
	_ = a.Publish(w.Context(), "a", []byte("never sent"))
	if err := a.Close(); err != nil {
		w.Errorf("Close: %v", err)
	}
	if err := <-asked; !errors.Is(err, bus.ErrClosed) {
		w.Errorf("Request during Close: %v, want ErrClosed", err)
	}
	calls := everyCall(w, a, "a")
	calls["Close"] = a.Close()
	for what, err := range calls {
		if !errors.Is(err, bus.ErrClosed) {
			w.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
}

func concurrent(w *world) {
	a, _ := w.open(nil)
	b, _ := w.open(nil)
	w.serve(b, "r", upper)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				topic := fmt.Sprint(n % 3)
				cancel, err := []*bus.Bus{a, b}[i%2].Subscribe(topic, func(bus.Message) {})
				if err != nil {
					w.Errorf("Subscribe: %v", err)
					return
				}
				w.publish(a, topic, "x")
				if got, err := w.ask(a, "r", "x"); got != "X" || err != nil {
					w.Errorf("Request = %q, %v", got, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}
