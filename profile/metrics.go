package profile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-games/holdfast/session"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of one Server.
type metrics struct {
	registry prometheus.Registerer
	loaded   prometheus.Gauge
	loads    *prometheus.HistogramVec // by outcome
	refused  *prometheus.CounterVec   // by reason
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registry: r,
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_profile_loaded",
			Help: "Profiles in memory, errored ones included.",
		}),
		loads: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_profile_load_seconds",
			Help:    "Duration of loads, by outcome (loaded, errored, cancelled, failed).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 14),
		}, []string{"outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_profile_updates_refused_total",
			Help: "Updates that did not happen, by reason (write, game, suspended, ended, errored, events).",
		}, []string{"reason"}),
	}
	if r == nil {
		return m, nil
	}
	for i, c := range m.all() {
		if err := r.Register(c); err != nil {
			for _, done := range m.all()[:i] {
				r.Unregister(done)
			}
			return nil, fmt.Errorf("register the profiles' metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.loaded, m.loads, m.refused}
}

func (m *metrics) unregister() {
	if m.registry == nil {
		return
	}
	for _, c := range m.all() {
		m.registry.Unregister(c)
	}
}

// loadedIn counts a load.
func (m *metrics) loadedIn(took time.Duration, p *Profile, err error) {
	outcome := "loaded"
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, ErrLeft):
		outcome = "cancelled"
	case err != nil:
		outcome = "failed"
	case p.failed != nil:
		outcome = "errored"
	}
	m.loads.WithLabelValues(outcome).Observe(took.Seconds())
}

// refusedBy counts an update that did not happen.
func (m *metrics) refusedBy(err error) {
	reason := "game"
	for _, r := range []struct {
		is   error
		name string
	}{
		{ErrRefused, "write"},
		{session.ErrSuspended, "suspended"},
		{session.ErrClosed, "ended"},
		{session.ErrLost, "ended"},
		{ErrErrored, "errored"},
		{ErrEventsFull, "events"},
	} {
		if errors.Is(err, r.is) {
			reason = r.name
			break
		}
	}
	m.refused.WithLabelValues(reason).Inc()
}
