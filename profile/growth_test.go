package profile_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// growths are what a listener was told.
type growths struct{ told []string }

func (g *growths) hear(x profile.Growth) {
	name := string(x.Of)
	if x.Field != nil {
		name = x.Field.Name()
	}
	g.told = append(g.told, fmt.Sprintf("%s %d>%d", name, x.Before, x.Percent))
}

func (g *growths) are(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if d := cmp.Diff(want, g.told); d != "" {
		t.Errorf("what was told differs (-want +got):\n%s", d)
	}
	g.told = nil
}

var (
	growText = profile.String("text", "")
	growList = profile.List[int]("list", profile.MaxLen(20))
	growSet  = profile.Set("set", profile.MaxLen(10))
	growWord = profile.String("word", "", profile.MaxLen(100))
	growing  = profile.NewSchema("player", growText, growList, growSet, growWord)
)

// fill makes the document so many bytes large.
func (w *world) fill(p *profile.Profile, bytes int) {
	w.Helper()
	w.update(p, func(tx *profile.Tx) {
		growText.Reset(tx)
		growText.Set(tx, strings.Repeat("x", bytes-len(`{"text":""}`)))
	})
}

func TestGrowth(t *testing.T) {
	small := func(o profile.Options) *profile.Options {
		o.Session.Limits = document.Limits{Size: 10_000, Fields: 100}
		return &o
	}
	t.Run("OfTheSizeIsToldOncePerStepAndDirection", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("s", open{w.db}, growing, small(profile.Options{})), "p")
			var g growths
			defer p.OnGrowth(g.hear)()
			w.fill(p, 4999)
			g.are(t)
			w.fill(p, 5000)
			w.fill(p, 5001)
			g.are(t, "size 0>50")
			w.fill(p, 4999)
			w.fill(p, 5000)
			w.fill(p, 4500)
			g.are(t)
			w.fill(p, 4499)
			g.are(t, "size 50>0")
			w.fill(p, 9500)
			g.are(t, "size 0>95")
			w.fill(p, 100)
			g.are(t, "size 95>0")
		})
	})
	t.Run("OfWhatIsRefusedIsNotTold", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("s", open{w.db}, growing, small(profile.Options{})), "p")
			var g growths
			defer p.OnGrowth(g.hear)()
			w.refuses(p, document.ErrTooLarge, func(tx *profile.Tx) {
				growText.Set(tx, strings.Repeat("x", 9600))
				growWord.Set(tx, strings.Repeat("y", 100))
				growList.Append(tx, make([]int, 20)...)
				growText.Set(tx, strings.Repeat("x", 20_000))
			})
			g.are(t)
		})
	})
	t.Run("OfTheCountAndOfFieldsWithAMaxLen", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("s", open{w.db}, growing, small(profile.Options{})), "p")
			var g growths
			defer p.OnGrowth(g.hear)()
			w.update(p, func(tx *profile.Tx) {
				growList.Append(tx, make([]int, 16)...)
				growWord.Set(tx, strings.Repeat("x", 49))
			})
			g.are(t, "list 0>80")
			w.update(p, func(tx *profile.Tx) { growWord.Set(tx, strings.Repeat("x", 96)) })
			w.update(p, func(tx *profile.Tx) { growList.Remove(tx, 0) })
			g.are(t, "word 0>95")
			w.update(p, func(tx *profile.Tx) { growList.Reset(tx) })
			g.are(t, "list 80>0")
			for i := range 10 {
				w.update(p, func(tx *profile.Tx) { growSet.Add(tx, fmt.Sprint(i)) })
			}
			g.are(t, "set 0>50", "set 50>80", "set 80>95")
			w.update(p, func(tx *profile.Tx) {
				for i := range 10 {
					growSet.Delete(tx, fmt.Sprint(i))
				}
			})
			g.are(t, "set 95>0")
			w.update(p, func(tx *profile.Tx) {
				for i := range 60 {
					profile.PutField(tx, fmt.Sprint("f", i), []byte("1"))
				}
			})
			g.are(t, "count 0>50")
		})
	})
	t.Run("OfBeforeTheLoadIsToldToWhoListensInOnOpen", func(t *testing.T) {
		bubble(t, func(w *world) {
			var g growths
			o := small(profile.Options{OnOpen: func(p *profile.Profile) { p.OnGrowth(g.hear) }})
			srv := w.serverOn("s", open{w.db}, growing, o)
			p := w.load(srv, "p")
			w.fill(p, 8000)
			w.update(p, func(tx *profile.Tx) { growSet.Add(tx, "a"); growList.Append(tx, make([]int, 19)...) })
			g.are(t, "size 0>80", "list 0>95")
			w.close(p)
			w.load(srv, "p")
			g.are(t, "size 0>80", "list 0>95")
		})
	})
	t.Run("IsDrainedByTheGameIfItAsksForThat", func(t *testing.T) {
		bubble(t, func(w *world) {
			p := w.load(w.serverOn("s", open{w.db}, growing, small(profile.Options{ManualEvents: true})), "p")
			var g growths
			defer p.OnGrowth(g.hear)()
			w.fill(p, 8000)
			g.are(t)
			p.DrainEvents()
			g.are(t, "size 0>80")
		})
	})
	t.Run("IsInTheMetrics", func(t *testing.T) {
		bubble(t, func(w *world) {
			reg := prometheus.NewRegistry()
			o := small(profile.Options{})
			o.Session.Metrics = reg
			srv := w.serverOn("s", open{w.db}, growing, o)
			counted := func(want50, want80, want95 int) {
				t.Helper()
				text := fmt.Sprintf(`# HELP holdfast_profile_grown Profiles in memory whose size has reached a part of its limit, by percent (50, 80, 95); one is counted under each that it has reached.
# TYPE holdfast_profile_grown gauge
holdfast_profile_grown{percent="50"} %d
holdfast_profile_grown{percent="80"} %d
holdfast_profile_grown{percent="95"} %d
`, want50, want80, want95)
				if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "holdfast_profile_grown"); err != nil {
					t.Error(err)
				}
			}
			counted(0, 0, 0)
			a, b := w.load(srv, "a"), w.load(srv, "b")
			w.fill(a, 9600)
			w.fill(b, 6000)
			counted(2, 1, 1)
			w.fill(a, 8000)
			counted(2, 1, 0)
			w.close(a)
			counted(1, 0, 0)
			w.load(srv, "a")
			counted(2, 1, 0)
			w.fill(b, 100)
			counted(1, 1, 0)
		})
	})
}
