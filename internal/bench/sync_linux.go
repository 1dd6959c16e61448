package bench

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData waits until a file's data are on disk.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
