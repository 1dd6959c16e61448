// Package typescript holds the client of package replica for browsers, as a page loads
// it: modules that need no build step, compiled from the source beside them. README.md
// is about the client.
package typescript

import (
	"embed"
	"io/fs"
)

//go:embed dist/*.js
var dist embed.FS

var modules, _ = fs.Sub(dist, "dist") // it refuses names that are no paths, and nothing else

// Modules returns the client's modules for a server of pages, which import
// holdfast-replica.js. It is safe for concurrent use.
func Modules() fs.FS { return modules }
