package store

// turns lets work that names a common key go one after another, in the order
// in which it came. A turn that names several keys joins all their lines in
// one step, so two turns can never wait for each other. The owner's mutex
// guards it.
type turns struct {
	lines map[string][]*turn
}

// turn is a place in the line of each of its keys.
type turn struct {
	keys  []string
	ahead int // lines in which it is not first
}

// join puts t at the end of the lines of its keys, which must be distinct, and
// reports whether it is first in all of them.
func (q *turns) join(t *turn) bool {
	if q.lines == nil {
		q.lines = make(map[string][]*turn)
	}
	for _, key := range t.keys {
		line := q.lines[key]
		if len(line) > 0 {
			t.ahead++
		}
		q.lines[key] = append(line, t)
	}
	return t.ahead == 0
}

// leave takes t out of its lines and calls ready for each turn that is now
// first in all of its own, in the order of t's keys.
func (q *turns) leave(t *turn, ready func(*turn)) {
	for _, key := range t.keys {
		line := q.lines[key]
		if len(line) == 1 {
			delete(q.lines, key)
			continue
		}
		wasFirst := line[0] == t
		line = remove(line, t)
		q.lines[key] = line
		if next := line[0]; wasFirst {
			next.ahead--
			if next.ahead == 0 {
				ready(next)
			}
		}
	}
}

func remove(line []*turn, t *turn) []*turn {
	if line[0] == t {
		line[0] = nil
		return line[1:]
	}
	for i := range line {
		if line[i] == t {
			return append(line[:i], line[i+1:]...)
		}
	}
	return line
}

// length returns how many turns are in the line of a key, the first included.
func (q *turns) length(key string) int { return len(q.lines[key]) }
