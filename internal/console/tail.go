package console

import "sync"

// Tail is an io.Writer that keeps the end of what is written to it, 4,096 bytes: what a
// program said last. The zero Tail is empty. It is safe for concurrent use.
type Tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

const tailBytes = 4096

// Write implements io.Writer. It never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - tailBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

// String returns what is kept, as it was written.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
