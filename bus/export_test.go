package bus

// Limits for tests.
const (
	KeepTime    = keepTime
	KeepBytes   = keepBytes
	FetchMost   = fetchMost
	FetchQuiet  = fetchQuiet
	KeptStreams = keptStreams
	KeptSenders = keptSenders
	CloseTime   = closeTime
)

// Packet1 returns a packet of the default fleet with one record.
func Packet1(topic string, from ID, number, before uint64, k byte, id, arg uint64, data []byte) []byte {
	h := head{fleet: DefaultFleet, topic: topic, from: from, number: number, before: before}
	return encode(h, record{kind(k), id, arg, data})
}

// Kinds of records.
const (
	Plain = byte(plain)
	Large = byte(large)
)

// InboxTopic is where a Bus gets what is meant for it alone.
func (b *Bus) InboxTopic() string { return b.inbox.topic }

// Streams returns how many topics the Bus remembers that it has sent on.
func (b *Bus) Streams() int {
	b.out.mu.Lock()
	defer b.out.mu.Unlock()
	return len(b.out.streams)
}

// Kept returns how many large messages the Bus holds, and their bytes.
func (b *Bus) Kept() (messages, bytes int) {
	b.kept.mu.Lock()
	defer b.kept.mu.Unlock()
	return len(b.kept.held), b.kept.bytes
}

// QueueBytes returns how much waits to be sent.
func (b *Bus) QueueBytes() int { return b.out.waiting() }

// Senders returns how many senders of a topic are remembered.
func (b *Bus) Senders(topic string) int {
	b.mu.Lock()
	ch := b.channels[topic]
	b.mu.Unlock()
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.senders)
}
