package bus_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-games/holdfast/bus"
	"github.com/holdfast-games/holdfast/bus/bustest"
)

// net is a Local with faults, in a bubble.
type net struct {
	*testing.T
	hub *bus.Local
}

func bubble(t *testing.T, test func(n *net)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(&net{t, bus.NewLocal()}) })
}

// pass lets simulated time pass, and all that is to happen then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// open returns a Bus that is closed with the test.
func (n *net) open(o *bus.Options) (*bus.Bus, *bustest.Line) {
	n.Helper()
	line := bustest.NewLine(n.hub.Transport(), 1)
	b, err := bus.Open(line, o)
	if err != nil {
		n.Fatalf("Open: %v", err)
	}
	n.Cleanup(func() {
		if err := b.Close(); err != nil && !errors.Is(err, bus.ErrClosed) {
			n.Errorf("Close: %v", err)
		}
	})
	return b, line
}

// sizes are those of the messages that came; -1 is a notice.
type sizes struct {
	mu  sync.Mutex
	all []int
}

func (s *sizes) add(m bus.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Missed {
		s.all = append(s.all, -1)
		return
	}
	s.all = append(s.all, len(m.Data))
}

// take returns what has come since it was called last.
func (s *sizes) take() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// subscribe collects the sizes of a topic's messages.
func (n *net) subscribe(b *bus.Bus, topic string) *sizes {
	n.Helper()
	got := new(sizes)
	cancel, err := b.Subscribe(topic, got.add)
	if err != nil {
		n.Fatalf("Subscribe: %v", err)
	}
	n.Cleanup(cancel)
	return got
}

func (n *net) publish(b *bus.Bus, topic string, size int) {
	n.Helper()
	if err := b.Publish(n.Context(), topic, make([]byte, size)); err != nil {
		n.Errorf("Publish of %d bytes: %v", size, err)
	}
}

// inject sends a packet that no Bus made.
func (n *net) inject(topic string, packet []byte) {
	n.Helper()
	t := n.hub.Transport()
	if err := t.Send(n.Context(), []bus.Packet{{Subject: bus.DefaultFleet + "." + topic, Data: packet}}); err != nil {
		n.Errorf("Send: %v", err)
	}
}

func (n *net) want(what string, want, got any) {
	n.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		n.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	for _, o := range []bus.Options{
		{Fleet: "a.b"}, {Fleet: "ü"}, {Fleet: " "}, {Fleet: strings.Repeat("x", 51)},
		{QueueBytes: -1}, {QueueBytes: 1000}, {QueueBytes: 2 << 30},
		{RetryFor: -1}, {RetryFor: time.Millisecond}, {RetryFor: time.Hour},
		{Backlog: -1}, {Backlog: 1_000_001},
	} {
		if b, err := bus.NewLocal().Open(&o); !errors.Is(err, bus.ErrOptions) {
			t.Errorf("Open(%+v) = %v, %v; want ErrOptions", o, b, err)
		}
	}
	b, err := bus.NewLocal().Open(&bus.Options{Fleet: strings.Repeat("x", 50), QueueBytes: 1 << 30, RetryFor: 10 * time.Minute, Backlog: 1_000_000})
	if err != nil {
		t.Fatalf("Open with the largest options: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestRetries(t *testing.T) {
	t.Run("MessageIsSentWhenTheLineIsBackInTime", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, line := n.open(nil)
			b, _ := n.open(nil)
			got := n.subscribe(b, "a")
			line.Cut()
			n.publish(a, "a", 1)
			pass(9 * time.Second)
			n.publish(a, "a", 2)
			line.Join()
			began := time.Now()
			synctest.Wait()
			n.want("messages", []int{1, 2}, got.take())
			n.want("time from the line's return to the message", time.Duration(0), time.Since(began))
		})
	})
	t.Run("MessageIsDroppedAfterItsTimeAndThatIsNoticed", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, line := n.open(nil)
			b, _ := n.open(nil)
			got := n.subscribe(b, "a")
			n.publish(a, "a", 1)
			synctest.Wait()
			line.Cut()
			n.publish(a, "a", 2)
			pass(7 * time.Second)
			n.publish(a, "a", 3)
			pass(7 * time.Second)
			line.Join()
			pass(time.Second)
			n.want("messages", []int{1, -1, 3}, got.take())
			n.want("bytes that wait", 0, a.QueueBytes())
		})
	})
	t.Run("EverythingTooOldIsDropped", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, line := n.open(nil)
			b, _ := n.open(nil)
			got := n.subscribe(b, "a")
			line.Cut()
			n.publish(a, "a", 1)
			pass(time.Second)
			for range 10_000 {
				n.publish(a, "a", 100)
			}
			pass(time.Minute)
			line.Join()
			pass(time.Second)
			n.want("messages", []int{-1}, got.take())
			n.want("bytes that wait", 0, a.QueueBytes())
		})
	})
	t.Run("CloseIsBoundedWhenNothingCanBeSent", func(t *testing.T) {
		bubble(t, func(n *net) {
			for _, fault := range []func(*bustest.Line){func(l *bustest.Line) { l.Cut() }, func(l *bustest.Line) { l.Hold() }} {
				a, line := n.open(nil)
				fault(line)
				n.publish(a, "a", 1)
				n.publish(a, "b", 70_000)
				began := time.Now()
				if err := a.Close(); err != nil {
					n.Errorf("Close: %v", err)
				}
				if took := time.Since(began); took != bus.CloseTime {
					n.Errorf("Close took %v of simulated time, want %v", took, bus.CloseTime)
				}
			}
		})
	})
}

