package bustest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/bus"
)

// patience is how long a fact waits for what must come before it calls it lost.
const patience = time.Minute

// notice stands for a notice among the texts of messages.
const notice = "(missed)"

// recorder keeps what a subscriber was told.
type recorder struct {
	mu    sync.Mutex // guards what follows
	all   []bus.Message
	moved chan struct{} // closed and replaced when there is more
}

// record subscribes to a topic.
func record(t *testing.T, b *bus.Bus, topic string) *recorder {
	t.Helper()
	r := &recorder{moved: make(chan struct{})}
	cancel, err := b.Subscribe(topic, r.add)
	if err != nil {
		t.Fatalf("Subscribe(%q): %v", topic, err)
	}
	t.Cleanup(cancel)
	return r
}

func (r *recorder) add(m bus.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, m)
	close(r.moved)
	r.moved = make(chan struct{})
}

// messages returns what has come.
func (r *recorder) messages() ([]bus.Message, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[:len(r.all):len(r.all)], r.moved
}

// until waits until what has come is enough.
func (r *recorder) until(t *testing.T, what string, enough func([]bus.Message) bool) []bus.Message {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		all, moved := r.messages()
		if enough(all) {
			return all
		}
		select {
		case <-moved:
		case <-late.C:
			t.Fatalf("%s did not come; there were %d messages and notices, at the end %.60q", what, len(all), texts(all[max(0, len(all)-10):]))
		}
	}
}

// count waits for n messages and notices.
func (r *recorder) count(t *testing.T, n int) []bus.Message {
	t.Helper()
	return r.until(t, "a message", func(all []bus.Message) bool { return len(all) >= n })
}

// last waits for a message with a text.
func (r *recorder) last(t *testing.T, text string) []bus.Message {
	t.Helper()
	return r.until(t, text, func(all []bus.Message) bool {
		return len(all) > 0 && texts(all[len(all)-1:])[0] == text
	})
}

// texts are the messages' data, or notice.
func texts(all []bus.Message) []string {
	list := make([]string, len(all))
	for i, m := range all {
		if list[i] = string(m.Data); m.Missed {
			list[i] = notice
		}
	}
	return list
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
