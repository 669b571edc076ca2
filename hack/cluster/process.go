package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// markerVariable is in the environment of every process that belongs to a cluster. It is inherited by the shims
// that containerd starts, and finds what a killed `up` had no time to write down.
const markerVariable = "ECHO_OPERATOR_CLUSTER"

// process is a process as it was when it was started. An id alone is not enough: the kernel gives it out again.
type process struct {
	name    string
	pid     int
	started uint64 // clock ticks after boot, from /proc/PID/stat
}

// started is a component that this very run started.
type started struct {
	process
	log string
}

// launch starts a component in the cluster's network namespace, detached from the terminal, and writes it down.
// nsenter and not `ip netns exec`: that one mounts /sys anew, which hides the cgroups from the kubelet.
func (r runDir) launch(name string, args ...string) (*started, error) {
	log, err := os.OpenFile(r.log(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("nsenter", append([]string{"--net=" + r.netns(), "--"}, args...)...)
	cmd.Env = r.environment(markerVariable + "=" + r.root)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	s := &started{process: process{name: name, pid: cmd.Process.Pid}, log: r.log(name)}
	// Before Wait can reap it the id is certainly still this process's.
	_, s.started, err = readStat(s.pid)
	go func() { _ = cmd.Wait() }() // or it would stay a zombie until this program ends
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return s, r.remember(s.process)
}

// environment is what components, and commands that run inside the cluster, find around them.
func (r runDir) environment(extra ...string) []string {
	path := r.path("bin") + ":" + os.Getenv("PATH")
	own := append([]string{"PATH=" + path, "KUBECONFIG=" + r.kubeconfig(), "KUBECACHEDIR=" + r.path("kubectl-cache")}, extra...)
	return overlay(os.Environ(), own...)
}

// overlay sets variables in an environment. A name must not stand in it twice: programs differ in which one counts.
func overlay(environ []string, set ...string) []string {
	names := map[string]bool{}
	for _, entry := range set {
		name, _, _ := strings.Cut(entry, "=")
		names[name] = true
	}
	result := make([]string, 0, len(environ)+len(set))
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !names[name] {
			result = append(result, entry)
		}
	}
	return append(result, set...)
}

func (r runDir) remember(p process) error {
	f, err := os.OpenFile(r.path("processes"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(p.record())
	return errors.Join(err, f.Close())
}

// recorded gives the processes in the order in which they were started.
func (r runDir) recorded() []process {
	text, err := os.ReadFile(r.path("processes"))
	if err != nil {
		return nil // none was started yet
	}
	return parseRecords(string(text))
}

func (p process) record() string {
	return fmt.Sprintf("%d %d %s\n", p.pid, p.started, p.name)
}

// parseRecords skips a line that it cannot read: a killed `up` may have left one half written, and the process
// behind it is found by its marker.
func parseRecords(text string) []process {
	var all []process
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || !strings.HasSuffix(line, "\n") {
			continue
		}
		pid, badPid := strconv.Atoi(fields[0])
		ticks, badTicks := strconv.ParseUint(fields[1], 10, 64)
		if badPid != nil || badTicks != nil || pid <= 1 {
			continue
		}
		all = append(all, process{name: fields[2], pid: pid, started: ticks})
	}
	return all
}

// alive is true while the very process that was recorded runs. One that ended and waits to be reaped does not.
func (p process) alive() bool {
	state, ticks, err := readStat(p.pid)
	return err == nil && ticks == p.started && state != 'Z' && state != 'X'
}

func readStat(pid int) (state byte, ticks uint64, err error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(string(text))
}

// parseStat reads the state and the start time, fields 3 and 22. Field 2, the command's name, stands in
// parentheses and may hold spaces and parentheses itself, so the fields are counted from its end.
func parseStat(text string) (state byte, ticks uint64, err error) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return 0, 0, fmt.Errorf("process status without a command name: %q", text)
	}
	fields := strings.Fields(text[end+1:])
	const stateField, ticksField = 0, 19
	if len(fields) <= ticksField {
		return 0, 0, fmt.Errorf("process status of only %d fields: %q", len(fields), text)
	}
	ticks, err = strconv.ParseUint(fields[ticksField], 10, 64)
	return fields[stateField][0], ticks, err
}
