package mailbox

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of one Mailbox.
type metrics struct {
	registry prometheus.Registerer
	standing prometheus.Collector
}

func newMetrics(b *Mailbox) (*metrics, error) {
	m := &metrics{registry: b.opts.Metrics, standing: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "holdfast_mailbox_grants",
		Help:        "Grants that are given now to whoever has not got them.",
		ConstLabels: prometheus.Labels{"kind": b.kind},
	}, func() float64 { return float64(len(b.due())) })}
	if m.registry == nil {
		return m, nil
	}
	if err := m.registry.Register(m.standing); err != nil {
		return nil, fmt.Errorf("register the mailbox's metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) unregister() {
	if m.registry != nil {
		m.registry.Unregister(m.standing)
	}
}
