package web

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// The isle, in steps of a map. Everybody walks within the ellipse.
const (
	width, height = 1600, 1100
	radiusX       = 700.0
	radiusY       = 460.0
	reach         = 80.0  // how near one must be to take something
	speed         = 260.0 // of a hero, per second
	treasures     = 14    // that lie about at a time
)

// isle is how a server's part of the world looks.
type isle struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
	RX     float64 `json:"rx"`
	RY     float64 `json:"ry"`
	Grows  string  `json:"grows"` // what is to be found beside coins
	Things []thing `json:"things"`
}

// thing stands on an isle.
type thing struct {
	Kind string  `json:"kind"`
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
	R    float64 `json:"r"` // its size: nobody walks into it
}

// landmarks stand at the same places on every isle.
var landmarks = []thing{
	{"stall", 560, 380, 62},
	{"post", 1010, 360, 26},
	{"door", 1330, 560, 30},
	{"fountain", 800, 560, 70},
	{"board", 640, 760, 26},
}

// newIsle makes the isle of a server: the same one each time.
func newIsle(server string) isle {
	i := isle{Name: server, Title: "Amber Isle", Width: width, Height: height, RX: radiusX, RY: radiusY, Grows: "mushroom", Things: slices.Clone(landmarks)}
	seed := uint64(7)
	if server != servers[0] {
		i.Title, i.Grows, seed = "Birch Isle", "frostbell", 23
	}
	rng := rand.New(rand.NewPCG(seed, seed))
	for range 400 {
		if len(i.Things) >= 48 {
			break
		}
		t := thing{Kind: "tree", R: 26}
		switch rng.IntN(6) {
		case 0:
			t.Kind, t.R = "rock", 24
		case 1:
			t.Kind, t.R = "bush", 20
		}
		if t.X, t.Y = spot(rng); i.free(t.X, t.Y, t.R+52) {
			i.Things = append(i.Things, t)
		}
	}
	return i
}

// spot is a place on an isle.
func spot(rng *rand.Rand) (x, y float64) {
	a, r := rng.Float64()*2*math.Pi, math.Sqrt(rng.Float64())*0.9
	return math.Round(width/2 + radiusX*r*math.Cos(a)), math.Round(height/2 + radiusY*r*math.Sin(a))
}

// free reports whether nothing stands within a distance.
func (i *isle) free(x, y, distance float64) bool {
	return !slices.ContainsFunc(i.Things, func(t thing) bool { return math.Hypot(t.X-x, t.Y-y) < t.R+distance })
}

// inside reports whether a place is on the isle. What is no number is not.
func onIsle(x, y float64) bool {
	dx, dy := (x-width/2)/radiusX, (y-height/2)/radiusY
	return dx*dx+dy*dy <= 1.02
}

// avatar is somebody who is seen on an isle.
type avatar struct {
	ID   string            `json:"id"`
	Name string            `json:"name"`
	Look int64             `json:"look"`
	X    float64           `json:"x"`
	Y    float64           `json:"y"`
	Worn map[string]string `json:"worn,omitempty"` // items by place
	Bot  bool              `json:"bot,omitempty"`
	at   time.Time         // of X and Y
}

// treasure lies about.
type treasure struct {
	ID   int64   `json:"id"`
	Item string  `json:"item,omitempty"` // empty: a coin
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
}

// sight is what is seen on an isle at one moment.
type sight struct {
	Heroes    []avatar   `json:"heroes"`
	Treasures []treasure `json:"treasures"`
}

// room is an isle at work. It is in memory only: after a crash everybody stands
// somewhere else, and has what he had. It is safe for concurrent use.
type room struct {
	isle isle

	mu        sync.Mutex // guards what follows
	heroes    map[string]*avatar
	treasures map[int64]treasure
	last      int64 // number of the last treasure
}

func newRoom(server string) *room {
	m := &room{isle: newIsle(server), heroes: make(map[string]*avatar), treasures: make(map[int64]treasure)}
	for range treasures {
		m.growLocked()
	}
	return m
}

// growLocked puts a treasure where nothing stands.
func (m *room) growLocked() {
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	for range 50 {
		x, y := spot(rng)
		if !m.isle.free(x, y, 30) {
			continue
		}
		m.last++
		t := treasure{ID: m.last, X: x, Y: y}
		if m.last%4 == 0 {
			t.Item = m.isle.Grows
		}
		m.treasures[t.ID] = t
		return
	}
}

// enter puts somebody on the isle, at the door if he comes through it.
func (m *room) enter(a avatar, byDoor bool) (x, y float64) {
	a.X, a.Y, a.at = 800, 690, time.Now()
	if byDoor {
		a.X, a.Y = 1250, 610
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heroes[a.ID] = &a
	return a.X, a.Y
}

func (m *room) leave(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.heroes, id)
}

// dress changes how somebody looks.
func (m *room) dress(id, name string, look int64, worn map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.heroes[id]; a != nil {
		a.Name, a.Look, a.Worn = name, look, worn
	}
}

// walk moves somebody. It returns where he is and false if he cannot have come so far:
// a page may be slow, but not fast.
func (m *room) walk(id string, x, y float64) (at [2]float64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.heroes[id]
	if a == nil {
		return at, true
	}
	now := time.Now()
	far := speed*1.3*now.Sub(a.at).Seconds() + 90
	if !onIsle(x, y) || math.Hypot(x-a.X, y-a.Y) > far {
		return [2]float64{a.X, a.Y}, false
	}
	a.X, a.Y, a.at = x, y, now
	return at, true
}

// near reports whether somebody is within reach of a landmark.
func (m *room) near(id, kind string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.heroes[id]
	return a != nil && slices.ContainsFunc(m.isle.Things, func(t thing) bool {
		return t.Kind == kind && math.Hypot(t.X-a.X, t.Y-a.Y) <= t.R+reach
	})
}

// take takes a treasure that is within somebody's reach.
func (m *room) take(id string, which int64) (treasure, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, t := m.heroes[id], m.treasures[which]
	if a == nil || t.ID == 0 || math.Hypot(t.X-a.X, t.Y-a.Y) > reach {
		return t, false
	}
	delete(m.treasures, which)
	m.growLocked()
	return t, true
}

// see returns what is seen now.
func (m *room) see() *sight {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &sight{Heroes: make([]avatar, 0, len(m.heroes)), Treasures: make([]treasure, 0, len(m.treasures))}
	for _, a := range m.heroes {
		s.Heroes = append(s.Heroes, *a)
	}
	for _, t := range m.treasures {
		s.Treasures = append(s.Treasures, t)
	}
	return s
}
