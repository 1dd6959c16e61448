package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/holdfast-games/holdfast/bus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bus offers what session.Bus asks for.
var _ interface {
	Publish(ctx context.Context, topic string, msg []byte) error
	Subscribe(topic string, fn func(msg []byte)) (cancel func(), err error)
} = (*bus.Local)(nil)

// bubble runs a test with a bus in a bubble.
func bubble(t *testing.T, test func(t *testing.T, b *bus.Local)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewLocal()
		test(t, b)
		if err := b.Close(); err != nil && !errors.Is(err, bus.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
}

func publish(t *testing.T, b *bus.Local, topic, msg string) {
	t.Helper()
	if err := b.Publish(context.Background(), topic, []byte(msg)); err != nil {
		t.Errorf("Publish(%q): %v", topic, err)
	}
}

// subscribe collects the messages of a topic. They may be read after
// synctest.Wait.
func subscribe(t *testing.T, b *bus.Local, topic string) (got *[]string, cancel func()) {
	t.Helper()
	got = new([]string)
	cancel, err := b.Subscribe(topic, func(msg []byte) { *got = append(*got, string(msg)) })
	if err != nil {
		t.Fatalf("Subscribe(%q): %v", topic, err)
	}
	return got, cancel
}

func TestLocal(t *testing.T) {
	t.Run("MessagesReachAllSubscribersOfTheTopicInOrder", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) {
			one, _ := subscribe(t, b, "a")
			two, _ := subscribe(t, b, "a")
			other, _ := subscribe(t, b, "b")
			var want []string
			for i := range 100 {
				want = append(want, fmt.Sprint(i))
				publish(t, b, "a", want[i])
			}
			synctest.Wait()
			if diff := cmp.Diff([][]string{want, want, nil}, [][]string{*one, *two, *other}); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("MessageWithoutASubscriberIsNoError", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) { publish(t, b, "a", "x") })
	})
	t.Run("MessageIsTheSubscribersOwn", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) {
			if _, err := b.Subscribe("a", func(msg []byte) { clear(msg) }); err != nil {
				t.Fatalf("Subscribe: %v", err)
			}
			msg := []byte("x")
			if err := b.Publish(t.Context(), "a", msg); err != nil {
				t.Errorf("Publish: %v", err)
			}
			synctest.Wait()
			got, _ := subscribe(t, b, "b")
			if err := b.Publish(t.Context(), "b", msg); err != nil {
				t.Errorf("Publish: %v", err)
			}
			msg[0] = 'y'
			synctest.Wait()
			if diff := cmp.Diff([]string{"x"}, *got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("SlowSubscriberMissesMessagesAndHoldsUpNobody", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) {
			release := make(chan struct{})
			slow := 0
			if _, err := b.Subscribe("a", func([]byte) { <-release; slow++ }); err != nil {
				t.Fatalf("Subscribe: %v", err)
			}
			fast, _ := subscribe(t, b, "a")
			for range 2000 {
				publish(t, b, "a", "x")
				synctest.Wait()
			}
			close(release)
			synctest.Wait()
			if slow != 1025 || len(*fast) != 2000 {
				t.Errorf("slow and fast subscriber got %d and %d messages, want 1025 and 2000", slow, len(*fast))
			}
		})
	})
	t.Run("SubscriberMayPublishAndCancel", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) {
			got, _ := subscribe(t, b, "b")
			var cancel func()
			var mu sync.Mutex
			mu.Lock()
			cancel, err := b.Subscribe("a", func([]byte) {
				mu.Lock()
				defer mu.Unlock()
				publish(t, b, "b", "x")
				cancel()
			})
			mu.Unlock()
			if err != nil {
				t.Fatalf("Subscribe: %v", err)
			}
			publish(t, b, "a", "1")
			publish(t, b, "a", "2")
			synctest.Wait()
			publish(t, b, "a", "3")
			synctest.Wait()
			if len(*got) != 1 {
				t.Errorf("got %q, want one message", *got)
			}
		})
	})
}

