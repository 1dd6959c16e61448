package replica_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
)

// figures returns the figures of a registry: those with a label as name{value}.
func figures(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "holdfast_replica_")
			for _, l := range m.GetLabel() {
				name += "{" + l.GetValue() + "}"
			}
			all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

// counts waits until figures are what they are to be.
func (h *house) counts(r *prometheus.Registry, want map[string]float64) {
	h.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, wrong := figures(h.T, r), ""
		for name, n := range want {
			if got[name] != n {
				wrong += fmt.Sprintf("%s is %v, want %v\n", name, got[name], n)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			h.Fatalf("%sof %v", wrong, got)
		}
	}
}

func TestMetricsOfConnections(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newHouse(t, &replica.Options{Metrics: reg}, &replica.HandlerOptions{Conns: 2})
	c := h.enter()
	h.counts(reg, map[string]float64{"connections": 1, "watchers": 1, "frames_sent_total{state}": 1, "states_total{new}": 1, "states_total{gone}": 0, "states_total{behind}": 0})
	before := figures(t, reg)["sent_bytes_total"]
	h.update(h.p, func(tx *profile.Tx) { _ = coins.Set(tx, 77) })
	text := h.hear(c)
	h.counts(reg, map[string]float64{"frames_sent_total{change}": 1, "sent_bytes_total": before + float64(len(text))})
	if before == 0 {
		t.Error("the state has no bytes")
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	h.counts(reg, map[string]float64{"connections": 0, "watchers": 0})

	c = h.raw()
	h.say(c, `{"type":"hello","player":"1","token":"`+h.token("1")+`","epoch":"OTHER","rev":1}`)
	h.hear(c)
	h.counts(reg, map[string]float64{"states_total{gone}": 1})
}

func TestMetricsOfHandshakesThatAreRefused(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newHouse(t, &replica.Options{Metrics: reg}, &replica.HandlerOptions{Conns: 1, HelloWithin: 200 * time.Millisecond})
	speak := []string{"holdfast.replica.v1"}
	c := h.raw() // says nothing
	if _, _, err := h.dial(nil); err == nil {
		t.Error("a second connection was taken")
	}
	h.wantsClose(c, 4106, "silent")
	for _, o := range []*websocket.DialOptions{
		{}, {Subprotocols: speak, HTTPHeader: http.Header{"Origin": {"https://other.example"}}},
	} {
		h.counts(reg, map[string]float64{"connections": 0})
		if _, _, err := h.dial(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	h.counts(reg, map[string]float64{"connections": 0})
	r, err := http.NewRequestWithContext(h.ctx, http.MethodGet, h.http.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-WebSocket-Protocol", speak[0])
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	for _, tt := range []struct{ text, reason string }{
		{hello("1", ""), "forbidden"}, {`{`, "malformed"}, {`{"type":"` + strings.Repeat("x", 9000) + `"}`, ""}, {"", ""},
	} {
		h.counts(reg, map[string]float64{"connections": 0})
		c := h.raw()
		if tt.text != "" {
			h.say(c, tt.text)
		} else {
			_ = c.CloseNow()
		}
		if tt.reason != "" {
			h.wantsClose(c, map[string]int{"forbidden": 4002, "malformed": 4000}[tt.reason], tt.reason)
		}
	}
	h.counts(reg, map[string]float64{
		"connections": 0, "refused_total{crowded}": 1, "refused_total{silent}": 1, "refused_total{protocol}": 1, "refused_total{origin}": 1,
		"refused_total{request}": 1, "refused_total{forbidden}": 1, "refused_total{malformed}": 2, "refused_total{gone}": 1, "refused_total{failed}": 0,
	})
}

func TestMetricsOfWatchers(t *testing.T) {
	bubble(t, func(w *world) {
		reg := prometheus.NewRegistry()
		ps := w.profiles("a", nil)
		s := w.replicas(ps, &replica.Options{Metrics: reg, Backlog: -1})
		if other, err := replica.NewServer(ps, &replica.Options{Metrics: reg}); err == nil {
			other.Close()
			t.Error("a second server was registered under the same names")
		}
		p := w.load(ps, "1")
		v := w.view(s, "1")
		v.wantsType(replica.TypeState)
		for n := range int64(3) {
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 100+n) })
			time.Sleep(time.Second)
			synctest.Wait()
		}
		v.wantsType(replica.TypeState)
		got := figures(t, reg)
		if got["watchers"] != 1 || got["states_total{new}"] != 1 || got["states_total{behind}"] != 1 {
			t.Errorf("the figures are %v", got)
		}
		v.watcher.Close()
		v.watcher.Close()
		if got := figures(t, reg); got["watchers"] != 0 {
			t.Errorf("the figures are %v", got)
		}
		s.Close()
		if got := figures(t, reg); len(got) > 0 {
			t.Errorf("%v stay after Close", got)
		}
	})
}
