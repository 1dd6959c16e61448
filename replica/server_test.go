package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
)

func TestTheStateHasAllPublicFields(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		w.update(p, func(tx *profile.Tx) {
			_ = coins.Set(tx, 7)
			_ = bag.Put(tx, "sword", Item{"sword", 3})
			_ = target.Set(tx, "dragon")
			_ = xp.Set(tx, 250)
			_ = secret.Set(tx, "hidden")
		})
		v := w.view(w.replicas(ps, nil), "1")

		f := v.wantsType(replica.TypeState)
		if diff := cmp.Diff(public(w, p), has(w, v.replica)); diff != "" {
			w.Errorf("the state (-want +got):\n%s", diff)
		}
		for name, want := range map[string]string{
			"coins": "7", "nick": `"nobody"`, "bag": `{"sword":{"name":"sword","level":3}}`, "kills": "{}", "quests": "[]",
			"target": `"dragon"`, "level": "3", "rank": `"rank 0"`, "secret": "",
		} {
			v.wantsField(name, want)
		}
		if bytes.Contains(f.Text, []byte("secret")) || bytes.Contains(f.Text, []byte("hidden")) || bytes.Contains(f.Text, []byte("~")) {
			w.Errorf("the state has what nobody may see: %s", f.Text)
		}
		v.wantsNothing()
	})
}

func TestOneTickIsOneFrame(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		v := w.view(w.replicas(ps, nil), "1")
		v.wantsType(replica.TypeState)

		began := time.Now()
		for i := range 100 {
			w.update(p, func(tx *profile.Tx) {
				_ = coins.Set(tx, int64(i))
				_ = bag.Put(tx, "sword", Item{"sword", i})
			})
		}
		v.wants(`{"type":"change","rev":1,"ops":[{"op":"add","path":"/coins","value":99},{"op":"add","path":"/bag/sword","value":{"name":"sword","level":99}}]}`)
		if took := time.Since(began); took != 50*time.Millisecond {
			w.Errorf("the frame came after %v, want the tick of 50ms", took)
		}
		v.wantsNothing()
	})
}

func TestAtOnceWaitsForNothing(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		v := w.view(w.replicas(ps, &replica.Options{Tick: replica.AtOnce}), "1")
		v.wantsType(replica.TypeState)
		began := time.Now()
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
		v.wants(`{"type":"change","rev":1,"ops":[{"op":"add","path":"/coins","value":1}]}`)
		if took := time.Since(began); took != 0 {
			w.Errorf("the frame came after %v", took)
		}
	})
}

func TestWhatComesAndGoesWithinATickIsNotTold(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		w.update(p, func(tx *profile.Tx) { _ = kills.Set(tx, "old/~1", 1) })
		v := w.view(w.replicas(ps, nil), "1")
		v.wantsType(replica.TypeState)

		w.update(p, func(tx *profile.Tx) { _ = bag.Put(tx, "x", Item{}) })
		w.update(p, func(tx *profile.Tx) { _ = bag.Delete(tx, "x") })
		v.wantsNothing()
		w.update(p, func(tx *profile.Tx) { _ = kills.Delete(tx, "old/~1") })
		v.wants(`{"type":"change","rev":1,"ops":[{"op":"remove","path":"/kills/old~1~01"}]}`)
		w.update(p, func(tx *profile.Tx) { _ = kills.Set(tx, "orc", 1); _ = kills.Reset(tx) })
		v.wants(`{"type":"change","rev":2,"ops":[{"op":"add","path":"/kills","value":{}}]}`)
		w.update(p, func(tx *profile.Tx) { _ = kills.Set(tx, "", 1); _ = kills.Set(tx, "__proto__", 2) })
		v.wants(`{"type":"change","rev":3,"ops":[{"op":"add","path":"/kills/","value":1},{"op":"add","path":"/kills/__proto__","value":2}]}`)
		v.wantsField("kills", `{"":1,"__proto__":2}`)
	})
}

