package store

import (
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-games/holdfast/internal/registry"
)

// metrics are the collectors of one DB.
type metrics struct {
	set      *registry.Set
	attempts *prometheus.CounterVec // by lane and outcome
	calls    *prometheus.HistogramVec
	batches  prometheus.Histogram
	retries  prometheus.Counter
	queue    [lanes]prometheus.Gauge
	critical prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_store_attempts_total",
			Help: "Attempts that have ended, by lane and outcome (applied, refused, uncertain, failed).",
		}, []string{"lane", "outcome"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_store_commit_seconds",
			Help:    "Duration of calls that commit a group, by whether it was urgent and whether an answer came.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}, []string{"urgent", "answered"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "holdfast_store_group_batches",
			Help:    "Batches in a group.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_store_retries_total",
			Help: "Attempts and reads that were sent again because no answer came.",
		}),
		critical: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_store_critical",
			Help: "1 while calls to the database fail too often, else 0.",
		}),
	}
	queue := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "holdfast_store_queue",
		Help: "Attempts that have not ended, by lane.",
	}, []string{"lane"})
	for lane := range Lane(lanes) {
		m.queue[lane] = queue.WithLabelValues(lane.String())
	}
	var err error
	m.set, err = registry.Register(r, "the store", m.attempts, m.calls, m.batches, m.retries, m.critical, queue)
	return m, err
}

func (m *metrics) settled(a *attempt, err error) {
	outcome := "applied"
	switch {
	case err == nil:
	case errors.Is(err, ErrUncertain):
		outcome = "uncertain"
	case errors.Is(err, ErrConflict):
		outcome = "refused"
	default:
		outcome = "failed"
	}
	m.attempts.WithLabelValues(a.Lane.String(), outcome).Inc()
}

func (m *metrics) sent(urgent bool, batches int, took time.Duration, err error) {
	m.batches.Observe(float64(batches))
	m.calls.WithLabelValues(yesNo(urgent), yesNo(!errors.Is(err, driver.ErrUnavailable))).Observe(took.Seconds())
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
