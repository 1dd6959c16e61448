//go:build unix

package demo

import (
	"os"
	"os/signal"
	"syscall"
)

// canStop says that a process can be halted and continued here.
const canStop = true

func stopProcess(p *os.Process) error     { return p.Signal(syscall.SIGSTOP) }
func continueProcess(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

// IgnoreInterrupts leaves Ctrl-C, which a terminal sends to all processes of a
// command, to the director: a server ends when its orders do.
func IgnoreInterrupts() { signal.Ignore(os.Interrupt, syscall.SIGHUP) }
