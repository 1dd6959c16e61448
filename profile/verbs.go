package profile

import (
	"context"
	"fmt"
)

// verb deals with one kind of question that other servers ask. The body is
// theirs to encode; it comes from outside and is checked by the verb. A question
// may come twice.
type verb func(ctx context.Context, body []byte) ([]byte, error)

// answer deals with a question of another server.
func (c *common) answer(ctx context.Context, name string, body []byte) ([]byte, error) {
	fn := c.verbs()[name]
	if fn == nil {
		return nil, fmt.Errorf("this server does not know the question %.40q", name)
	}
	return fn(ctx, body)
}

// verbs are the questions that servers ask each other.
func (c *common) verbs() map[string]verb {
	return map[string]verb{
		verbDeliver: c.answerDelivery,
		verbHello:   c.hello,
		verbFreeze:  c.freeze,
		verbThaw:    c.thawed,
		verbFollow:  c.followed,
		verbNews:    c.news,
	}
}
