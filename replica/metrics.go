package replica

import (
	"github.com/holdfast-games/holdfast/internal/registry"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of one Server, and of its Handlers.
type metrics struct {
	set         *registry.Set
	watchers    prometheus.Gauge
	connections prometheus.Gauge
	frames      *prometheus.CounterVec // by type
	bytes       prometheus.Counter
	states      *prometheus.CounterVec // by why
	refused     *prometheus.CounterVec // by reason
}

// Why a watcher is given a state.
const (
	stateNew    = "new"    // he has no position
	stateGone   = "gone"   // his position is of another epoch, or was left behind
	stateBehind = "behind" // he was too slow, or a field was made private
)

// Reasons for which a handshake is refused, beside those that a client is told with a
// close code.
const (
	refusedRequest  Reason = "request"  // it is no WebSocket's
	refusedOrigin   Reason = "origin"   // it is of a page of another origin
	refusedProtocol Reason = "protocol" // no subprotocol of Holdfast was offered
	refusedGone     Reason = "gone"     // the client has left before it was let in
)

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	vector := func(name, label, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m.watchers = gauge("holdfast_replica_watchers", "Watchers of players that are not closed, over whatever connection.")
	m.connections = gauge("holdfast_replica_connections", "WebSockets of clients, those included that were not let in yet.")
	m.frames = vector("holdfast_replica_frames_sent_total", "type", "Frames that were sent over WebSockets, by type (state, resumed, change, saved, ping).")
	m.bytes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "holdfast_replica_sent_bytes_total", Help: "Bytes of these frames, as they are before compression.",
	})
	m.states = vector("holdfast_replica_states_total", "why",
		"States that watchers were given, by why (new: no position; gone: the position was too old or not of this server; behind: the client was slow, or a field was made private).")
	m.refused = vector("holdfast_replica_refused_total", "reason",
		"Handshakes that were refused, by reason (request, origin, protocol, version, malformed, forbidden, expired, crowded, silent, failed, leaving; gone: the client left first).")
	for _, why := range []string{stateNew, stateGone, stateBehind} {
		m.states.WithLabelValues(why) // so that each is shown as 0
	}
	set, err := registry.Register(r, "replication",
		m.watchers, m.connections, m.frames, m.bytes, m.states, m.refused)
	m.set = set
	return m, err
}

// sent counts a frame that a client has been sent.
func (m *metrics) sent(f Frame) {
	m.frames.WithLabelValues(string(f.Type)).Inc()
	m.bytes.Add(float64(len(f.Text)))
}

// refuse counts a handshake that was refused.
func (m *metrics) refuse(why Reason) { m.refused.WithLabelValues(string(why)).Inc() }
