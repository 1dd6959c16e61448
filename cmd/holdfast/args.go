package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/holdfast-games/holdfast/document"
	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/session"
	"github.com/holdfast-games/holdfast/store"
)

// keyArg is a key on the command line, "player/42".
type keyArg struct{ session.Key }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *keyArg) UnmarshalText(text []byte) (err error) {
	k.Key, err = session.ParseKey(string(text))
	return err
}

// pathArg is a path within a document on the command line, "coins" or
// "bag/sword".
type pathArg struct{ document.Path }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *pathArg) UnmarshalText(text []byte) (err error) {
	p.Path, err = document.ParsePath(string(text))
	return err
}

// versionArg names a version on the command line: by its id, or by how many
// versions were written after it.
type versionArg struct {
	id   driver.Version
	back int
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *versionArg) UnmarshalText(text []byte) (err error) {
	if n, err := strconv.ParseUint(string(text), 10, 31); err == nil {
		v.back = int(n)
		return nil
	}
	if v.id, err = driver.ParseVersion(string(text)); err != nil {
		return fmt.Errorf("%w: give an id, or a number as holdfast versions shows it", err)
	}
	return nil
}

// resolve returns the id of the version that the argument names.
func (v versionArg) resolve(ctx context.Context, rd *session.Reader, key session.Key) (driver.Version, error) {
	if !v.id.IsZero() {
		return v.id, nil
	}
	list, err := rd.Versions(ctx, key)
	switch {
	case err != nil:
		return driver.Version{}, err
	case len(list) == 0:
		return driver.Version{}, fmt.Errorf("%v: %w", key, session.ErrNotFound)
	case v.back >= len(list):
		return driver.Version{}, fmt.Errorf("version %d of %v: %w: there are 0 to %d", v.back, key, store.ErrNotFound, len(list)-1)
	}
	return list[len(list)-1-v.back].Version, nil
}

// read returns the version that the argument names.
func (v versionArg) read(ctx context.Context, rd *session.Reader, key session.Key) (*session.VersionView, error) {
	id, err := v.resolve(ctx, rd, key)
	if err != nil {
		return nil, err
	}
	return rd.ReadVersion(ctx, key, id)
}

// limitFlags are part of every command that writes documents.
type limitFlags struct {
	MaxBytes  int `placeholder:"N" help:"The largest document, in bytes, as the game's servers have it (default 4 MiB)."`
	MaxDepth  int `placeholder:"N" help:"The deepest nesting, as the game's servers have it (default 64)."`
	MaxFields int `placeholder:"N" help:"The most fields and elements, as the game's servers have it (default 10,000)."`
}

func (f limitFlags) limits() document.Limits {
	return document.Limits{Size: f.MaxBytes, Depth: f.MaxDepth, Fields: f.MaxFields}
}
