package session

import "github.com/holdfast-games/holdfast/driver"

// Attached returns what was attached to the session's updates under an entry's
// key and is in no answered save yet: the write as the next commits will carry it
// out. False means that nothing is on its way, so that the database has what there
// is. Whoever asks first here and then reads the entry misses nothing, as long as
// no update attaches to that key in between.
func (s *Session) Attached(key string) (driver.Write, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var sum outbox
	if s.saving != nil {
		sum = sum.with(s.saving.outbox.under(key)...)
	}
	sum = sum.with(s.outbox.under(key)...)
	for _, c := range []*changes{s.turned, s.pending} {
		if c != nil {
			sum = sum.with(c.outbox.under(key)...)
		}
	}
	if len(sum) == 0 {
		return driver.Write{}, false
	}
	return sum[0], true
}

// under returns the writes of one key, of which there is one at most.
func (o outbox) under(key string) outbox {
	for i := range o {
		if o[i].Key == key {
			return o[i : i+1 : i+1]
		}
	}
	return nil
}
