//go:build !unix

package demo

import (
	"errors"
	"os"
	"os/signal"
)

// canStop says that a process cannot be halted here: the demo only kills.
const canStop = false

func stopProcess(*os.Process) error     { return errors.ErrUnsupported }
func continueProcess(*os.Process) error { return errors.ErrUnsupported }

// IgnoreInterrupts leaves Ctrl-C, which a terminal sends to all processes of a
// command, to the director: a server ends when its orders do.
func IgnoreInterrupts() { signal.Ignore(os.Interrupt) }
