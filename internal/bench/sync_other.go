//go:build !linux

package bench

import "os"

// syncData waits until a file's data are on disk.
func syncData(f *os.File) error { return f.Sync() }
