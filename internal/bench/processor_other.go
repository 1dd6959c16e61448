//go:build !unix

package bench

import "time"

// processorTime is not known here: as if this process used none.
func processorTime() time.Duration { return 0 }
