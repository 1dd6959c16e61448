package mailbox

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-games/holdfast/internal/registry"
)

// register registers the collectors of a Mailbox.
func register(b *Mailbox) (*registry.Set, error) {
	return registry.Register(b.opts.Metrics, "the mailbox", prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "holdfast_mailbox_grants",
		Help:        "Grants that are given now to whoever has not got them.",
		ConstLabels: prometheus.Labels{"kind": b.kind},
	}, func() float64 { return float64(len(b.due())) }))
}