func TestEnd(t *testing.T) {
	// waiting subscribes and publishes three messages, of which the first is
	// being dealt with until release is closed.
	waiting := func(t *testing.T, b *bus.Local) (calls *int, cancel func(), release chan struct{}) {
		calls, release = new(int), make(chan struct{})
		cancel, err := b.Subscribe("a", func([]byte) { *calls++; <-release })
		if err != nil {
			t.Fatalf("Subscribe: %v", err)
		}
		for range 3 {
			publish(t, b, "a", "x")
		}
		synctest.Wait()
		return calls, cancel, release
	}
	t.Run("CancelDropsWhatWaits", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) {
			calls, cancel, release := waiting(t, b)
			cancel()
			cancel()
			publish(t, b, "a", "x")
			close(release)
			synctest.Wait()
			if *calls != 1 {
				t.Errorf("%d calls, want the one that was under way", *calls)
			}
		})
	})
	t.Run("CancelLeavesOtherSubscribers", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) {
			one, cancel := subscribe(t, b, "a")
			two, _ := subscribe(t, b, "a")
			cancel()
			publish(t, b, "a", "x")
			synctest.Wait()
			if len(*one) != 0 || len(*two) != 1 {
				t.Errorf("messages %q and %q, want none and one", *one, *two)
			}
		})
	})
	t.Run("CloseDropsWhatWaitsAndWaitsForCalls", func(t *testing.T) {
		bubble(t, func(t *testing.T, b *bus.Local) {
			calls, cancel, release := waiting(t, b)
			closed := make(chan error, 1)
			go func() { closed <- b.Close() }()
			synctest.Wait()
			if len(closed) != 0 {
				t.Error("Close returned while a call was under way")
			}
			close(release)
			synctest.Wait()
			if err := <-closed; err != nil || *calls != 1 {
				t.Errorf("Close: %v after %d calls, want nil after 1", err, *calls)
			}
			cancel()
			_, err := b.Subscribe("a", func([]byte) {})
			for what, err := range map[string]error{"Publish": b.Publish(t.Context(), "a", nil), "Subscribe": err, "Close": b.Close()} {
				if !errors.Is(err, bus.ErrClosed) {
					t.Errorf("%s after Close: %v, want ErrClosed", what, err)
				}
			}
		})
	})
}

func TestLimit(t *testing.T) {
	for _, test := range []struct {
		name  string
		topic string
		bytes int
		want  error
	}{
		{"EmptyTopic", "", 1, bus.ErrTopic},
		{"LongestTopic", strings.Repeat("t", bus.MaxTopic), 1, nil},
		{"LongerTopic", strings.Repeat("t", bus.MaxTopic+1), 1, bus.ErrTopic},
		{"EmptyMessage", "a", 0, nil},
		{"LargestMessage", "a", bus.MaxMessage, nil},
		{"LargerMessage", "a", bus.MaxMessage + 1, bus.ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bus.Local) {
				want := bytes.Repeat([]byte("x"), test.bytes)
				var got [][]byte
				_, err := b.Subscribe(test.topic, func(msg []byte) { got = append(got, msg) })
				if errors.Is(err, bus.ErrTopic) != errors.Is(test.want, bus.ErrTopic) {
					t.Errorf("Subscribe: %v, want %v", err, test.want)
				}
				if err := b.Publish(t.Context(), test.topic, want); !errors.Is(err, test.want) {
					t.Errorf("Publish: %v, want %v", err, test.want)
				}
				synctest.Wait()
				if test.want == nil && (len(got) != 1 || !bytes.Equal(got[0], want)) {
					t.Errorf("got %d messages, want what was published", len(got))
				}
			})
		})
	}
}

func TestLocalIsSafeForConcurrentUse(t *testing.T) {
	bubble(t, func(t *testing.T, b *bus.Local) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 200 {
					topic := fmt.Sprint(i % 3)
					_, cancel := subscribe(t, b, topic)
					publish(t, b, topic, "x")
					cancel()
				}
			})
		}
		wg.Wait()
	})
}

// Two servers within one process talk over a Local.
func ExampleLocal() {
	b := bus.NewLocal()
	defer b.Close()
	done := make(chan struct{})
	cancel, err := b.Subscribe("doorbell/server 2", func(msg []byte) {
		fmt.Printf("server 2 got %s\n", msg)
		close(done)
	})
	if err != nil {
		log.Fatal(err)
	}
	defer cancel()
	if err := b.Publish(context.Background(), "doorbell/server 2", []byte("a request for jo")); err != nil {
		log.Fatal(err)
	}
	<-done
	// Output: server 2 got a request for jo
}
