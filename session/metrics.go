package session

import (
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/internal/registry"
	"github.com/holdfast-games/holdfast/store"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of one Server.
type metrics struct {
	set           *registry.Set
	saves         *prometheus.CounterVec // by cause and outcome
	saveSeconds   prometheus.Histogram
	appendSeconds prometheus.Histogram
	handOver      prometheus.Histogram
	openSeconds   *prometheus.HistogramVec // by whether it was a take-over
	journalBytes  prometheus.Gauge
	suspended     prometheus.Gauge
	lost          prometheus.Counter
	seals         prometheus.Counter
	settled       prometheus.Counter
	erased        prometheus.Counter
}

var seconds = prometheus.ExponentialBuckets(0.0001, 2.5, 14)

func newMetrics(r prometheus.Registerer, srv *Server) (*metrics, error) {
	m := &metrics{}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m.saves = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_session_saves_total",
		Help: "Saves that were answered, by cause and outcome (saved, refused, failed). Refused ones came from a stale owner.",
	}, []string{"cause", "outcome"})
	m.openSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "holdfast_session_open_seconds", Help: "Time to open a key, by how: plain, handed over, or taken over from a dead server.", Buckets: seconds,
	}, []string{"how"})
	m.saveSeconds = histogram("holdfast_session_save_seconds", "Time from a save's encoding to its answer.")
	m.appendSeconds = histogram("holdfast_session_append_seconds", "Time of an append to the journal.")
	m.handOver = histogram("holdfast_session_handover_seconds", "Time to hand a session over, from the request to the release.")
	m.journalBytes = gauge("holdfast_session_journal_bytes", "Bytes in the journal that are not yet deleted.")
	m.suspended = gauge("holdfast_session_suspended", "1 while the server is suspended, else 0.")
	m.lost = counter("holdfast_session_lost_total", "Sessions that ended against their will.")
	m.seals = counter("holdfast_session_leases_sealed_total", "Leases of dead servers that this server sealed.")
	m.erased = counter("holdfast_session_erased_total", "Keys that this server erased.")
	m.settled = counter("holdfast_session_settled_total", "Players of dead sessions that this server settled.")
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_session_open", Help: "Sessions that are open or closing.",
	}, func() float64 { return float64(srv.Len()) })
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_session_unsaved_age_seconds", Help: "Age of the oldest change that is in no root.",
	}, func() float64 { return srv.UnsavedAge().Seconds() })
	journalAge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_session_unappended_age_seconds", Help: "Age of the oldest change that is in no journal: what a crash would lose.",
	}, func() float64 { return srv.UnappendedAge().Seconds() })
	all := []prometheus.Collector{
		m.saves, m.openSeconds, m.saveSeconds, m.appendSeconds, m.handOver, m.journalBytes,
		m.suspended, m.lost, m.seals, m.settled, m.erased, open, age, journalAge,
	}
	var err error
	m.set, err = registry.Register(r, "the server", all...)
	return m, err
}

func (m *metrics) saved(sv *saving, took time.Duration, err error) {
	outcome := "saved"
	switch {
	case errors.Is(err, ErrLost) || errors.Is(err, store.ErrConflict):
		outcome = "refused"
	case err != nil:
		outcome = "failed"
	}
	m.saves.WithLabelValues(string(sv.cause), outcome).Inc()
	m.saveSeconds.Observe(took.Seconds())
}

func (m *metrics) opened(op *opening) {
	how := "plain"
	switch {
	case op.takenOver:
		how = "taken over"
	case op.holder.Lease != "":
		how = "handed over"
	}
	m.openSeconds.WithLabelValues(how).Observe(time.Since(op.began).Seconds())
}

// UnsavedAge returns how long ago the oldest change was made that is in no
// root, lazy ones aside.
func (srv *Server) UnsavedAge() time.Duration {
	var oldest time.Time
	for _, s := range srv.Sessions() {
		if !s.mu.TryRLock() {
			continue // it is being changed, and counts the next time
		}
		since := s.since
		if s.saving != nil && !s.saving.since.IsZero() {
			since = s.saving.since
		}
		s.mu.RUnlock()
		if !since.IsZero() && (oldest.IsZero() || since.Before(oldest)) {
			oldest = since
		}
	}
	if oldest.IsZero() {
		return 0
	}
	return time.Since(oldest)
}

// UnappendedAge returns how long ago the oldest change was made that is in no
// journal: what a crash of this process would lose now.
func (srv *Server) UnappendedAge() time.Duration {
	srv.mu.Lock()
	l := srv.lease
	srv.mu.Unlock()
	var since time.Time
	l.page.Lock()
	if len(l.page.changes) > 0 {
		since = l.page.since
	}
	l.page.Unlock()
	l.mu.Lock()
	if l.flight != nil && l.flight.number > 0 {
		since = l.flight.sent
	}
	l.mu.Unlock()
	if since.IsZero() {
		return 0
	}
	return time.Since(since)
}
