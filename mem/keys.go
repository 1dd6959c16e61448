package mem

import (
	"iter"
	"slices"
	"sort"
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
