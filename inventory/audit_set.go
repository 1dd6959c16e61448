package inventory

// idSet is a set of numbers that were chosen at random: an open-addressing table, which
// takes 8 bytes for each place where a map takes 38 for each number. At least a quarter
// of it is free.
type idSet struct {
	slots []uint64 // a power of two long; 0: free
	n     int
	zero  bool // 0 is in the set
}

// add adds a number, and reports whether it was not there.
func (s *idSet) add(v uint64) bool {
	if v == 0 {
		fresh := !s.zero
		s.zero = true
		return fresh
	}
	if 4*(s.n+1) > 3*len(s.slots) {
		s.grow()
	}
	if !s.put(v) {
		return false
	}
	s.n++
	return true
}

func (s *idSet) put(v uint64) bool {
	mask := uint64(len(s.slots) - 1)
	for at := v & mask; ; at = (at + 1) & mask {
		switch s.slots[at] {
		case v:
			return false
		case 0:
			s.slots[at] = v
			return true
		}
	}
}

func (s *idSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1024, 2*len(old)))
	for _, v := range old {
		if v != 0 {
			s.put(v)
		}
	}
}
