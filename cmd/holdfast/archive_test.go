package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"
)

func TestArchive(t *testing.T) {
	w := newWorld(t)
	w.add("player/ann", `{"coins":7}`)
	out := filepath.Join(t.TempDir(), "ann.zip")
	w.run("archive", "player/ann", "--out", out).is(exitOK, "VERSIONS", "Everything of player/ann")
	r, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if f, err := r.Open("document.json"); err != nil {
		t.Error(err)
	} else {
		_ = f.Close()
	}
	w.run("archive", "player/ann", "--out", out).is(exitError, "file already exists")
	other := filepath.Join(t.TempDir(), "other.zip")
	w.run("archive", "player/nobody", "--out", other).is(exitNotFound, "no such player")
	w.run("archive", "player/ann").is(exitUsage)
	w.run("archive", "ann", "--out", other).is(exitUsage)
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(other), "*")); err != nil || left != nil {
		t.Errorf("after what was refused there is %q, %v", left, err)
	}
	if j := lines[archiveJSON](t, w.ok("archive", "player/ann", "--out", other, "--json"))[0]; !j.Document || j.Versions == 0 {
		t.Errorf("archive --json = %+v", j)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}
