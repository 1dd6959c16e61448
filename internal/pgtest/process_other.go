//go:build !linux

package pgtest

import (
	"fmt"
	"runtime"
	"syscall"
)

// account is the user that the server runs as.
type account struct{ uid, gid uint32 }

func serverAccount() (*account, error) {
	return nil, fmt.Errorf("%w: private clusters are run on Linux alone, not on %s", ErrMissing, runtime.GOOS)
}

func (a *account) attributes() *syscall.SysProcAttr { return nil }

// process is a running server. There are none here: serverAccount has refused.
type process struct{ ended chan struct{} }

func startProcess(string, []string, string, string, *account) (*process, error) {
	_, err := serverAccount()
	return nil, err
}

func (p *process) stop() error   { return nil }
func (p *process) abort() error  { return nil }
func (p *process) kill() error   { return nil }
func (p *process) pause() error  { return nil }
func (p *process) resume() error { return nil }

func freeMemory(string) {}
