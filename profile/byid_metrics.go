package profile

import (
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/prometheus/client_golang/prometheus"
)

// byIDMetrics are the collectors of changes by id, and of followers.
type byIDMetrics struct {
	changes  *prometheus.HistogramVec // by outcome
	follows  prometheus.Gauge
	followed prometheus.Gauge
	steps    *prometheus.CounterVec // by how they came
}

func newByIDMetrics() byIDMetrics {
	return byIDMetrics{
		changes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_profile_change_seconds",
			Help:    "Duration of changes by id, by outcome (changed, condition, refused, absent, pending, failed).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 14),
		}, []string{"outcome"}),
		follows: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_profile_follows",
			Help: "Profiles that this server follows by id.",
		}),
		followed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_profile_followed",
			Help: "Profiles open here that somebody follows by id.",
		}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_profile_follow_steps_total",
			Help: "Changes of profiles that this server follows, by how they came (told, read).",
		}, []string{"how"}),
	}
}

func (m *byIDMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.changes, m.follows, m.followed, m.steps}
}

// changedIn counts a change by id.
func (m *byIDMetrics) changedIn(took time.Duration, err error) {
	outcome := "failed"
	switch {
	case err == nil:
		outcome = "changed"
	case errors.Is(err, ErrConditionFailed):
		outcome = "condition"
	case errors.Is(err, ErrRefused), errors.Is(err, driver.ErrInvalid):
		outcome = "refused"
	case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrErased):
		outcome = "absent"
	case errors.Is(err, ErrPending):
		outcome = "pending"
	}
	m.changes.WithLabelValues(outcome).Observe(took.Seconds())
}
