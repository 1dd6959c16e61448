package replica_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
)

// TestEveryReplicaIsTheProfile has random updates shown to clients who take frames when
// they like, leave and come back. Whoever has taken all has what the profile has, and
// nobody ever gets what is private at that time.
func TestEveryReplicaIsTheProfile(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(w *world) {
				m := &model{world: w, dice: rand.New(rand.NewPCG(seed, 1))}
				ps := w.profiles("a", &profile.Options{Autosave: -1})
				m.p = w.load(ps, "1")
				m.s = w.replicas(ps, &replica.Options{Backlog: 300, Linger: 5 * time.Second})
				for range 4 {
					m.viewers = append(m.viewers, w.view(m.s, "1"))
				}
				for range 600 {
					m.step()
				}
				m.hidden = false
				m.p.SetPrivate(nick, false)
				for i := range m.viewers {
					m.takeAll(i)
				}
			})
		})
	}
}

type model struct {
	*world
	dice    *rand.Rand
	s       *replica.Server
	p       *profile.Profile
	viewers []*viewer
	hidden  bool // nick is private, and all that it is set to then says so
}

func (m *model) step() {
	i := m.dice.IntN(len(m.viewers))
	switch m.dice.IntN(12) {
	case 0:
		m.hidden = !m.hidden
		if !m.hidden {
			m.update(m.p, func(tx *profile.Tx) { _ = nick.Set(tx, "shown") })
		}
		m.p.SetPrivate(nick, m.hidden)
	case 1:
		time.Sleep(time.Duration(m.dice.IntN(120)) * time.Millisecond)
	case 2:
		m.takeAll(i)
	case 3:
		m.take(i)
	case 4:
		m.viewers[i].watcher.Close()
		if m.dice.IntN(10) == 0 {
			time.Sleep(6 * time.Second)
		}
		m.viewers[i] = m.resume(m.s, "1", m.viewers[i].replica)
	case 5:
		if err := m.p.Save(m.ctx); err != nil {
			m.Fatal(err)
		}
	default:
		m.update(m.p, func(tx *profile.Tx) {
			for range 1 + m.dice.IntN(3) {
				m.write(tx)
			}
		})
	}
}

// write writes something. An error of one write is that of the update.
func (m *model) write(tx *profile.Tx) {
	name := fmt.Sprintf("%d/~", m.dice.IntN(4))
	switch m.dice.IntN(9) {
	case 0:
		_ = coins.Set(tx, int64(m.dice.IntN(3)))
	case 1:
		_ = bag.Put(tx, name, Item{name, m.dice.IntN(3)})
	case 2:
		_ = bag.Delete(tx, name)
	case 3:
		_ = bag.Reset(tx)
	case 4:
		_ = kills.Add(tx, name, 1)
	case 5:
		_ = xp.Add(tx, int64(m.dice.IntN(90)))
	case 6:
		_ = quests.Append(tx, name)
		if quests.Len(tx) > 3 {
			_ = quests.Reset(tx)
		}
	case 7:
		_ = target.Set(tx, name)
	case 8:
		text := "shown"
		if m.hidden {
			text = "hidden"
		}
		_ = nick.Set(tx, text+name)
	}
}

// take has a viewer take a frame, if there is one.
func (m *model) take(i int) bool {
	m.Helper()
	f, ok := m.viewers[i].watcher.Poll()
	if !ok {
		return false
	}
	if err := m.viewers[i].replica.Apply(f.Text); err != nil {
		m.Fatalf("viewer %d: Apply(%s): %v", i, f.Text, err)
	}
	if m.hidden && bytes.Contains(f.Text, []byte("nick\":")) || bytes.Contains(f.Text, []byte("hidden")) && m.hidden {
		m.Fatalf("viewer %d got what is private: %s", i, f.Text)
	}
	return true
}

// takeAll has a viewer take all, and checks what he has.
func (m *model) takeAll(i int) {
	m.Helper()
	time.Sleep(60 * time.Millisecond) // longer than a tick
	synctest.Wait()
	for m.take(i) {
	}
	if diff := cmp.Diff(public(m, m.p), has(m, m.viewers[i].replica)); diff != "" {
		m.Fatalf("viewer %d (-want +got):\n%s", i, diff)
	}
}
