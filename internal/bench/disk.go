package bench

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// fsync measures what every durable figure stands on: appending 4 KB to a file
// and telling the disk to keep them.
func (r *run) fsync() (figures []Figure, err error) {
	f, err := os.Create(filepath.Join(r.Dir, "fsync.probe"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4096)
	var took []time.Duration
	for i := range r.sizes.samples + 10 {
		began := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := syncData(f); err != nil {
			return nil, err
		}
		if i >= 10 {
			took = append(took, time.Since(began))
		}
	}
	return []Figure{Figure{
		Name: "disk.fsync", Value: microseconds(median(took)), Unit: "µs",
	}.noted("append of 4 KB and fdatasync; p99 %.0f µs", microseconds(quantile(took, 0.99)))}, nil
}
