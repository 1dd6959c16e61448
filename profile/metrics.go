package profile

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/holdfast-games/holdfast/internal/registry"
	"github.com/holdfast-games/holdfast/session"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of one Server.
type metrics struct {
	set      *registry.Set
	loaded   prometheus.Gauge
	grown    *prometheus.GaugeVec     // by the step that was reached
	loads    *prometheus.HistogramVec // by outcome
	refused  *prometheus.CounterVec   // by reason
	frozen   *prometheus.HistogramVec // by outcome
	messages *prometheus.CounterVec   // by what became of them
	byID     byIDMetrics
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		byID: newByIDMetrics(),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_profile_loaded",
			Help: "Profiles in memory, errored ones included.",
		}),
		grown: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_profile_grown",
			Help: "Profiles in memory whose size has reached a part of its limit, by percent (50, 80, 95); one is counted under each that it has reached.",
		}, []string{"percent"}),
		loads: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_profile_load_seconds",
			Help:    "Duration of loads, by outcome (loaded, errored, cancelled, failed).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 14),
		}, []string{"outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_profile_updates_refused_total",
			Help: "Updates that did not happen, by reason (write, condition, game, suspended, ended, errored, copy, events, busy).",
		}, []string{"reason"}),
		frozen: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_profile_frozen_seconds",
			Help:    "How long profiles were held still for a trade between servers, by outcome (committed, refused).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		}, []string{"outcome"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_profile_messages_total",
			Help: "Messages to profiles that ended here, by how (handled, refused, dead, expired, other: for another profile).",
		}, []string{"end"}),
	}
	for _, step := range growthSteps {
		m.grown.WithLabelValues(strconv.Itoa(step)) // so that each is shown as 0
	}
	var err error
	all := append(m.byID.all(), m.loaded, m.grown, m.loads, m.refused, m.frozen, m.messages)
	m.set, err = registry.Register(r, "the profiles", all...)
	return m, err
}

// grewBy counts a profile under the steps between two levels of its size, or takes it
// out of them.
func (m *metrics) grewBy(before, after int) {
	for level := before; level < after; level++ {
		m.grown.WithLabelValues(strconv.Itoa(growthSteps[level])).Inc()
	}
	for level := before; level > after; level-- {
		m.grown.WithLabelValues(strconv.Itoa(growthSteps[level-1])).Dec()
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

// mail counts a message that ended.
func (m *metrics) mail(end string) { m.messages.WithLabelValues(end).Inc() }

// refusedBy counts an update that did not happen.
func (m *metrics) refusedBy(err error) {
	reason := "game"
	for _, r := range []struct {
		is   error
		name string
	}{
		{ErrRefused, "write"},
		{ErrConditionFailed, "condition"},
		{session.ErrSuspended, "suspended"},
		{session.ErrClosed, "ended"},
		{session.ErrLost, "ended"},
		{ErrErrored, "errored"},
		{ErrCopy, "copy"},
		{ErrEventsFull, "events"},
		{ErrBusy, "busy"},
	} {
		if errors.Is(err, r.is) {
			reason = r.name
			break
		}
	}
	m.refused.WithLabelValues(reason).Inc()
}

// thawed counts a profile that was held still.
func (m *metrics) thawed(held time.Duration, happened bool) {
	outcome := "refused"
	if happened {
		outcome = "committed"
	}
	m.frozen.WithLabelValues(outcome).Observe(held.Seconds())
}
