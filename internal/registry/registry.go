// Package registry registers what a layer has of Prometheus collectors, all or none, and
// takes it back when the layer is closed.
package registry

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Set is what was registered together. The nil Set is one of nothing.
type Set struct {
	registry prometheus.Registerer
	all      []prometheus.Collector
}

// Register registers collectors with r, which may be nil: then it does nothing. If one of
// them cannot be registered, none is; the error says whose they were.
func Register(r prometheus.Registerer, whose string, all ...prometheus.Collector) (*Set, error) {
	if r == nil {
		return nil, nil
	}
	for i, c := range all {
		if err := r.Register(c); err != nil {
			(&Set{r, all[:i]}).Unregister()
			return nil, fmt.Errorf("register the metrics of %s: %w", whose, err)
		}
	}
	return &Set{r, all}, nil
}

// Unregister takes them back. Doing it twice does nothing.
func (s *Set) Unregister() {
	if s == nil {
		return
	}
	for _, c := range s.all {
		s.registry.Unregister(c)
	}
}