// narrow is a transport whose limit changes, as after a reconnect to another
// server.
type narrow struct {
	bus.Transport
	limit atomic.Int64
}

func (t *narrow) Limit() int { return int(t.limit.Load()) }

func TestMessageThatNoLongerFitsIsDroppedAndNoticed(t *testing.T) {
	bubble(t, func(n *net) {
		tr := &narrow{Transport: n.hub.Transport()}
		tr.limit.Store(10_000)
		line := bustest.NewLine(tr, 1)
		a, err := bus.Open(line, nil)
		if err != nil {
			n.Fatalf("Open: %v", err)
		}
		defer func() { _ = a.Close() }()
		b, _ := n.open(nil)
		got := n.subscribe(b, "a")
		release := line.Hold()
		n.publish(a, "a", 1)
		synctest.Wait()
		n.publish(a, "a", 9000)
		n.publish(a, "a", 2)
		tr.limit.Store(2000)
		release()
		synctest.Wait()
		n.publish(a, "a", 9000) // in pieces now
		synctest.Wait()
		n.want("messages", []int{1, -1, 2, 9000}, got.take())
	})
}

func TestLargeMessages(t *testing.T) {
	t.Run("AreKeptForATime", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, _ := n.open(nil)
			n.publish(a, "a", 100_000)
			synctest.Wait()
			if messages, bytes := a.Kept(); messages != 1 || bytes != 100_000 {
				n.Errorf("%d messages of %d bytes are kept, want the one", messages, bytes)
			}
			pass(bus.KeepTime)
			synctest.Wait()
			if messages, bytes := a.Kept(); messages != 0 || bytes != 0 {
				n.Errorf("%d messages of %d bytes are kept after %v", messages, bytes, bus.KeepTime)
			}
		})
	})
	t.Run("AreKeptUpToABound", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, _ := n.open(nil)
			for range 2 * bus.KeepBytes / bus.MaxMessage {
				n.publish(a, "a", bus.MaxMessage)
			}
			if messages, bytes := a.Kept(); bytes > bus.KeepBytes || messages != bus.KeepBytes/bus.MaxMessage {
				n.Errorf("%d messages of %d bytes are kept, at most %d bytes are allowed", messages, bytes, bus.KeepBytes)
			}
		})
	})
	t.Run("WhoseSenderIsSilentAreNoticed", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, line := n.open(nil)
			b, _ := n.open(nil)
			got := n.subscribe(b, "a")
			n.publish(a, "a", 1)
			synctest.Wait()
			line.SetFilter(func([]byte) [][]byte { return nil }) // nobody is heard by a
			n.publish(a, "a", 100_000)
			n.publish(a, "a", 2)
			synctest.Wait()
			n.want("messages while it is being fetched", []int{1}, got.take())
			pass(2 * bus.FetchQuiet)
			n.want("messages after that", []int{-1, 2}, got.take())
		})
	})
	t.Run("WhoseSenderHasClosedAreNoticed", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, _ := n.open(nil)
			b, line := n.open(nil)
			got := n.subscribe(b, "a")
			release := line.Hold()
			n.publish(a, "a", 100_000)
			synctest.Wait()
			if err := a.Close(); err != nil {
				n.Errorf("Close: %v", err)
			}
			release()
			pass(2 * bus.FetchQuiet)
			n.want("messages", []int{-1}, got.take())
		})
	})
	t.Run("ThatAreGoneAreNoticedAtOnce", func(t *testing.T) {
		bubble(t, func(n *net) {
			a, _ := n.open(nil)
			b, line := n.open(nil)
			got := n.subscribe(b, "a")
			release := line.Hold()
			n.publish(a, "a", 100_000)
			pass(bus.KeepTime) // b has given up, and asks only now
			release()
			synctest.Wait()
			n.want("messages", []int{-1}, got.take())
			n.publish(a, "a", 3)
			synctest.Wait()
			n.want("messages after that", []int{3}, got.take())
		})
	})
	t.Run("ThatWereChangedAreNoticed", func(t *testing.T) {
		bubble(t, func(n *net) {
			b, _ := n.open(nil)
			a, _ := n.open(nil)
			got := n.subscribe(b, "a")
			n.publish(a, "b", 100_000) // kept under the id 1
			announced := binary.LittleEndian.AppendUint32(nil, 12345)
			announced = append(announced, bus.Plain, 0, 0)
			n.inject("a", bus.Packet1("a", a.ID(), 100, 0, bus.Large, 1, 100_000, announced))
			synctest.Wait()
			n.want("messages", []int{-1}, got.take())
		})
	})
	t.Run("AnnouncedInMassesAreRefusedAndNoticed", func(t *testing.T) {
		bubble(t, func(n *net) {
			b, _ := n.open(nil)
			got := n.subscribe(b, "a")
			const announcements = 10 * bus.FetchMost
			for i := range uint64(announcements) {
				n.inject("a", bus.Packet1("a", bus.ID{1}, i+1, i, bus.Large, i, 1000, []byte{0, 0, 0, 0, bus.Plain, 0, 0}))
			}
			pass(time.Hour)
			if notices := len(got.take()); notices == 0 || notices > bus.FetchMost+1 {
				n.Errorf("%d notices for %d announcements that nobody made, want 1 to %d", notices, announcements, bus.FetchMost+1)
			}
		})
	})
	t.Run("AnnouncedOverTheLimitAreRefusedAndNoticed", func(t *testing.T) {
		bubble(t, func(n *net) {
			b, _ := n.open(nil)
			got := n.subscribe(b, "a")
			n.inject("a", bus.Packet1("a", bus.ID{1}, 1, 0, bus.Large, 1, 100<<30, []byte{0, 0, 0, 0, bus.Plain, 0, 0}))
			synctest.Wait()
			n.want("messages", []int{-1}, got.take())
		})
	})
}