func TestComputedAndVolatileFieldsAreTold(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		v := w.view(w.replicas(ps, nil), "1")
		v.wantsType(replica.TypeState)

		w.update(p, func(tx *profile.Tx) { _ = xp.Set(tx, 99) }) // the same level
		v.wants(`{"type":"change","rev":1,"ops":[{"op":"add","path":"/xp","value":99}]}`)
		w.update(p, func(tx *profile.Tx) { _ = xp.Set(tx, 950) })
		v.wants(`{"type":"change","rev":2,"ops":[{"op":"add","path":"/xp","value":950},{"op":"add","path":"/level","value":10},{"op":"add","path":"/rank","value":"rank 1"}]}`)
		w.update(p, func(tx *profile.Tx) { _ = target.Set(tx, "orc") })
		v.wants(`{"type":"change","rev":3,"ops":[{"op":"add","path":"/target","value":"orc"}]}`)
	})
}

func TestPrivateFieldsNeverLeave(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		s := w.replicas(ps, nil)
		v, slow := w.view(s, "1"), w.view(s, "1")
		v.wantsType(replica.TypeState)
		slow.wantsType(replica.TypeState)

		w.update(p, func(tx *profile.Tx) { _ = nick.Set(tx, "leaks"); _ = secret.Set(tx, "leaks"); _ = coins.Set(tx, 1) })
		v.wants(`{"type":"change","rev":1,"ops":[{"op":"add","path":"/nick","value":"leaks"},{"op":"add","path":"/coins","value":1}]}`)
		p.SetPrivate(nick, true)

		// Who has not taken the frame with the value does not get it any more.
		if f := slow.wantsType(replica.TypeState); bytes.Contains(f.Text, []byte("leaks")) {
			w.Errorf("a private value has left: %s", f.Text)
		}
		v.wants(`{"type":"change","rev":2,"ops":[{"op":"remove","path":"/nick"}]}`)
		v.wantsField("nick", "")
		slow.wantsNothing()
		w.update(p, func(tx *profile.Tx) { _ = nick.Set(tx, "leaks again") })
		v.wantsNothing()

		// What is computed of a private field is shown, and so is what is public again.
		p.SetPrivate(xp, true)
		v.wants(`{"type":"change","rev":3,"ops":[{"op":"remove","path":"/xp"}]}`)
		w.update(p, func(tx *profile.Tx) { _ = xp.Set(tx, 500) })
		v.wants(`{"type":"change","rev":4,"ops":[{"op":"add","path":"/level","value":6}]}`)
		p.SetPrivate(level, true)
		p.SetPrivate(nick, false)
		v.wants(`{"type":"change","rev":5,"ops":[{"op":"remove","path":"/level"},{"op":"add","path":"/nick","value":"leaks again"}]}`)
		if diff := cmp.Diff(public(w, p), has(w, v.replica)); diff != "" {
			w.Errorf("the replica (-want +got):\n%s", diff)
		}
	})
}

func TestSavesAreTold(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		v := w.view(w.replicas(ps, nil), "1")
		v.wantsType(replica.TypeState)
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
		if err := p.Save(w.ctx); err != nil {
			w.Fatal(err)
		}
		v.wants(`{"type":"change","rev":1,"ops":[{"op":"add","path":"/coins","value":1}]}`)
		v.wants(`{"type":"saved","rev":2}`)
	})
}

