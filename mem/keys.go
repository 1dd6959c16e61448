package mem

import (
	"iter"
	"slices"
	"sort"

	"github.com/holdfast-games/holdfast/driver"
)

// chunkLen is how many keys a chunk has before it is split. Inserting moves at
// most so many strings within a chunk, and one slice header per chunk.
const chunkLen = 512

// keySet is a sorted set of keys: sorted chunks of keys, in order. No chunk is
// empty. A list that begins anywhere finds its place by two binary searches,
// however many keys were added or deleted since the last one.
type keySet struct {
	chunks [][]string
}

// chunk returns the index of the chunk that holds key if any does, or that it
// would be inserted into; -1 if there are no chunks.
func (s *keySet) chunk(key string) int {
	i := sort.Search(len(s.chunks), func(i int) bool { return s.chunks[i][0] > key })
	return max(i, min(1, len(s.chunks))) - 1
}

// insert adds a key; adding it again changes nothing.
func (s *keySet) insert(key string) {
	c := s.chunk(key)
	if c < 0 {
		s.chunks = [][]string{{key}}
		return
	}
	i, found := slices.BinarySearch(s.chunks[c], key)
	if found {
		return
	}
	s.chunks[c] = slices.Insert(s.chunks[c], i, key)
	if len(s.chunks[c]) > chunkLen {
		s.split(c)
	}
}

// split halves a chunk.
func (s *keySet) split(c int) {
	whole := s.chunks[c]
	tail := slices.Clone(whole[len(whole)/2:])
	clear(whole[len(whole)/2:])
	s.chunks[c] = whole[:len(whole)/2]
	s.chunks = slices.Insert(s.chunks, c+1, tail)
}

// remove deletes a key; deleting an absent one changes nothing.
func (s *keySet) remove(key string) {
	c := s.chunk(key)
	if c < 0 {
		return
	}
	i, found := slices.BinarySearch(s.chunks[c], key)
	if !found {
		return
	}
	s.chunks[c] = slices.Delete(s.chunks[c], i, i+1)
	if len(s.chunks[c]) == 0 {
		s.chunks = slices.Delete(s.chunks, c, c+1)
	}
}

// from yields the keys that are at least key, in order. The set must not be
// changed meanwhile.
func (s *keySet) from(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for c := max(s.chunk(key), 0); c < len(s.chunks); c++ {
			i, _ := slices.BinarySearch(s.chunks[c], key)
			for _, k := range s.chunks[c][i:] {
				if !yield(k) {
					return
				}
			}
		}
	}
}

// before yields the keys that are less than key, from the last to the first;
// all of them if key is empty. The set must not be changed meanwhile.
func (s *keySet) before(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		last := len(s.chunks) - 1
		if key != "" {
			last = s.chunk(key)
		}
		for c := last; c >= 0; c-- {
			chunk := s.chunks[c]
			if key != "" && c == last {
				i, _ := slices.BinarySearch(chunk, key)
				chunk = chunk[:i]
			}
			for _, k := range slices.Backward(chunk) {
				if !yield(k) {
					return
				}
			}
		}
	}
}

// listed yields the keys from where a query begins, in its order.
func (s *keySet) listed(q driver.Query) iter.Seq[string] {
	if q.Reverse {
		end := driver.After(q.Prefix)
		if q.After != "" && (end == "" || q.After < end) {
			end = q.After
		}
		return s.before(end)
	}
	return func(yield func(string) bool) {
		for k := range s.from(max(q.Prefix, q.After)) {
			if k != q.After && !yield(k) {
				return
			}
		}
	}
}

// count returns how many keys there are with from <= key < to, at most limit,
// and the first that it did not count. It goes by chunks.
func (s *keySet) count(from, to string, limit int) (n int, next string) {
	for c := max(s.chunk(from), 0); c < len(s.chunks) && s.chunks[c][0] < to; c++ {
		i, _ := slices.BinarySearch(s.chunks[c], from)
		end, _ := slices.BinarySearch(s.chunks[c], to)
		if more := end - i; more > limit-n {
			return limit, s.chunks[c][i+limit-n]
		} else if more > 0 {
			n += more
		}
	}
	return n, ""
}