func TestUnknownKindIsRefusedAndNoticed(t *testing.T) {
	bubble(t, func(n *net) {
		b, _ := n.open(nil)
		got := n.subscribe(b, "a")
		n.inject("a", bus.Packet1("a", bus.ID{1}, 1, 0, 99, 1, 1, []byte("x")))
		n.inject("a", bus.Packet1("a", bus.ID{1}, 2, 1, bus.Plain, 0, 0, []byte("12345")))
		n.inject(b.InboxTopic(), bus.Packet1(b.InboxTopic(), bus.ID{1}, 3, 0, bus.Plain, 0, 0, []byte("12345")))
		synctest.Wait()
		n.want("messages", []int{-1, 5}, got.take())
	})
}

func TestMemoryOfTopicsAndSendersIsBounded(t *testing.T) {
	bubble(t, func(n *net) {
		a, _ := n.open(nil)
		b, _ := n.open(nil)
		got := n.subscribe(b, "0")
		n.publish(a, "0", 1)
		for i := range 3 * bus.KeptStreams {
			n.publish(a, fmt.Sprint(i+1), 1)
			if i%100 == 0 {
				pass(time.Millisecond)
			}
		}
		synctest.Wait()
		if got := a.Streams(); got > bus.KeptStreams {
			n.Errorf("%d topics are remembered, at most %d", got, bus.KeptStreams)
		}
		n.publish(a, "0", 2)
		synctest.Wait()
		n.want("messages, with a notice as the sender has forgotten what it sent", []int{1, -1, 2}, got.take())
		pass(time.Millisecond)
		for i := range uint32(3 * bus.KeptSenders) {
			id := bus.ID{1, byte(i), byte(i >> 8), byte(i >> 16)}
			n.inject("0", bus.Packet1("0", id, 1, 0, bus.Plain, 0, 0, nil))
		}
		synctest.Wait()
		if got := b.Senders("0"); got > bus.KeptSenders {
			n.Errorf("%d senders are remembered, at most %d", got, bus.KeptSenders)
		}
		got.take()
		n.publish(a, "0", 3)
		synctest.Wait()
		n.want("messages, with a notice as the receiver has forgotten the sender", []int{-1, 3}, got.take())
	})
}