func TestResume(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		s := w.replicas(ps, &replica.Options{Backlog: 400})
		v := w.view(s, "1")
		v.wantsType(replica.TypeState)
		v.watcher.Close()

		t.Log("what is missed while nobody watches comes as one frame")
		for i := range 10 {
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(i)); _ = kills.Set(tx, fmt.Sprint(i), 1) })
			time.Sleep(time.Second)
		}
		v = w.resume(s, "1", v.replica)
		v.wants(`{"type":"resumed","rev":0,"ping":15000}`)
		f := v.wantsType(replica.TypeChange)
		if f.Revision != 1 || strings.Count(string(f.Text), `"/coins"`) != 1 {
			w.Errorf("the frame is %s, want one of revision 1", f.Text)
		}
		if diff := cmp.Diff(public(w, p), has(w, v.replica)); diff != "" {
			w.Errorf("the replica (-want +got):\n%s", diff)
		}

		t.Log("what the ring has is sent again")
		other := w.view(s, "1")
		other.wantsType(replica.TypeState)
		v.watcher.Close()
		for i := range 2 {
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(100+i)) })
			other.wantsType(replica.TypeChange)
		}
		v = w.resume(s, "1", v.replica)
		v.wants(`{"type":"resumed","rev":1,"ping":15000}`)
		v.wants(`{"type":"change","rev":2,"ops":[{"op":"add","path":"/coins","value":100}]}`)
		v.wants(`{"type":"change","rev":3,"ops":[{"op":"add","path":"/coins","value":101}]}`)

		t.Log("what it has not any more is the state")
		v.watcher.Close()
		for i := range 20 {
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(200+i)) })
			other.wantsType(replica.TypeChange)
		}
		v = w.resume(s, "1", v.replica)
		if f := v.wantsType(replica.TypeState); f.Revision != 23 {
			w.Errorf("the state is of revision %d, want 23", f.Revision)
		}
		v.wantsNothing()
	})
}

func TestNobodyIsWaitedForLongerThanHeLingers(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		s := w.replicas(ps, &replica.Options{Linger: time.Minute})
		v := w.view(s, "1")
		v.wantsType(replica.TypeState)
		for _, away := range []struct {
			time time.Duration
			want replica.Type
		}{{59 * time.Second, replica.TypeResumed}, {61 * time.Second, replica.TypeState}} {
			v.watcher.Close()
			time.Sleep(away.time)
			v = w.resume(s, "1", v.replica)
			v.wantsType(away.want)
		}

		t.Log("nor if too much changes meanwhile")
		v.watcher.Close()
		w.update(p, func(tx *profile.Tx) {
			for i := range 2000 {
				_ = kills.Set(tx, fmt.Sprint(i), 1)
			}
		})
		v = w.resume(s, "1", v.replica)
		v.wantsType(replica.TypeState)
		if diff := cmp.Diff(public(w, p), has(w, v.replica)); diff != "" {
			w.Errorf("the replica (-want +got):\n%s", diff)
		}
	})
}

func TestASlowWatcherGetsTheState(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", &profile.Options{Autosave: -1})
		p := w.load(ps, "1")
		s := w.replicas(ps, nil)
		slow, quick := w.view(s, "1"), w.view(s, "1")
		slow.wantsType(replica.TypeState)
		quick.wantsType(replica.TypeState)
		for i := range 1000 {
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, int64(i)) })
			for quick.next().Type == replica.TypeSaved { // a long tail in the journal is saved
			}
		}
		if f := slow.wantsType(replica.TypeState); f.Revision < 1000 {
			w.Errorf("the state is of revision %d, want the last one", f.Revision)
		}
		slow.wantsField("coins", "999")
		w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 5) })
		slow.wantsType(replica.TypeChange)
		slow.wantsField("coins", "5")
	})
}

func TestWhoComesBeforeTheLoadWaits(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		s := w.replicas(ps, nil)
		early, never := w.view(s, "1"), w.view(s, "2")
		early.wantsNothing()
		w.load(ps, "1")
		early.wantsType(replica.TypeState)
		never.wantsEnd(replica.Absent)
		if _, err := never.watcher.Next(w.ctx); !errors.Is(err, replica.ErrClosed) {
			w.Errorf("Next() after the end = %v, want ErrClosed", err)
		}
	})
}

func TestAPlayerWhoIsOnlyGivenMessagesIsNotShown(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		p := w.load(ps, "1")
		if err := p.Close(w.ctx); err != nil {
			w.Fatal(err)
		}
		v := w.view(w.replicas(ps, nil), "1")
		if _, err := ps.Change(w.ctx, "1", []profile.Op{coins.SetOp(9)}, nil); err != nil {
			w.Fatal(err)
		}
		v.wantsNothing()
		w.load(ps, "1")
		v.wantsType(replica.TypeState)
		v.wantsField("coins", "9")
	})
}

