package profile

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
)

// LoadPolicy says what Server.Open does when a player's data cannot be loaded,
// for a reason that lies in them.
type LoadPolicy uint8

// The policies.
const (
	// GiveErrored returns an errored profile and no error: the game lets the
	// player in on defaults, and tells him why nothing will be kept.
	GiveErrored LoadPolicy = iota
	// RefusePlayer returns the error only.
	RefusePlayer
)

// Options configure a Server. A nil *Options is the same as the zero value.
//
// The functions in it are called without any lock held and may use profiles;
// each says who waits for it.
type Options struct {
	// Session configures the session server underneath. Its Logger, Metrics
	// and Limits are used by this package too. Its HandOver must be nil: the
	// one below takes its place; and so must Rung and Answer.
	Session session.Options
	// Autosave is the time between two saves of a profile that keeps
	// changing; saves are spread evenly over it. Zero means 5 minutes; negative
	// disables autosaves. At least 1 s.
	Autosave time.Duration
	// ForceEvery makes every such cycle of autosaves one that also saves
	// profiles of which only Lazy fields have changed. Zero means never.
	ForceEvery int
	// OnLoadError says what becomes of a player whose data cannot be loaded.
	// Zero means GiveErrored.
	OnLoadError LoadPolicy
	// OnOpen is called once for each profile, before Server.Open returns it:
	// the place to listen to its events. Server.Open waits for it.
	OnOpen func(p *Profile)
	// OnRelease is called once before the final save of a profile that is
	// closed or handed over. It may still update the profile. Close waits for it
	// until ctx ends, after ReleaseTime at the latest.
	OnRelease func(ctx context.Context, p *Profile)
	// ReleaseTime bounds OnRelease. Zero means 2 s. When the server closes, it
	// is at most half of the time that is left.
	ReleaseTime time.Duration
	// HandOver is called when another server wants the player. The game may
	// finish what it is doing; when it returns, or after Session.HandOverTime,
	// the profile is released.
	HandOver func(ctx context.Context, p *Profile)
	// FreezeLimit is the longest that an update waits while its profile is held
	// still for a trade; then it is refused as ErrBusy. So a game's tick is never
	// stalled for longer. At most 10 s. Zero means 100 ms; negative means that it
	// does not wait.
	FreezeLimit time.Duration
	// FreezePatience is the longest that another server's trade may hold a profile
	// of this server still, if nothing is heard of it meanwhile. 10 ms to 1 min.
	// Zero means 5 s.
	FreezePatience time.Duration
	// ManualEvents leaves the delivery of events to the game, which calls
	// Profile.DrainEvents. Else whoever updates delivers.
	ManualEvents bool
	// MigrationTime bounds the migrations that are due for one profile, together.
	// Zero means 5 s. See Migration.
	MigrationTime time.Duration
	// Import returns what an older store has of a player, or nil if it has
	// nothing. It is asked once for each profile, by the load, if nothing of the
	// game's is stored in it; so all servers must have it from the day on which one
	// has. What it gives, or that there is nothing, is on disk before Server.Open
	// returns. If it fails, the load fails with an *ImportError, and the next one
	// asks again; so does the next one after a crash in between. Ctx ends when
	// nobody waits for the player any more.
	Import func(ctx context.Context, key session.Key) (*Imported, error)
	// Tool says that the server is no game's, and does not know the fields of its
	// profiles: it leaves changes that were asked for by id (Server.Change) to a server
	// that does, and loads no save slot unless it is told which.
	Tool bool
}

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Autosave == 0 {
		c.Autosave = 5 * time.Minute
	}
	if c.ReleaseTime == 0 {
		c.ReleaseTime = 2 * time.Second
	}
	if c.FreezeLimit == 0 {
		c.FreezeLimit = 100 * time.Millisecond
	}
	if c.FreezePatience == 0 {
		c.FreezePatience = 5 * time.Second
	}
	if c.MigrationTime == 0 {
		c.MigrationTime = 5 * time.Second
	}
	if c.Session.Logger == nil {
		c.Session.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func (o *Options) check() error {
	switch {
	case o.Session.HandOver != nil:
		return fmt.Errorf("%w: Options.Session.HandOver is set; use Options.HandOver", driver.ErrInvalid)
	case o.Session.Rung != nil || o.Session.Answer != nil:
		return fmt.Errorf("%w: Options.Session.Rung or Answer is set; they are for messages between profiles", driver.ErrInvalid)
	case o.Autosave > 0 && o.Autosave < time.Second:
		return fmt.Errorf("%w: autosave every %v, at least 1s", driver.ErrInvalid, o.Autosave)
	case o.ForceEvery < 0 || o.ReleaseTime < 0 || o.MigrationTime < 0:
		return fmt.Errorf("%w: negative ForceEvery, ReleaseTime or MigrationTime", driver.ErrInvalid)
	case o.FreezeLimit > 10*time.Second:
		return fmt.Errorf("%w: updates that wait for a trade for %v, at most 10s", driver.ErrInvalid, o.FreezeLimit)
	case o.FreezePatience < 10*time.Millisecond || o.FreezePatience > time.Minute:
		return fmt.Errorf("%w: profiles held still for %v, 10ms to 1m allowed", driver.ErrInvalid, o.FreezePatience)
	case o.OnLoadError > RefusePlayer:
		return fmt.Errorf("%w: load policy %d", driver.ErrInvalid, o.OnLoadError)
	}
	return nil
}

// OpenOptions say how a profile is opened. Nil is the same as the zero value.
type OpenOptions struct {
	// MustExist makes it session.ErrNotFound if nothing was ever stored for
	// the id. Else a new profile begins.
	MustExist bool
	// Steal takes the profile from a living server without asking it, and
	// names the reason. It is an operator's act; see session.OpenOptions.
	Steal string
	// Waiting is told, about every second, who holds the profile meanwhile.
	Waiting func(session.Holder)

	// Slot is the save slot to be loaded, by its id, or NoSlot for none, as
	// Profile.SwitchSlot does it. Empty means the one that was loaded last, or played
	// last if none is loaded; a player who never had one gets his first. A profile that a game has
	// open already keeps its slot: to ask for another one is ErrOtherSlot.
	Slot string
	// NoAsk does not ask another server to give the profile up: if it has it, that is
	// a *session.LockedError. It is for tools.
	NoAsk bool

	lent bool // by borrow: a lock is no reason for an errored profile
}
