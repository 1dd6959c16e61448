package trade

import (
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/internal/registry"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count trades. All its methods are safe for concurrent use.
type Metrics struct {
	seconds *prometheus.HistogramVec // by outcome
	tries   prometheus.Counter
}

// NewMetrics returns metrics that are registered with r: one for all trades of a
// process. A nil r registers them nowhere. The error is the registry's, as when it has
// such metrics already.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_trade_seconds",
			Help:    "Duration of trades, by outcome (done, refused, busy, elsewhere, unknown, failed).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		}, []string{"outcome"}),
		tries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_trade_tries_total",
			Help: "Tries of trades: those beyond one for each trade had others in their way.",
		}),
	}
	if _, err := registry.Register(r, "the trades", m.seconds, m.tries); err != nil {
		return nil, err
	}
	return m, nil
}

// did counts a trade that has ended.
func (m *Metrics) did(t *trade, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.seconds.WithLabelValues(t.outcome(err)).Observe(took.Seconds())
	m.tries.Add(float64(t.tries))
}

func (t *trade) outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case t.own || errors.Is(err, profile.ErrRefused):
		return "refused"
	case errors.Is(err, profile.ErrUnknownOutcome) || errors.Is(err, profile.ErrNotDurable):
		return "unknown"
	case errors.Is(err, profile.ErrElsewhere):
		return "elsewhere"
	case errors.Is(err, profile.ErrBusy):
		return "busy"
	}
	return "failed"
}
