package store

// list is the queue of a lane: first what is sent again, then what is sent for
// the first time, each in the order in which it came. The DB's mutex guards it.
type list struct {
	again, fresh fifo
}

func (l *list) len() int { return l.again.len() + l.fresh.len() }

func (l *list) push(a *attempt) { l.fresh.push(a) }

func (l *list) pushAgain(a *attempt) { l.again.push(a) }

// front returns the first attempt, or nil.
func (l *list) front() *attempt {
	if a := l.again.front(); a != nil {
		return a
	}
	return l.fresh.front()
}

// pop removes the first attempt, which must be there.
func (l *list) pop() {
	if l.again.len() > 0 {
		l.again.pop()
		return
	}
	l.fresh.pop()
}

// fifo is a queue that keeps its memory.
type fifo struct {
	items []*attempt
	head  int
}

func (q *fifo) len() int { return len(q.items) - q.head }

func (q *fifo) push(a *attempt) {
	if q.head > len(q.items)/2 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, a)
}

func (q *fifo) front() *attempt {
	if q.len() == 0 {
		return nil
	}
	return q.items[q.head]
}

func (q *fifo) pop() {
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
}
