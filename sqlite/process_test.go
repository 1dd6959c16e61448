package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-games/holdfast/driver"
	"github.com/holdfast-games/holdfast/sqlite"
)

// child is the main function of a process that writes group after group until
// its standard input ends. Each group counts itself.
func child(path string) int {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	db, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	value := make([]byte, 2000)
	for n := 1; ctx.Err() == nil; n++ {
		g := driver.Group{Batches: make([]driver.Batch, 256)}
		for i := range g.Batches {
			g.Batches[i] = driver.Batch{ID: newID(), Writes: []driver.Write{
				{Key: fmt.Sprintf("import/%d", i), Mode: driver.Always, Value: value},
			}}
		}
		g.Batches[0].Writes = []driver.Write{{Key: "groups", Mode: driver.Always, Value: strconv.AppendInt(nil, int64(n), 10)}}
		if _, err := db.Commit(context.Background(), g); err != nil {
			fmt.Println(err)
			return 1
		}
		if n == 1 {
			fmt.Println("ready")
		}
		if os.Getenv(countVariable) != "" {
			fmt.Println(n)
		}
	}
	if err := db.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// countVariable makes a child print the number of each group once it is
// acknowledged.
const countVariable = "HOLDFAST_SQLITE_COUNT"

func TestAcknowledgedCommitsSurviveAKill(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "players.db")
	for range 3 {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), childVariable+"="+path, countVariable+"=1")
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := 0
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acknowledged = n
			}
			if acknowledged == 20 {
				cmd.Process.Kill()
			}
		}
		cmd.Wait() // it was killed, which is an error
		db := mustOpen(t, path, nil)
		if n, err := strconv.Atoi(get(t, db, "groups")); err != nil || n < acknowledged || acknowledged < 20 {
			t.Errorf("after a kill group %d is there (%v), want at least %d, the last acknowledged", n, err, acknowledged)
		}
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		execute(t, path, "DELETE FROM entries")
	}
}

func TestALockedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "players.db")
	db := mustOpen(t, path, nil)
	put(t, db, "k", "1")
	other := tool(t, path)
	lock, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exec := func(query string) {
		t.Helper()
		if _, err := lock.ExecContext(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec("BEGIN IMMEDIATE")
	t.Run("IsUnavailableWhenTheContextEnds", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		out, err := db.Commit(ctx, driver.Group{Batches: []driver.Batch{{
			ID: newID(), Writes: []driver.Write{{Key: "k", Mode: driver.Always}},
		}}})
		if !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Commit = %v, %v, want ErrUnavailable and DeadlineExceeded", out, err)
		}
	})
	t.Run("IsReadMeanwhile", func(t *testing.T) {
		if got := get(t, db, "k"); got != "1" {
			t.Errorf("Read = %q, want 1", got)
		}
	})
	t.Run("IsWaitedForWithTheUrgentFirst", func(t *testing.T) {
		moments := make(chan string, 2)
		commit := func(name string, urgent bool) {
			_, err := db.Commit(t.Context(), driver.Group{Urgent: urgent, Batches: []driver.Batch{{
				ID: newID(), Writes: []driver.Write{{Key: "order", Mode: driver.Always, Value: []byte(name)}},
			}}})
			if err != nil {
				t.Errorf("Commit: %v", err)
			}
			moments <- name
		}
		go commit("other", false)
		for !db.TurnTaken() {
			runtime.Gosched()
		}
		go commit("urgent", true)
		for db.Waiting() == 0 {
			runtime.Gosched()
		}
		exec("COMMIT")
		<-moments
		<-moments
		if got := get(t, db, "order"); got != "other" {
			t.Errorf("the last to commit was %q, want the urgent one to be first", got)
		}
	})
	lock.Close()
	other.Close()
}

// saturate starts a process that keeps the file busy until the test ends, and
// returns once it writes.
func saturate(t testing.TB, path string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVariable+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if lines.Scan(); lines.Text() != "ready" {
		t.Errorf("child says %q", lines.Text())
	}
	t.Cleanup(func() {
		stdin.Close()
		for lines.Scan() {
			t.Errorf("child says %q", lines.Text())
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("child: %v", err)
		}
	})
}

func TestTwoProcessesBothMakeProgress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "players.db")
	db := mustOpen(t, path, nil)
	saturate(t, path)
	groups := func() int {
		n, err := strconv.Atoi(get(t, db, "groups"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// While a commit of ours waits, the other process may commit what it can
	// in the time for which it may go on. That is counted in groups, loosely.
	const commits, atMost = 60, 1000
	first, last := groups(), 0
	for i := range commits {
		before := groups()
		put(t, db, "small", fmt.Sprint(i))
		if last = groups(); last-before > atMost {
			t.Errorf("commit %d waited for %d groups of the other process", i, last-before)
		}
	}
	if last == first {
		t.Errorf("the other process committed nothing beside %d commits", commits)
	}
	if got := get(t, db, "small"); got != fmt.Sprint(commits-1) {
		t.Errorf("Read = %q, want the last commit", got)
	}
}

// BenchmarkBesideAnotherProcess prints how long a small commit waits beside a
// process that writes all the time.
func BenchmarkBesideAnotherProcess(b *testing.B) {
	path := filepath.Join(b.TempDir(), "players.db")
	db := mustOpen(b, path, nil)
	saturate(b, path)
	var waits []time.Duration
	for b.Loop() {
		start := time.Now()
		put(b, db, "small", "x")
		waits = append(waits, time.Since(start))
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(waits[len(waits)-1].Microseconds())/1000, "max-ms")
}
