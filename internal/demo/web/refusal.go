package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/inventory"
	"github.com/holdfast-games/holdfast/profile"
	"github.com/holdfast-games/holdfast/replica"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/trade"
)

// refusal is an error that is told to the player as it is.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

// sayings are what a player is told of errors that are not refusals of the game. What
// else goes wrong stays in the log.
var sayings = []struct {
	err  error
	text string
}{
	{profile.ErrRange, "there is not enough of it"},
	{profile.ErrBusy, "a trade is under way: try again"},
	{trade.ErrTime, "the other server did not answer in time: nothing has happened, try again"},
	{profile.ErrNotDurable, "it is done, but not on disk yet"},
	{profile.ErrUnknownOutcome, "it is not known yet whether that has happened"},
	{profile.ErrSlotsFull, "there are no more save slots"},
	{profile.ErrUnknownSlot, "there is no such save slot"},
	{profile.ErrFull, "the mailbox is full"},
	{session.ErrNotFound, "there is no such hero"},
	{session.ErrSuspended, "the server cannot reach its database just now"},
	{session.ErrClosed, "the server is closing"},
	{document.ErrTooLarge, "that is too large"},
	{replica.ErrForbidden, "this login is not valid here"},
	{replica.ErrExpired, "this login is too old"},
	{context.DeadlineExceeded, "that took too long"},
}

// say returns what a player is told of an error, and whether that says it all.
func say(err error) (text string, all bool) {
	if r, ok := errors.AsType[refusal](err); ok {
		return r.text, true
	}
	if _, ok := errors.AsType[*inventory.FullError](err); ok {
		return "the bag is full", true
	}
	if _, ok := errors.AsType[*inventory.NotEnoughError](err); ok {
		return "there are not enough of them", true
	}
	if _, ok := errors.AsType[*session.LostError](err); ok {
		return "another server has the hero now", true
	}
	for _, s := range sayings {
		if errors.Is(err, s.err) {
			return s.text, true
		}
	}
	return "the server could not do that", false
}