func TestHowAProfileEnds(t *testing.T) {
	t.Run("Closed", func(t *testing.T) {
		bubble(t, func(w *world) {
			ps := w.profiles("a", nil)
			p := w.load(ps, "1")
			s := w.replicas(ps, nil)
			v := w.view(s, "1")
			v.wantsType(replica.TypeState)
			w.update(p, func(tx *profile.Tx) { _ = coins.Set(tx, 1) })
			if err := p.Close(w.ctx); err != nil {
				w.Fatal(err)
			}
			v.wantsType(replica.TypeChange)
			v.wantsType(replica.TypeSaved)
			v.wantsEnd(replica.Closed)

			again := w.resume(s, "1", v.replica)
			w.load(ps, "1")
			again.wantsType(replica.TypeState)
			again.wantsField("coins", "1")
		})
	})
	t.Run("Moved", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.profiles("a", nil), w.profiles("b", nil)
			w.load(a, "1")
			v := w.view(w.replicas(a, nil), "1")
			v.wantsType(replica.TypeState)
			w.load(b, "1")
			for {
				if f := v.next(); f.Type == replica.TypeEnd {
					if f.Reason != replica.Moved {
						w.Errorf("the end is %s, want moved", f.Text)
					}
					return
				}
			}
		})
	})
	t.Run("Lost", func(t *testing.T) {
		bubble(t, func(w *world) {
			a, b := w.profiles("a", nil), w.profiles("b", nil)
			w.load(a, "1")
			v := w.view(w.replicas(a, nil), "1")
			v.wantsType(replica.TypeState)
			if _, err := b.Open(w.ctx, "1", &profile.OpenOptions{Steal: "test"}); err != nil {
				w.Fatal(err)
			}
			v.wantsEnd(replica.Lost)
		})
	})
	t.Run("Erased", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.profiles("a", nil)
			w.load(a, "1")
			v := w.view(w.replicas(a, nil), "1")
			v.wantsType(replica.TypeState)
			if _, err := a.Erase(w.ctx, "1", nil); err != nil {
				w.Fatal(err)
			}
			v.wantsEnd(replica.Erased)
		})
	})
	t.Run("TheServer", func(t *testing.T) {
		bubble(t, func(w *world) {
			a := w.profiles("a", nil)
			w.load(a, "1")
			s := w.replicas(a, nil)
			v := w.view(s, "1")
			v.wantsType(replica.TypeState)
			s.Close()
			v.wantsEnd(replica.Leaving)
			if _, err := s.Watch("1", replica.Position{}, nil); !errors.Is(err, replica.ErrClosed) {
				w.Errorf("Watch() = %v, want ErrClosed", err)
			}
		})
	})
}

func TestAPlayerOnDefaultsIsShownWithTheReason(t *testing.T) {
	bubble(t, func(w *world) {
		foreign := profile.NewSchema("player", profile.String("coins", ""))
		planter := w.profilesOn("planter", foreign, nil)
		p := w.load(planter, "1")
		w.update(p, func(tx *profile.Tx) { _ = foreign.Field("coins").(*profile.StringField).Set(tx, "many") })
		if err := p.Close(w.ctx); err != nil {
			w.Fatal(err)
		}
		ps := w.profiles("a", nil)
		bad := w.load(ps, "1")
		if bad.Err() == nil {
			w.Fatal("the load has not failed")
		}
		v := w.view(w.replicas(ps, nil), "1")
		v.wantsType(replica.TypeState)
		if got := v.replica.LoadError(); got != replica.CodeDamaged {
			w.Errorf("LoadError() = %q, want %q", got, replica.CodeDamaged)
		}
		w.update(bad, func(tx *profile.Tx) { _ = coins.Set(tx, 3) })
		v.wants(`{"type":"change","rev":1,"ops":[{"op":"add","path":"/coins","value":3}]}`)
		if err := bad.Close(w.ctx); err != nil {
			w.Fatal(err)
		}
		v.wantsEnd(replica.Closed)
	})
}