func TestRequestWaitsTheDefaultTime(t *testing.T) {
	bubble(t, func(n *net) {
		a, _ := n.open(nil)
		began := time.Now()
		_, err := a.Request(context.Background(), "a", nil)
		if took := time.Since(began); !errors.Is(err, bus.ErrNoReply) || took != bus.DefaultWait {
			n.Errorf("Request: %v after %v, want ErrNoReply after %v", err, took, bus.DefaultWait)
		}
	})
}

func TestHandlersContextEndsWithTheRequest(t *testing.T) {
	bubble(t, func(n *net) {
		a, _ := n.open(nil)
		b, _ := n.open(nil)
		ended := make(chan time.Duration, 1)
		began := time.Now()
		cancel, err := b.Serve("a", func(ctx context.Context, _ bus.Message) ([]byte, error) {
			<-ctx.Done()
			ended <- time.Since(began)
			return nil, ctx.Err()
		})
		if err != nil {
			n.Fatalf("Serve: %v", err)
		}
		defer cancel()
		ctx, stop := context.WithTimeout(n.Context(), 3*time.Second)
		defer stop()
		if _, err := a.Request(ctx, "a", nil); !errors.Is(err, bus.ErrNoReply) {
			n.Errorf("Request: %v, want ErrNoReply", err)
		}
		if took := <-ended; took < 3*time.Second || took > 3*time.Second+10*time.Millisecond {
			n.Errorf("the handler's context ended after %v, want about 3s", took)
		}
	})
}

func TestMetrics(t *testing.T) {
	bubble(t, func(n *net) {
		reg := prometheus.NewRegistry()
		a, _ := n.open(&bus.Options{Metrics: reg})
		if b, err := n.hub.Open(&bus.Options{Metrics: reg}); err == nil {
			_ = b.Close()
			n.Error("a second Bus was registered under the same names")
		}
		n.subscribe(a, "a")
		n.publish(a, "a", 1)
		synctest.Wait()
		n.publish(a, "a", 100_000)
		synctest.Wait()
		_, _ = a.Request(n.Context(), "nobody", nil)
		n.inject("a", []byte("x"))
		n.inject("a", bus.Packet1("a", bus.ID{1}, 5, 4, bus.Plain, 0, 0, nil))
		n.inject("a", bus.Packet1("a", bus.ID{1}, 5, 4, bus.Plain, 0, 0, nil))
		synctest.Wait()
		n.want("metrics", map[string]float64{
			"holdfast_bus_published_total": 3, "holdfast_bus_received_total": 3, "holdfast_bus_packets_sent_total": 3,
			"holdfast_bus_packets_received_total": 5, "holdfast_bus_refused_total": 1, "holdfast_bus_repeated_total": 1,
			"holdfast_bus_missed_total": 1, "holdfast_bus_fetches_total": 1, "holdfast_bus_request_seconds": 1,
			"holdfast_bus_up": 1,
		}, gather(t, reg))
		if err := a.Close(); err != nil {
			n.Errorf("Close: %v", err)
		}
		n.want("metrics after Close", map[string]float64{}, gather(t, reg))
	})
}

// gather returns the sums of all metrics that are not zero.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatalf("Gather: %v", err)
	}
	sums := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount()); v != 0 {
				sums[f.GetName()] += v
			}
		}
	}
	return sums
}

func TestWatcherTellsOfChangesOnly(t *testing.T) {
	var w bus.Watcher
	var told []bool
	w.Tell(true)
	w.Tell(false)
	w.Watch(func(up bool) { told = append(told, up) })
	for _, up := range []bool{false, true, true, false, false, true} {
		w.Tell(up)
	}
	if diff := cmp.Diff([]bool{false, true, false, true}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
