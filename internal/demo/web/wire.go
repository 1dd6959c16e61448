package web

import "encoding/json"

// setup is the first line on a game server's standard input: what it runs with. Others
// on the machine can read a process's arguments, and a URL may hold a password.
type setup struct {
	Name   string `json:"name"`
	DB     string `json:"db"`
	Bus    string `json:"bus"`
	Lease  int64  `json:"lease_us"`
	Login  []byte `json:"login"` // the public key of players' tokens
	Secret string `json:"secret"`
}

// ready is the only line on its standard output: it has its lease, and serves.
type ready struct {
	Address string `json:"address"` // where it listens, on this machine only
}

// deed is what a page asks for: one message of its connection. Which members matter
// depends on Do.
type deed struct {
	Do     string  `json:"do"`
	Nr     int64   `json:"nr"` // names the answer; "at" has none
	Player string  `json:"player"`
	Token  string  `json:"token"`
	Name   string  `json:"name"`
	Look   int64   `json:"look"`
	From   string  `json:"from"` // of enter: the server that the hero comes from
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	ID     int64   `json:"id"`
	Item   string  `json:"item"`
	Key    string  `json:"key"`
	Place  string  `json:"place"`
	To     string  `json:"to"`
	Give   parcel  `json:"give"`
	Want   parcel  `json:"want"`
	Offer  string  `json:"offer"`
	Yes    bool    `json:"yes"`
	Text   string  `json:"text"`
	Slot   string  `json:"slot"`
}

// telling is what a page is told: one message, with one or more of these.
type telling struct {
	Welcome *welcome    `json:"welcome,omitempty"`
	Answer  *answer     `json:"answer,omitempty"`
	Waiting *waiting    `json:"waiting,omitempty"`
	See     *sight      `json:"see,omitempty"`
	Folk    []person    `json:"folk,omitempty"`
	Offer   *offer      `json:"offer,omitempty"`
	News    string      `json:"news,omitempty"`
	Inside  *inside     `json:"inside,omitempty"`
	Save    *save       `json:"save,omitempty"`
	Slots   []slot      `json:"slots,omitempty"`
	Back    *[2]float64 `json:"back,omitempty"` // where the hero is, if the page has him elsewhere
	Gone    string      `json:"gone,omitempty"` // why the connection ends
}

// welcome is the first thing that a page is told of the hero.
type welcome struct {
	Server   string    `json:"server"`
	You      string    `json:"you"`
	X        float64   `json:"x"`
	Y        float64   `json:"y"`
	Isle     isle      `json:"isle"`
	Wares    []ware    `json:"wares"`
	Products []product `json:"products"`
	Deals    []deal    `json:"deals"`
	Took     int64     `json:"took_ms"`        // the opening of the profile
	Held     string    `json:"held,omitempty"` // the server that had the hero before, if he had to be waited for
	Revision uint64    `json:"revision"`
	Fresh    bool      `json:"fresh"` // nothing was stored of the hero before
}

// answer is what became of a deed.
type answer struct {
	Nr    int64  `json:"nr"`
	Error string `json:"error,omitempty"`
	Text  string `json:"text,omitempty"`
	// Revision is that of the hero's profile with the deed, which is on disk. Zero: the
	// deed has changed nothing of it.
	Revision uint64 `json:"revision,omitempty"`
	Go       string `json:"go,omitempty"` // the server to go to
}

// waiting says who has the hero while another server wants him.
type waiting struct {
	Server string `json:"server"`
	Within int64  `json:"within_ms"` // until its lease is over, unless it is renewed
}

func encode(t *telling) []byte {
	text, err := json.Marshal(t)
	if err != nil {
		// Every member is of a type of this file's: only a number that is none could not
		// be written, and positions are checked when they come.
		return []byte(`{"gone":"the server has lost its words"}`)
	}
	return text
}
