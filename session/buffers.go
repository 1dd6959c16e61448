package session

import "sync"

// Values of large roots are encoded into buffers that are used again, once the database
// has taken what was in them: fresh memory costs more than the encoding.
var buffers sync.Pool

// largeValue is from which size on a buffer is worth being kept, in bytes.
const largeValue = 32 << 10

// buffer returns an empty buffer with room for n bytes.
func buffer(n int) []byte {
	if n >= largeValue {
		if b, ok := buffers.Get().(*[]byte); ok && cap(*b) >= n {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, n)
}

// reuse gives a buffer back, which nobody reads any more.
func reuse(b []byte) {
	if cap(b) >= largeValue {
		buffers.Put(&b)
	}
}
