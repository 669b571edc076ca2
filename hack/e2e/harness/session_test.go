package harness

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stubTool plays hack/cluster: it notes the verbs that it is called with, and a
// cluster is up while the file state exists. A verb that is in the file fail fails.
const stubTool = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$1" >>verbs
if grep -qx "$1" fail 2>/dev/null; then exit 1; fi
case $1 in
status) cat state ;;
up) [ -e state ] || echo "cluster demo (processes) $$" >state ;;
down) rm state ;;
exec) [ ! -e hang ] || exec sleep 60 ;;
esac
`

func stub(t *testing.T, files ...string) (*Cluster, string) {
	t.Helper()
	dir := t.TempDir()
	tool := filepath.Join(dir, "cluster")
	if err := os.WriteFile(tool, []byte(stubTool), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, text, _ := strings.Cut(file, "=")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TMPDIR", t.TempDir()) // for what is collected of failures
	return &Cluster{root: dir, tool: tool, out: io.Discard, say: t.Logf}, dir
}

func isUp(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "state"))
	return err == nil
}

func nothing(context.Context, *Cluster) error { return nil }

// A cluster that a session started ends with it, also when the action failed,
// the installation failed, or somebody interrupted it; one that was up before,
// or is to be kept, stays.
func TestSessionLeavesWhatItFound(t *testing.T) {
	failing := errors.New("wrong answer")
	for name, test := range map[string]struct {
		files  []string
		keep   bool
		action func(context.Context, *Cluster) error
		fails  bool
		stays  bool
	}{
		"all went well":      {action: nothing},
		"the action failed":  {action: func(context.Context, *Cluster) error { return failing }, fails: true},
		"no images":          {files: []string{"fail=load-project"}, action: nothing, fails: true},
		"no operator":        {files: []string{"fail=exec"}, action: nothing, fails: true},
		"kept":               {keep: true, action: nothing, stays: true},
		"joined":             {files: []string{"state=cluster demo (processes) 1"}, action: nothing, stays: true},
		"joined, and failed": {files: []string{"state=cluster demo (processes) 1"}, action: func(context.Context, *Cluster) error { return failing }, fails: true, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			c, dir := stub(t, test.files...)
			err := c.session(t.Context(), test.keep, test.action)
			if (err != nil) != test.fails {
				t.Errorf("got error %v", err)
			}
			if isUp(dir) != test.stays {
				t.Errorf("the cluster is up: %t, expected %t", isUp(dir), test.stays)
			}
		})
	}
}

// An interrupt ends what runs inside the cluster, and then the cluster.
func TestSessionInterrupted(t *testing.T) {
	c, dir := stub(t)
	ctx, interrupt := context.WithCancel(t.Context())
	began := time.Now()
	err := c.session(ctx, false, func(ctx context.Context, c *Cluster) error {
		if err := os.WriteFile(filepath.Join(dir, "hang"), nil, 0o600); err != nil {
			return err
		}
		cmd := c.Command(ctx, "sleep", "60")
		if err := cmd.Start(); err != nil {
			return err
		}
		interrupt()
		err := cmd.Wait()
		return errors.Join(err, os.Remove(filepath.Join(dir, "hang")))
	})
	if err == nil || isUp(dir) {
		t.Errorf("got error %v, and the cluster is up: %t", err, isUp(dir))
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it waited %s for a command that was to end", took)
	}
}

// A cluster that vanished while the session waited for it is the session's own
// when it had to be started anew.
func TestSessionOwnsAClusterStartedAnew(t *testing.T) {
	c, dir := stub(t, "state=cluster demo (processes) 1")
	if err := os.WriteFile(c.tool, []byte(strings.Replace(stubTool, "up) [ -e state ] || ", "up) ", 1)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := c.session(t.Context(), false, nothing); err != nil {
		t.Fatal(err)
	}
	if isUp(dir) {
		t.Error("the cluster is still up")
	}
}

// What is collected of a failure stays and is named.
func TestFailureIsCollected(t *testing.T) {
	c, _ := stub(t)
	var said strings.Builder
	c.say = func(format string, args ...any) {
		if len(args) > 0 && strings.HasPrefix(format, "what the cluster says") {
			dir, _ := args[0].(string)
			said.WriteString(dir)
		}
	}
	failing := errors.New("wrong answer")
	if err := c.session(t.Context(), false, func(context.Context, *Cluster) error { return failing }); !errors.Is(err, failing) {
		t.Errorf("got %v, expected the action's error", err)
	}
	if _, err := os.Stat(filepath.Join(said.String(), "operator.log")); err != nil {
		t.Errorf("nothing was collected: %v", err)
	}
}
