package bus

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a message and a topic, in bytes.
const (
	MaxMessage = 1 << 20
	MaxTopic   = 200
)

// SystemPrefix begins the topics that Holdfast uses for itself. Publish,
// Subscribe, Request and Serve refuse them; PublishSystem and SubscribeSystem
// take no others.
const SystemPrefix = "holdfast."

// inboxPrefix, with a Bus's id, is the topic of what is meant for that Bus
// alone.
const inboxPrefix = SystemPrefix + "inbox."

func inboxTopic(id ID) string { return inboxPrefix + id.String() }

func checkTopic(topic string) error {
	switch {
	case topic == "" || len(topic) > MaxTopic:
		return fmt.Errorf("%w: %d bytes, 1 to %d allowed", ErrTopic, len(topic), MaxTopic)
	case !utf8.ValidString(topic) || strings.ContainsRune(topic, 0):
		return fmt.Errorf("%w: %.80q is no UTF-8 text", ErrTopic, topic)
	}
	return nil
}

func checkGameTopic(topic string) error {
	if strings.HasPrefix(topic, SystemPrefix) {
		return fmt.Errorf("%w: %.80q: topics that begin with %q are Holdfast's own", ErrTopic, topic, SystemPrefix)
	}
	return checkTopic(topic)
}

func checkSystemTopic(topic string) error {
	if !strings.HasPrefix(topic, SystemPrefix) || strings.HasPrefix(topic, inboxPrefix) {
		return fmt.Errorf("%w: %.80q is not one of Holdfast's own", ErrTopic, topic)
	}
	return checkTopic(topic)
}

// subject is where a topic's packets travel.
func (b *Bus) subject(topic string) string { return b.opts.Fleet + "." + topic }
