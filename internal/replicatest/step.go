package replicatest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/holdfast-games/holdfast/profile"
)

// step does one step of a scenario:
//
//	open     the game opens the player; hop: the other game server does
//	update   makes the writes, all in one update
//	private  hides the field; public shows it
//	save     saves the player
//	leave    the game closes the player; erase: he is erased
//	break    has his saves refused by the database; mend ends that
//	plant    stores, before he is opened, what cannot be read
//	cut      cuts the client's connection; mute leaves it open with nothing passing;
//	         sound ends that
//	refuse   has no connection taken; accept ends that
//	delay    delays each message to the client by up to so many milliseconds
//	storm    makes so many updates, while messages are late, come twice, come in another
//	         order, and connections are cut; then all is well again
//	wait     waits so many milliseconds
func (s *Stage) step(r *http.Request) (any, error) {
	a, err := s.actor(r)
	if err != nil {
		return nil, err
	}
	var st Step
	if err := json.NewDecoder(r.Body).Decode(&st); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := s.do(r.Context(), a, st); err != nil {
		return nil, fmt.Errorf("%s: %w", st.Do, err)
	}
	return struct{}{}, nil
}

func (s *Stage) do(ctx context.Context, a *actor, st Step) (err error) {
	switch st.Do {
	case "open":
		a.p, err = s.games[a.at].profiles.Open(ctx, a.id, nil)
	case "hop":
		a.at = 1 - a.at
		a.proxy.Retarget(s.games[a.at].url)
		a.p, err = s.games[a.at].profiles.Open(ctx, a.id, nil)
	case "plant":
		err = s.plant(ctx, a.id)
	case "break", "mend":
		s.disk.refuse(a.id, st.Do == "break")
	case "cut":
		a.proxy.Cut()
	case "mute", "sound":
		a.proxy.Mute(st.Do == "mute")
	case "refuse", "accept":
		a.proxy.Use(Faults{Refused: st.Do == "refuse"})
	case "delay":
		a.proxy.Use(Faults{Seed: 1, Delay: time.Duration(st.MS) * time.Millisecond})
	case "wait":
		time.Sleep(time.Duration(st.MS) * time.Millisecond)
	default:
		return s.doOpen(ctx, a, st)
	}
	return err
}

// doOpen does a step for which the player must be open.
func (s *Stage) doOpen(ctx context.Context, a *actor, st Step) error {
	if a.p == nil {
		return fmt.Errorf("the player is not open, or there is no such step")
	}
	switch st.Do {
	case "update":
		return a.p.Update(func(tx *profile.Tx) error { return writeAll(tx, st.Writes) })
	case "private", "public":
		a.p.SetPrivate(schema.Field(st.Field), st.Do == "private")
		return nil
	case "save":
		_ = a.p.Save(ctx) // the client is told what came of it
		return nil
	case "leave":
		defer func() { a.p = nil }()
		return a.p.Close(ctx)
	case "erase":
		defer func() { a.p = nil }()
		return s.erase(ctx, a)
	case "storm":
		return storm(a, st)
	}
	return fmt.Errorf("there is no such step")
}

func writeAll(tx *profile.Tx, writes []Write) error {
	for _, w := range writes {
		if err := write(tx, w); err != nil {
			return fmt.Errorf("field %q: %w", w.Field, err)
		}
	}
	return nil
}

// storm makes updates while all that can go wrong does.
func storm(a *actor, st Step) error {
	a.proxy.Use(Faults{Seed: st.Seed, Delay: 30 * time.Millisecond, Swap: 0.1, Repeat: 0.1, Cut: 0.05})
	defer a.proxy.Use(Faults{})
	dice := rand.New(rand.NewPCG(st.Seed, 2))
	for i := range st.Count {
		err := a.p.Update(func(tx *profile.Tx) error {
			name := fmt.Sprint("thing ", dice.IntN(20))
			_ = coins.Add(tx, 1) // the first refusal is the update's
			switch dice.IntN(5) {
			case 0:
				_ = bag.Put(tx, name, fmt.Appendf(nil, `{"n":%d}`, i))
			case 1:
				_ = bag.Delete(tx, name)
			case 2:
				_ = kills.Add(tx, name, 1)
			case 3:
				_ = quests.Set(tx, []string{name})
			case 4:
				_ = xp.Add(tx, 60)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if dice.IntN(40) == 0 {
			a.p.SetPrivate(nick, dice.IntN(2) == 0)
		}
		time.Sleep(time.Duration(dice.IntN(8)) * time.Millisecond)
	}
	a.p.SetPrivate(nick, false)
	return nil
}
