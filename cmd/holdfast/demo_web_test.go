package main

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// TestDemoWeb builds the program and opens the page that it serves. What can be done
// there is tested in internal/demo/web.
func TestDemoWeb(t *testing.T) {
	cmd := exec.Command(build(t), "demo", "--web", "--address", "127.0.0.1:0")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	url := regexp.MustCompile(`http://[0-9.:]+`).FindString(line)
	if url == "" {
		t.Fatalf("holdfast demo --web printed %q, %v, want a URL\n%s", line, err, log.String())
	}
	for _, path := range []string{"/", "/main.js", "/style.css", "/replica/holdfast-replica.js"} {
		a, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != http.StatusOK {
			t.Errorf("GET %s = %s, want it to be in the program", path, a.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("holdfast demo --web after an interrupt: %v\n%s", err, log.String())
	}
}
