// Package fromroblox has no code of its own: its tests are runnable examples of what
// a game does that comes from Roblox, as docs/coming-from-roblox.md shows them.
package fromroblox
