package registry

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func counter(name string) prometheus.Collector {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: name})
}

func registered(t *testing.T, r *prometheus.Registry) int {
	t.Helper()
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestAllOrNoneAreRegistered(t *testing.T) {
	r := prometheus.NewRegistry()
	first, err := Register(r, "the first", counter("a"), counter("b"))
	if err != nil || registered(t, r) != 2 {
		t.Fatalf("Register = %v, and %d are registered, want 2", err, registered(t, r))
	}
	if _, err := Register(r, "the second", counter("c"), counter("a")); err == nil || registered(t, r) != 2 {
		t.Errorf("Register of one that is there = %v, and %d are registered, want an error and 2", err, registered(t, r))
	}
	first.Unregister()
	first.Unregister()
	if _, err := Register(r, "the second", counter("c"), counter("a")); err != nil || registered(t, r) != 2 {
		t.Errorf("Register after Unregister = %v, and %d are registered, want 2", err, registered(t, r))
	}
	if none, err := Register(nil, "nobody", counter("d")); err != nil {
		t.Errorf("Register without a registry = %v", err)
	} else {
		none.Unregister()
	}
}
