// Package calls counts the calls under way of something that can be closed, so
// that Close can wait for them and let no further one in.
package calls

import "sync"

// Counter counts calls. The zero value is ready to use, and its methods are
// safe for concurrent use.
type Counter struct {
	mu     sync.Mutex // guards closed, and that no call enters afterwards
	closed bool
	wg     sync.WaitGroup
}

// Enter lets a call in, which ends with Leave. It returns false after Close.
func (c *Counter) Enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Add(1)
	return true
}

// Leave ends a call that Enter let in.
func (c *Counter) Leave() { c.wg.Done() }

// Close lets no further call in and waits for those under way. It returns
// false, at once, if it was called before.
func (c *Counter) Close() bool {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if !closed {
		c.wg.Wait()
	}
	return !closed
}
