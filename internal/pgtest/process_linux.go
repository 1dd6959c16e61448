package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// account is the user that the server runs as; nil is the present one.
type account struct{ uid, gid uint32 }

// serverAccount returns whom the server runs as: root may not.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &account{uint32(uid), uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, errors.New("root may not run PostgreSQL, and there is no user postgres or nobody to run it as")
}

// attributes make a process run as the account, out of the terminal's reach.
func (a *account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}

// process is a running server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
}

// startProcess starts a server. The kernel kills a process when the thread ends
// that started it, so a goroutine keeps that thread until the process has
// ended.
func startProcess(path string, args []string, dir, log string, a *account) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.SysProcAttr = dir, environment(), a.attributes()
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p.cmd.Stdout, p.cmd.Stderr = out, out
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // that it was killed is no news
		}
		close(p.ended)
	}()
	return p, errors.Join(<-started, out.Close())
}

// stop shuts the server down, and kills it if it does not obey.
func (p *process) stop() error { return p.obey(syscall.SIGINT) }

// abort ends the server without a checkpoint: it ends its children and cleans
// up behind them, which kill leaves to others.
func (p *process) abort() error { return p.obey(syscall.SIGQUIT) }

// obey waits until the server has done what a signal asks for, and kills it if
// it does not.
func (p *process) obey(s syscall.Signal) error {
	if err := p.resume(); err != nil {
		return err
	}
	if err := p.signal(p.cmd.Process.Pid, s); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return p.kill()
	}
}

// kill ends all processes of the server. The first is stopped before its
// children are counted, so that it starts no more. The files may be used again
// when all of them have ended, and not before.
func (p *process) kill() error {
	if err := p.pause(); err != nil {
		return err
	}
	children, err := childrenOf(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := p.each(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.ended
	for _, pid := range children {
		err = errors.Join(err, awaitEnd(pid))
	}
	return err
}

// awaitEnd returns when a process that was killed has ended, whether or not
// anybody has asked how.
func awaitEnd(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		if err == nil {
			return nil
		}
	}
}

// pause stops all processes of the server.
func (p *process) pause() error {
	if err := p.signal(p.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		return err
	}
	return p.each(syscall.SIGSTOP)
}

// resume lets all processes of the server run on.
func (p *process) resume() error { return p.each(syscall.SIGCONT) }

// each sends a signal to the server's children and then to itself. Every
// process that the server starts is its direct child, in a session of its own.
func (p *process) each(s syscall.Signal) error {
	children, err := childrenOf(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	for _, pid := range append(children, p.cmd.Process.Pid) {
		err = errors.Join(err, p.signal(pid, s))
	}
	return err
}

func (p *process) signal(pid int, s syscall.Signal) error {
	err := syscall.Kill(pid, s)
	if err == nil || errors.Is(err, syscall.ESRCH) {
		return nil // it ended by itself
	}
	return fmt.Errorf("send %v to process %d: %w", s, pid, err)
}

// childrenOf returns the processes whose parent is pid.
func childrenOf(pid int) (children []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The second field is a name in parentheses, which may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return nil, err
			}
			children = append(children, child)
		}
	}
	return children, nil
}

// freeMemory frees the few bytes of shared memory by which PostgreSQL knows
// that a cluster is in use, and which a server that was killed leaves behind.
// The seventh line of its pid file ends with their id.
func freeMemory(data string) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 7 {
		return
	}
	fields := strings.Fields(lines[6])
	if len(fields) != 2 {
		return
	}
	if id, err := strconv.Atoi(fields[1]); err == nil {
		// Nothing is lost if it cannot be freed, and nobody can help it.
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
}
