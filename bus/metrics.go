package bus

import (
	"errors"
	"time"

	"github.com/holdfast-games/holdfast/internal/registry"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of one Bus.
type metrics struct {
	set       *registry.Set
	published prometheus.Counter
	received  prometheus.Counter
	sent      prometheus.Counter
	heard     prometheus.Counter
	retries   prometheus.Counter
	dropped   *prometheus.CounterVec // by reason
	refused   *prometheus.CounterVec // by reason
	repeated  prometheus.Counter
	missed    *prometheus.CounterVec // by reason
	fetches   *prometheus.CounterVec // by outcome
	requests  *prometheus.HistogramVec
	up        prometheus.Gauge
	losses    prometheus.Counter
}

func newMetrics(r prometheus.Registerer, out *outbox) (*metrics, error) {
	m := &metrics{}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vector := func(name, label, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m.published = counter("holdfast_bus_published_total", "Messages that were accepted to be sent, requests and replies included.")
	m.received = counter("holdfast_bus_received_total", "Messages that were given to a subscriber.")
	m.sent = counter("holdfast_bus_packets_sent_total", "Packets that were sent.")
	m.heard = counter("holdfast_bus_packets_received_total", "Packets that arrived, those that were refused included.")
	m.retries = counter("holdfast_bus_retries_total", "Times that sending failed and was tried again.")
	m.dropped = vector("holdfast_bus_dropped_total", "reason", "Messages that were not sent or not delivered, by reason (full, late, closed, backlog).")
	m.refused = vector("holdfast_bus_refused_total", "reason", "Packets and messages that were refused, by reason (malformed, format, foreign, oversized, unknown, busy).")
	m.repeated = counter("holdfast_bus_repeated_total", "Packets that had been received already, or came after later ones of their sender.")
	m.missed = vector("holdfast_bus_missed_total", "reason", "Notices that messages may have been missed, by reason (gap, line, format, fetch, backlog, refused).")
	m.fetches = vector("holdfast_bus_fetches_total", "outcome", "Large messages that were fetched from their sender, by outcome (fetched, gone, damaged, late).")
	m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "holdfast_bus_request_seconds", Help: "Time from a request to its end, by outcome (reply, error, none).",
		Buckets: prometheus.ExponentialBuckets(0.00005, 2.5, 14),
	}, []string{"outcome"})
	m.up = prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_bus_up", Help: "1 while the line is up, else 0."})
	m.up.Set(1)
	m.losses = counter("holdfast_bus_line_lost_total", "Times that the line was lost.")
	queue := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_bus_queue_bytes", Help: "Bytes that wait to be sent.",
	}, func() float64 { return float64(out.waiting()) })
	set, err := registry.Register(r, "the bus",
		m.published, m.received, m.sent, m.heard, m.retries, m.dropped, m.refused, m.repeated, m.missed, m.fetches, m.requests, m.up, m.losses, queue)
	m.set = set
	return m, err
}

func (m *metrics) answered(began time.Time, err error) {
	outcome := "reply"
	var said *ReplyError
	switch {
	case errors.As(err, &said):
		outcome = "error"
	case err != nil:
		outcome = "none"
	}
	m.requests.WithLabelValues(outcome).Observe(time.Since(began).Seconds())
}
