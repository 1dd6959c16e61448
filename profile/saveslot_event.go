package profile

// SlotSwitch says that a profile has another save slot loaded than before. An empty
// id stands for none.
type SlotSwitch struct {
	Profile  *Profile
	From, To string
}

// OnSlot calls fn after each switch of the save slot, and after the events of the
// fields that it changed. It returns a function that ends this.
func (p *Profile) OnSlot(fn func(SlotSwitch)) (cancel func()) {
	return p.listen(&listener{slot: fn})
}

// queueSlot queues the switch that an update has made, behind its changes. The update
// has been committed and still holds the profile's lock.
func (e *events) queueSlot(sw *SlotSwitch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.listeners) == 0 {
		return
	}
	e.queue = append(e.queue, event{slot: sw, listeners: e.listeners})
	e.queued.Add(1)
}
