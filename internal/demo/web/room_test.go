package web

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestWalkIsNoFasterThanAHero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newRoom("amber")
		x, y := m.enter(avatar{ID: "ann"}, false)
		if back, ok := m.walk("ann", x+400, y); ok || back != [2]float64{x, y} {
			t.Errorf("a jump = %v, %v, want back to %v, %v", back, ok, x, y)
		}
		time.Sleep(time.Second)
		if _, ok := m.walk("ann", x+speed, y); !ok {
			t.Error("a second's walk is refused")
		}
		for _, to := range [][2]float64{{math.NaN(), y}, {math.Inf(1), y}, {-5, -5}} {
			time.Sleep(time.Hour)
			if _, ok := m.walk("ann", to[0], to[1]); ok {
				t.Errorf("a walk to %v is not refused", to)
			}
		}
	})
}

func TestATreasureIsTakenOnce(t *testing.T) {
	m := newRoom("amber")
	m.enter(avatar{ID: "ann"}, false)
	s := m.see()
	near := s.Treasures[0]
	if _, ok := m.take("bob", near.ID); ok {
		t.Error("somebody who is not here takes something")
	}
	m.heroes["ann"].X, m.heroes["ann"].Y = near.X, near.Y
	if _, ok := m.take("ann", near.ID); !ok {
		t.Error("what is near cannot be taken")
	}
	if _, ok := m.take("ann", near.ID); ok {
		t.Error("it is taken twice")
	}
	if n := len(m.see().Treasures); n != treasures {
		t.Errorf("%d treasures lie about, want %d: another one grows", n, treasures)
	}
}

func TestIslesKeepTheirWaysFree(t *testing.T) {
	for _, name := range servers {
		i := newIsle(name)
		for a, g := range i.Things {
			if !onIsle(g.X, g.Y) {
				t.Errorf("%s: a %s stands in the sea", name, g.Kind)
			}
			for _, h := range i.Things[a+1:] {
				if math.Hypot(g.X-h.X, g.Y-h.Y) < g.R+h.R+20 {
					t.Errorf("%s: nobody comes between a %s and a %s", name, g.Kind, h.Kind)
				}
			}
		}
	}
}
