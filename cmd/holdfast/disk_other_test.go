//go:build !linux

package main

import (
	"os"
	"testing"
)

func smallDisk(t *testing.T, _ int) string {
	t.Skip("small disks are made on Linux only")
	return ""
}

// protect makes a folder read-only.
func protect(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() == 0 {
		t.Skip("no mode stops root")
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
}
