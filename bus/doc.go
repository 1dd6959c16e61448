// Package bus carries messages between the servers of a fleet.
//
// A bus only makes things faster. Every message on it may be lost, and no promise
// of Holdfast rests on one: the database is the truth. What a bus does promise is
// little, and a receiver can build on it: what arrives from one sender on one
// topic arrives in order and once, and where something may be missing, the
// receiver is told so and can look into the database.
//
// # Nouns
//
// A [Bus] is one server's end. It stands on a [Transport], which carries packets
// and has no policy: [Local] connects servers within a process, package natsbus
// uses NATS, package pgbus PostgreSQL. A [Message] is published under a topic, to
// all who are subscribed to it; the sender is among them if it is subscribed, and
// can tell its own (Message.Own). A fleet is all servers of one game: what other
// fleets send on the same line is not heard.
//
//	b, err := natsbus.Open(ctx, "nats://localhost:4222", nil)
//	cancel, err := b.Subscribe("chat", func(m bus.Message) {
//		if m.Missed {
//			reload()
//			return
//		}
//		show(m.Data)
//	})
//	err = b.Publish(ctx, "chat", []byte("hello"))
//
// Topics that begin with [SystemPrefix] are Holdfast's own. Game and library use
// one bus, and do not meet on it.
//
// # Packets
//
// Publish puts a message into a queue. One goroutine sends: it takes what waits,
// in packets of one topic each, and while they are on their way, what is published
// meanwhile gathers for the next. So a message on an idle line leaves at once, no
// timer is waited for, and under load hundreds travel together.
//
// A message that does not fit into a packet is announced in its place and fetched
// from its sender by those who want it, in parts; what comes after it waits for
// that, so order is kept. The sender holds it for 30 seconds, up to 64 MiB in all;
// who comes later, or when the sender has closed, gets a notice instead. The
// largest message is [MaxMessage]. What is received is limited as well: a larger
// packet, or one that announces more, is refused before anything is allocated.
//
// # Order, doubles and gaps
//
// Each packet has its sender's number, and the number of the packet before it on
// the topic. A receiver drops what does not come after all that it has had from
// the sender: a packet that was doubled, and one that others have overtaken. If
// the number before is not the last that it has had, something is missing, and a
// notice (Message.Missed) stands in its place. So nothing is delivered twice or
// out of order, a late packet counts as a lost one, and no loss between two
// messages goes unnoticed. Of a sender whose earlier packets the receiver cannot
// know, since it subscribed later, the first packet brings a notice too.
//
// Notices come as well when the line was lost and is back, which concerns every
// sender; when a subscriber is so slow that messages were dropped for it; when a
// large message could not be fetched; and when a packet of an unknown format
// arrives, which may be a newer server's. Notices that follow each other are one.
//
// The last message before a silence has no successor to tell of its loss. If the
// line is known to have been lost, or the sender had to drop something, the sender
// makes good for that with an empty packet on each topic that it used within the
// last minute. What a network loses without a word, as no transport here does, is
// noticed with the next message only.
//
// Between different senders, and between topics, there is no order.
//
// # When the line is down
//
// Packets that cannot be sent are tried again, with pauses that grow to half a
// second, until Options.RetryFor has passed since the message was published; then
// they are dropped, and counted, and the receivers are told when that is possible.
// What waits is bounded by Options.QueueBytes; beyond it Publish returns [ErrFull].
// Nothing that fails here is fatal: a Bus works again when its line does.
//
// # Requests
//
// [Bus.Request] waits for the first reply of those who serve a topic with
// [Bus.Serve], up to its context's deadline. It is a pair of messages: either can
// be lost. Who asks again must expect that what it asked for is done twice.
//
// # What is refused
//
// A packet names its format, its fleet and its topic, and has a checksum. One that
// is malformed, oversized, of another format or from elsewhere is dropped, counted
// by its reason in holdfast_bus_refused_total, and logged once a minute at most.
package bus