func TestWatchersAreLimited(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		w.load(ps, "1")
		s := w.replicas(ps, &replica.Options{Watchers: 2})
		v := w.view(s, "1")
		w.view(s, "1")
		if _, err := s.Watch("1", replica.Position{}, nil); !errors.Is(err, replica.ErrCrowded) {
			w.Errorf("the third Watch() = %v, want ErrCrowded", err)
		}
		w.view(s, "2")
		v.watcher.Close()
		w.view(s, "1")
		if _, err := s.Watch("", replica.Position{}, nil); !errors.Is(err, driver.ErrInvalid) {
			w.Errorf("Watch of nobody = %v, want ErrInvalid", err)
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	bubble(t, func(w *world) {
		s := w.replicas(w.profiles("a", nil), nil)
		v := w.view(s, "1")
		ctx, cancel := context.WithCancelCause(w.ctx)
		why := errors.New("enough")
		go func() { synctest.Wait(); cancel(why) }()
		if _, err := v.watcher.Next(ctx); !errors.Is(err, why) {
			w.Errorf("Next() = %v, want %v", err, why)
		}
		go func() { synctest.Wait(); v.watcher.Close() }()
		if _, err := v.watcher.Next(w.ctx); !errors.Is(err, replica.ErrClosed) {
			w.Errorf("Next() = %v, want ErrClosed", err)
		}
	})
}

func TestOptions(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", nil)
		for _, o := range []*replica.Options{
			{Tick: time.Minute}, {Linger: 2 * time.Hour}, {Patience: 2 * time.Hour}, {Ping: time.Millisecond}, {Ping: time.Hour}, {Watchers: -1},
		} {
			if _, err := replica.NewServer(ps, o); !errors.Is(err, replica.ErrOption) {
				w.Errorf("NewServer(%+v) = %v, want ErrOption", *o, err)
			}
		}
		if _, err := replica.NewServer(nil, nil); !errors.Is(err, replica.ErrOption) {
			w.Errorf("NewServer(nil) = %v, want ErrOption", err)
		}
	})
}

func TestAPlayTimeThatIsSetBackIsTold(t *testing.T) {
	bubble(t, func(w *world) {
		ps := w.profiles("a", &profile.Options{Autosave: -1}) // a save stores what has grown
		p := w.load(ps, "1")
		w.update(p, func(tx *profile.Tx) { _ = played.Set(tx, 0) })
		time.Sleep(5 * time.Second)
		v := w.view(w.replicas(ps, nil), "1")
		v.wantsType(replica.TypeState)
		v.wantsField("played", "5000")
		w.update(p, func(tx *profile.Tx) { _ = played.Set(tx, 0) }) // which is what is stored
		v.wantsType(replica.TypeChange)
		v.wantsField("played", "50")
		time.Sleep(time.Second)
		w.update(p, func(tx *profile.Tx) { _ = played.Reset(tx) })
		v.wantsType(replica.TypeChange)
		time.Sleep(time.Second)
		w.update(p, func(tx *profile.Tx) { _ = played.Reset(tx) }) // nothing is stored
		v.wantsType(replica.TypeChange)
		v.wantsField("played", "50")
	})
}

func TestAPlayTimeOfAnotherSlotIsTold(t *testing.T) {
	bubble(t, func(w *world) {
		slotTime := profile.PlayTime("slotTime", profile.PerSlot())
		schema := profile.NewSchema("player", coins, slotTime).WithSlots(profile.SlotRules{Max: 3})
		ps := w.profilesOn("a", schema, &profile.Options{Autosave: -1})
		p := w.load(ps, "1")
		if _, err := p.CreateSlot(w.ctx, "one", true); err != nil {
			w.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		v := w.view(w.replicas(ps, nil), "1")
		v.wantsType(replica.TypeState)
		v.wantsField("slotTime", "5000")
		if _, err := p.CreateSlot(w.ctx, "two", true); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		for {
			f, ok := v.watcher.Poll()
			if !ok {
				break
			}
			if err := v.replica.Apply(f.Text); err != nil {
				w.Fatal(err)
			}
		}
		if got, _ := v.replica.JSON("slotTime"); string(got) == "5000" {
			w.Errorf("the replica has the time of the other slot, %s, and the profile %v", got, slotTime.Get(p))
		}
	})
}
