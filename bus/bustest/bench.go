package bustest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
)

// Bench measures two servers on a medium: the time from publishing to the
// subscriber, one message at a time; the messages of 100 bytes that arrive per
// second; and the time of a request with its reply.
func Bench(b *testing.B, m *Medium) {
	open := func() *bus.Bus {
		t, err := m.Dial(b.Context())
		if err != nil {
			b.Fatalf("Dial: %v", err)
		}
		end, err := bus.Open(t, nil)
		if err != nil {
			b.Fatalf("bus.Open: %v", err)
		}
		b.Cleanup(func() { _ = end.Close() })
		return end
	}
	from, to := open(), open()
	b.Run("PublishToSubscriber", func(b *testing.B) { benchLatency(b, from, to) })
	b.Run("Rate", func(b *testing.B) { benchRate(b, from, to) })
	b.Run("Request", func(b *testing.B) { benchRequest(b, from, to) })
}

// listen subscribes, and returns what is told of each message.
func listen(b *testing.B, to *bus.Bus, topic string) <-chan struct{} {
	b.Helper()
	arrived := make(chan struct{}, 1<<16)
	cancel, err := to.Subscribe(topic, func(m bus.Message) {
		if m.Missed {
			b.Error("messages were missed")
		}
		arrived <- struct{}{}
	})
	if err != nil {
		b.Fatalf("Subscribe: %v", err)
	}
	b.Cleanup(cancel)
	return arrived
}

var small = make([]byte, 100)

// newTopic returns a topic that nobody has used.
func newTopic() string { return fmt.Sprint("bench ", topicNumber.Add(1)) }

var topicNumber atomic.Int64

func benchLatency(b *testing.B, from, to *bus.Bus) {
	topic := newTopic()
	arrived := listen(b, to, topic)
	for b.Loop() {
		if err := from.Publish(b.Context(), topic, small); err != nil {
			b.Fatalf("Publish: %v", err)
		}
		<-arrived
	}
}

func benchRate(b *testing.B, from, to *bus.Bus) {
	const ahead = 2048 // messages that are under way at most
	topic := newTopic()
	arrived := listen(b, to, topic)
	n := 0
	for ; b.Loop(); n++ {
		if n >= ahead {
			<-arrived
		}
		if err := from.Publish(b.Context(), topic, small); err != nil {
			b.Fatalf("Publish: %v", err)
		}
	}
	for range min(n, ahead) {
		<-arrived
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
}

func benchRequest(b *testing.B, from, to *bus.Bus) {
	topic := newTopic()
	cancel, err := to.Serve(topic, func(_ context.Context, m bus.Message) ([]byte, error) { return m.Data, nil })
	if err != nil {
		b.Fatalf("Serve: %v", err)
	}
	defer cancel()
	for b.Loop() {
		if _, err := from.Request(b.Context(), topic, small); err != nil {
			b.Fatalf("Request: %v", err)
		}
	}
}
