package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runAsEcho in the environment makes this test's binary the command itself, so
// that exit codes and signals are tried on a real process.
const runAsEcho = "RUN_AS_ECHO"

func command(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append([]string{runAsEcho + "=1"}, environ...)
	return cmd
}

// What cannot be used ends the start with code 2 and a line that names it.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrongType := write("wrong.yaml", "version: 1\nrules:\n- name: a\n  limit: {requests: ten, periodSeconds: 1}\n")
	for name, c := range map[string]struct {
		environ, args  []string
		code           int
		stdout, stderr string
	}{
		"version":           {nil, []string{"--version"}, 0, "echo ", ""},
		"help":              {nil, []string{"--help"}, 0, "--limits, ECHO_LIMITS_FILE", ""},
		"unknown variable":  {[]string{"ECHO_HTTP_ADR=:1"}, nil, 2, "", "echo: ECHO_HTTP_ADR: unknown variable; did you mean ECHO_HTTP_ADDR?\n"},
		"unknown flag":      {nil, []string{"--limts=x"}, 2, "", "echo: --limts: unknown flag; did you mean --limits?\n"},
		"bad value":         {[]string{"ECHO_DRAIN_DELAY=soon"}, nil, 2, "", `echo: ECHO_DRAIN_DELAY: got "soon"; write a duration`},
		"malformed limits":  {nil, []string{"--limits", wrongType}, 2, "", "line 4: rules[0].limit.requests: "},
		"no such file":      {nil, []string{"--limits", filepath.Join(dir, "none.yaml")}, 2, "", "none.yaml"},
		"bad single limit":  {[]string{"ECHO_LIMIT_PERIOD=0s"}, nil, 2, "", "ECHO_LIMIT_PERIOD: must be a duration"},
		"bad Redis URL":     {[]string{"ECHO_REDIS_URL=http://:hunter2@x"}, nil, 2, "", "ECHO_REDIS_"},
		"bad CA file":       {[]string{"ECHO_REDIS_URL=rediss://x", "ECHO_REDIS_CA_FILE=/none"}, nil, 2, "", "ECHO_REDIS_"},
		"address not there": {nil, []string{"--http-addr=192.0.2.1:80"}, 1, "", `echo: HTTP address "192.0.2.1:80"`},
	} {
		cmd := command(t, c.environ, c.args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", name, got, stdout.String(), stderr.String())
		}
		if strings.Contains(stderr.String(), "hunter2") {
			t.Errorf("%s: a password is shown: %s", name, stderr.String())
		}
	}
}

// serving starts the process and returns where it serves, as its log says.
func serving(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := command(t, nil, append([]string{"--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0"}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct{ Msg, HTTP string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("not a JSON line: %s", lines.Text())
		}
		if line.Msg == "serving" {
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return cmd, "http://" + line.HTTP
		}
	}
	t.Fatalf("it ended without serving: %v", cmd.Wait())
	return nil, ""
}

func TestSampleLimitsFileRunsAlone(t *testing.T) {
	cmd, url := serving(t, "--drain-delay=0s", "--limits", filepath.Join("..", "..", "config", "samples", "limits.yaml"))
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	code, header, body, err := fetch(client, url+"/hello")
	if err != nil || code != 200 || header.Get("RateLimit") == "" {
		t.Errorf("%d %v %s, %v", code, header, body, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit 0", err)
	}
}

// The first signal drains, however long that takes; the second ends at once.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	cmd, url := serving(t, "--drain-delay=1h")
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it drains", func() bool {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.Close
	})
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	eventually(t, "it ended", func() bool {
		// More than once, since the first may come before the handler is gone.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err == nil {
				t.Error("it ended as if it had drained")
			}
			return true
		default:
			return false
		}
	})
}
