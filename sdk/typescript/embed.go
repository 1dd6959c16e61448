// Package typescript has the built TypeScript client, for Go programs that serve a page
// which uses it: a game's server needs no build step and no other host for it.
package typescript

import "embed"

// Module holds the ES modules under dist; holdfast-replica.js is the one to import.
//
//go:embed dist/*.js
var Module embed.FS
