package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/internal/console"
)

// summary is what a database holds, as far as a copy must keep it.
type summary struct {
	entries, versions, bytes int64
	checksum                 [32]byte // SHA-256 over everything
	outline                  [32]byte // the same without values, of which the sums tell
	damaged                  int
}

// census takes a database's summary, record by record. What it feeds to the
// checksums says where each part ends, and does not depend on how entries were
// cut into records.
type census struct {
	s             summary
	full, outline hash.Hash
	head          []byte
}

func newCensus() *census { return &census{full: sha256.New(), outline: sha256.New()} }

func (c *census) add(r *driver.Record) {
	if r.Skipped == 0 {
		c.s.entries++
		c.head = append(c.head[:0], 'E')
		c.head = binary.AppendUvarint(c.head, uint64(len(r.Key)))
		c.head = append(c.head, r.Key...)
		c.head = binary.AppendVarint(c.head, r.Created.UnixMicro())
		c.head = append(c.head, byte(len(r.Recent)))
		for _, v := range r.Recent {
			c.head = append(c.head, v[:]...)
		}
		c.write(c.head)
		c.version(&r.Present)
	}
	for i := range r.Retained {
		v := &r.Retained[i]
		c.head = append(c.head[:0], 'R', bit(v.Kept))
		c.write(binary.AppendVarint(c.head, v.Replaced.UnixMicro()))
		c.version(v)
	}
}

func (c *census) version(v *driver.RecordVersion) {
	c.s.versions++
	c.s.bytes += int64(len(v.Value))
	if v.Damaged != nil {
		c.s.damaged++
	}
	c.head = append(c.head[:0], 'V', bit(v.Marked))
	c.head = append(c.head, v.Version[:]...)
	c.head = binary.AppendVarint(c.head, v.Updated.Wall.UnixMicro())
	c.head = binary.BigEndian.AppendUint32(c.head, v.Sum)
	c.write(c.head)
	c.full.Write(binary.AppendUvarint(c.head[:0], uint64(len(v.Value))))
	c.full.Write(v.Value)
}

// write feeds both checksums.
func (c *census) write(b []byte) {
	c.full.Write(b) // a hash returns no error
	c.outline.Write(b)
}

func (c *census) summary() *summary {
	c.full.Sum(c.s.checksum[:0])
	c.outline.Sum(c.s.outline[:0])
	return &c.s
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// verify reads both databases once more, whole, and compares them.
func (c *copying) verify() (*copied, error) {
	c.bar = console.NewProgress(c.env.err, "verify", 2*c.versions, console.Things)
	defer c.bar.Close()
	r := &copied{names: [2]string{c.from.name, c.to.name}, moved: c.moved, deleted: c.deleted}
	g, ctx := errgroup.WithContext(c.ctx)
	g.Go(func() (err error) { r.from, err = c.summarize(ctx, c.from); return err })
	g.Go(func() (err error) { r.to, err = c.summarize(ctx, c.to); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	switch {
	case r.from.outline != c.outline:
		return nil, errChanged
	case r.from.checksum != r.to.checksum:
		return nil, c.difference()
	}
	return r, nil
}

// summarize reads one side. Damage that was not to be kept ends it: in the
// source it is new since the entry was copied, and in the target it was made by
// whatever the copy lies on.
func (c *copying) summarize(ctx context.Context, s *side) (*summary, error) {
	m := newCensus()
	for r, err := range s.records(ctx, false) {
		if err != nil {
			return nil, err
		}
		m.add(r)
		c.bar.Add(int64(1 + len(r.Retained)))
		if err := damageIn(r); err != nil && !c.keepDamaged {
			return nil, fmt.Errorf("verify %s: %w", s.name, err)
		}
	}
	return m.summary(), nil
}

// damageIn returns the first damage in a record.
func damageIn(r *driver.Record) error {
	if r.Present.Damaged != nil {
		return r.Present.Damaged
	}
	for i := range r.Retained {
		if r.Retained[i].Damaged != nil {
			return r.Retained[i].Damaged
		}
	}
	return nil
}

// difference names the first entry in which the two sides differ.
func (c *copying) difference() error {
	there, stop := iter.Pull2(c.to.outlines(c.ctx))
	defer stop()
	for r, err := range c.from.outlines(c.ctx) {
		if err != nil {
			return err
		}
		at, err, ok := there()
		switch {
		case err != nil:
			return err
		case !ok || at.Key > r.Key:
			return fmt.Errorf("%w: %s has no %q", errDiffers, c.to.name, r.Key)
		case at.Key < r.Key:
			return fmt.Errorf("%w: %s has %q, and %s does not", errDiffers, c.to.name, at.Key, c.from.name)
		case !sameOutline(at, r):
			return fmt.Errorf("%w: they differ in %q", errDiffers, r.Key)
		}
	}
	return fmt.Errorf("%w: their values differ, or %s has more entries", errDiffers, c.to.name)
}
