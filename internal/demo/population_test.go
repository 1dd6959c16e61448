package demo

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-games/holdfast/document"
)

// TestQuantilesAreTheMeasuredOnes samples each distribution and looks for the
// figures that were measured.
func TestQuantilesAreTheMeasuredOnes(t *testing.T) {
	for name, c := range map[string]struct {
		q    quantiles
		want map[float64]float64
	}{
		"Session":  {sessionSeconds, map[float64]float64{0.1: 30, 0.5: 540, 0.9: 3720}},
		"Rejoin":   {rejoinSeconds, map[float64]float64{0.1: 3, 20.0 / 149: 5, 44.0 / 149: 30}},
		"PlayTime": {playTimeSeconds, map[float64]float64{0.5: 3000, 0.9: 150_000, 0.99: 2_000_000}},
	} {
		t.Run(name, func(t *testing.T) {
			rng := newRand(1, name)
			samples := make([]float64, 50_000)
			for i := range samples {
				samples[i] = c.q.sample(rng)
			}
			slices.Sort(samples)
			for p, want := range c.want {
				if got := c.q.at(p); math.Abs(got/want-1) > 1e-9 {
					t.Errorf("at(%v) = %v, want %v", p, got, want)
				}
				if got := samples[int(p*float64(len(samples)))]; got < want*0.85 || got > want*1.18 {
					t.Errorf("of 50,000 samples the quantile %v is %v, want about %v", p, got, want)
				}
			}
		})
	}
}

func TestDocumentSizes(t *testing.T) {
	rng := newRand(1, "sizes")
	large, n := 0, 20_000
	for range n {
		size := documentBytes.sample(rng)
		if size > 999_000 {
			large++
		} else if size < 400 || size > 1e6 {
			t.Fatalf("a document of %v bytes", size)
		}
	}
	if large < n/100 || large > n/30 {
		t.Errorf("%d of %d documents are of 1 MB, want about one in fifty", large, n)
	}
	for _, size := range []int{400, 15_000, 75_000, 1_000_000} {
		d, err := makeDocument(rng, size)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Size(); got < size*6/10 || got > size*14/10 {
			t.Errorf("makeDocument of %d bytes has %d", size, got)
		}
	}
}

func TestMadeVisitsComeBackAsMeasured(t *testing.T) {
	m := &madeVisits{rng: newRand(1, "visits")}
	const n = 20_000
	count := make(map[comeback]int)
	m.next() // the first is nobody's return
	for range n {
		v := m.next()
		count[v.back]++
		if v.stay <= 0 || v.away <= 0 || v.away > longestAway {
			t.Fatalf("next = %+v", v)
		}
	}
	near := func(got int, want float64) bool { return math.Abs(float64(got)/n-want) < 0.02 }
	if !near(count[reconnect], 20.0/149) || !near(count[hop], 24.0/149) {
		t.Errorf("of %d returns, %d within 5 s and %d more within 30 s; want about 20 and 24 of 149", n, count[reconnect], count[hop])
	}
}

func TestFewPlayersMakeMostOfTheLoad(t *testing.T) {
	players, err := population(&Options{Players: 300, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var rates []float64
	total := 0.0
	for _, p := range players {
		rates = append(rates, 1/p.think.Seconds())
		total += 1 / p.think.Seconds()
	}
	slices.Sort(rates)
	top := 0.0
	for _, r := range rates[len(rates)*8/10:] {
		top += r
	}
	if top < total/2 {
		t.Errorf("a fifth of the players makes %.0f%% of the load, want most of it", 100*top/total)
	}
	if total > mostPerSecond*1.01 {
		t.Errorf("all players do %.0f things a second, want at most %v", total, mostPerSecond)
	}
}

func TestPopulationIsTheSameForASeed(t *testing.T) {
	read := func(seed uint64) (texts []string) {
		players, err := population(&Options{Players: 5, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range players {
			texts = append(texts, p.id+string(p.text))
		}
		return texts
	}
	if a, b := read(1), read(1); !slices.Equal(a, b) {
		t.Error("population with seed 1 is not the same twice")
	}
	if slices.Equal(read(1), read(2)) {
		t.Error("population is the same for seeds 1 and 2")
	}
}

func TestMatchGivesEachPlayerHisDocument(t *testing.T) {
	doc := new(document.Document)
	docs := []named{{"mc-ann", doc}, {"ben", doc}, {"other", doc}}
	ids, sources := match(docs, []string{"ann", "ben", "cid"}, 6)
	want := []string{"mc-ann", "ben", "other", "cid", "player-001", "player-002"}
	if !slices.Equal(ids, want) {
		t.Fatalf("match = %q, want %q", ids, want)
	}
	var traces []string
	for _, s := range sources {
		traces = append(traces, s.trace)
	}
	if want := []string{"ann", "ben", "", "cid", "", ""}; !slices.Equal(traces, want) {
		t.Errorf("match gives the times of %q, want %q", traces, want)
	}
}

func TestReadDocumentsRefusesByName(t *testing.T) {
	for name, text := range map[string]string{
		"no-object":   `[1]`,
		"no-json":     `{"a":`,
		"own-field":   `{"a":1,"demo_x":2}`,
		"name-twice":  `{"a":1,"a":2}`,
		"empty-field": `{"":1}`,
		"no-utf8":     "{\"a\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "fine.json"), `{"a":1}`)
			write(t, filepath.Join(dir, name+".json"), text)
			if _, err := readDocuments(dir); err == nil || !strings.Contains(err.Error(), name+".json") {
				t.Errorf("readDocuments with %s in %s.json = %v, want an error that names it", text, name, err)
			}
		})
	}
	if _, err := readDocuments(t.TempDir()); err == nil {
		t.Error("readDocuments of an empty folder = nil, want an error")
	}
	if _, err := readDocuments(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("readDocuments of a folder that does not exist = nil, want an error")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSameImported(t *testing.T) {
	parse := func(text string) *document.Document {
		d, err := document.Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	imported := parse(`{"n":1.0,"list":[1,2],"text":"勇者","big":9007199254740993}`)
	for text, want := range map[string]bool{
		`{"big":9007199254740993,"demo_x":1,"text":"\u52c7\u8005","list":[1,2],"n":1}`: true,
		`{"n":1,"list":[2,1],"text":"勇者","big":9007199254740993}`:                      false,
		`{"n":1,"list":[1,2],"text":"勇者","big":9007199254740992}`:                      false,
		`{"n":1,"list":[1,2],"text":"勇","big":9007199254740993}`:                       false,
		`{"n":1,"list":[1,2],"big":9007199254740993}`:                                  false,
		`{"n":1,"list":[1,2],"text":"勇者","big":9007199254740993,"more":1}`:             false,
	} {
		if got := sameImported(parse(text), imported); got != want {
			t.Errorf("sameImported(%s) = %v, want %v", text, got, want)
		}
	}
}
