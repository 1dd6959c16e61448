// Command serve runs a stage for the test of a client that is not written in Go. See
// package replicatest.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-games/holdfast/internal/replicatest"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run runs a stage until in ends.
func run(in io.Reader, out io.Writer) error {
	s, err := replicatest.NewStage()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := json.NewEncoder(out).Encode(map[string]string{"control": s.URL()}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
