package bustest

import (
	"context"
	"errors"
	"testing"

	"github.com/holdfast-games/holdfast/bus"
)

// Medium is what connects the servers of one test.
type Medium struct {
	// Dial connects one more server.
	Dial func(ctx context.Context) (bus.Transport, error)
	// Cut parts all servers that were dialled from each other, and Join ends
	// that. Nil if the medium cannot be cut.
	Cut, Join func(t *testing.T)
}

// facts are what is true on every transport.
var facts = []struct {
	name string
	test func(*world)
}{
	{"MessagesArriveInOrderFromEachSender", orderly},
	{"SubscribersOfATopicGetItsMessagesOnly", topics},
	{"MessagesAreTheirReceiversOwn", own},
	{"ManySmallMessagesTravelInOnePacket", packed},
	{"PacketsStayUnderTheLimit", limited},
	{"LargeMessagesArriveWholeAndInOrder", largeOnes},
	{"LargeMessagesReachEverySubscriber", largeToAll},
	{"MessageOverTheLimitIsRefused", oversized},
	{"RequestsAreReplied", replied},
	{"LargeRequestsAreReplied", repliedLarge},
	{"HandlersErrorReachesWhoAsked", repliedError},
	{"RequestToNobodyEnds", noReply},
	{"FirstOfSeveralRepliesCounts", severalReplies},
	{"DoubledPacketIsDeliveredOnce", doubled},
	{"LostPacketIsNoticedInItsPlace", lost},
	{"LatePacketIsDroppedAndWasNoticed", late},
	{"FailedSendsAreRepeatedUntilTheySucceed", repeated},
	{"AnswerLostAfterSendingDoublesNothing", uncertain},
	{"FullQueueIsRefused", full},
	{"WhatIsGivenUpIsNoticed", givenUp},
	{"CutLineIsNoticed", cut},
	{"LastMessageLostInACutIsNoticed", lastLost},
	{"CutMediumIsNoticedAndOvercome", cutMedium},
	{"SubscribingToACutMediumWorksOnceItIsBack", subscribeCut},
	{"OtherFleetsAreNotHeard", fleets},
	{"PacketOfAnotherFleetIsRefused", foreign},
	{"NewerPacketIsRefusedAndNoticed", newer},
	{"MalformedPacketsAreRefused", malformed},
	{"SlowSubscriberIsToldWhatItMissed", slow},
	{"TopicsOfHoldfastAreItsOwn", reserved},
	{"OddTopicsAreToldApart", oddTopics},
	{"CancelEndsDelivery", cancelled},
	{"TopicIsListenedToAgainAfterCancel", again},
	{"TopicIsServedOncePerBus", servedTwice},
	{"CloseSendsWhatWaits", flushed},
	{"ClosedBusRefusesEverything", closed},
	{"NothingIsLostInSilence", soak},
	{"LargeMessagesSurviveTheLossOfParts", piecesLost},
	{"ConcurrentUseIsSafe", concurrent},
}

// Run holds a transport to all facts. For each of them it calls run, which
// prepares a medium of its own and calls fact with it.
func Run(t *testing.T, run func(t *testing.T, fact func(t *testing.T, m *Medium))) {
	for _, f := range facts {
		t.Run(f.name, func(t *testing.T) {
			run(t, func(t *testing.T, m *Medium) {
				w := &world{T: t, medium: m}
				defer w.close()
				f.test(w)
			})
		})
	}
}

// world is what a fact works with.
type world struct {
	*testing.T
	medium *Medium
	buses  []*bus.Bus
}

// open connects a server by a line with faults.
func (w *world) open(o *bus.Options) (*bus.Bus, *Line) {
	w.Helper()
	inner, err := w.medium.Dial(w.Context())
	if err != nil {
		w.Fatalf("Dial: %v", err)
	}
	line := NewLine(inner, uint64(len(w.buses)))
	b, err := bus.Open(line, o)
	if err != nil {
		w.Fatalf("bus.Open: %v", err)
	}
	w.buses = append(w.buses, b)
	return b, line
}

// raw connects a transport without a Bus.
func (w *world) raw() bus.Transport {
	w.Helper()
	t, err := w.medium.Dial(w.Context())
	if err != nil {
		w.Fatalf("Dial: %v", err)
	}
	t.Watch(func(bool) {})
	w.Cleanup(func() { _ = t.Close() })
	return t
}

// close closes all servers at once, as some wait for others.
func (w *world) close() {
	w.Helper()
	for _, b := range w.buses {
		if err := b.Close(); err != nil && !errors.Is(err, bus.ErrClosed) {
			w.Errorf("Close: %v", err)
		}
	}
}

func (w *world) publish(b *bus.Bus, topic string, messages ...string) {
	w.Helper()
	for _, msg := range messages {
		if err := b.Publish(w.Context(), topic, []byte(msg)); err != nil {
			w.Errorf("Publish(%q): %v", topic, err)
		}
	}
}
