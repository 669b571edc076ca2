package docs

import (
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// setting is what a program's --help says of one flag.
type setting struct{ variable, standard string }

// help runs a program of the module with --help.
func help(t *testing.T, program string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "run", program, "--help")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go run %s --help: %v\n%s", program, err, out)
	}
	return string(out)
}

var standardValue = regexp.MustCompile(`\(default "?(.*?)"?\)$`)

func standardOf(usage string) string {
	if found := standardValue.FindStringSubmatch(usage); found != nil {
		return found[1]
	}
	return ""
}

var echoFlag = regexp.MustCompile(`(?m)^  --([a-z-]+), (\w+)\n +(.*)$`)

// Every variable and flag of the echo is listed with its default, and nothing else is.
func TestEchoSettings(t *testing.T) {
	accepted := map[string]setting{}
	for _, found := range echoFlag.FindAllStringSubmatch(help(t, "./cmd/echo"), -1) {
		accepted["--"+found[1]] = setting{variable: found[2], standard: standardOf(found[3])}
	}
	listed := map[string]setting{}
	for _, r := range table(t, "| variable | flag | default | meaning |") {
		listed[strings.Trim(r[1], "`")] = setting{variable: strings.Trim(r[0], "`"), standard: strings.Trim(r[2], "`")}
	}
	compare(t, "cmd/echo", accepted, listed)
}

var managerFlag = regexp.MustCompile(`(?m)^  -([a-z-]+)(?: \w+)?\n +\t(.*)$`)

// Every flag of the manager is listed with its default, and nothing else is.
func TestManagerFlags(t *testing.T) {
	listed := map[string]setting{}
	for _, r := range table(t, "| flag | default | meaning |") {
		listed[strings.Trim(r[0], "`")] = setting{standard: strings.Trim(r[1], "`")}
	}
	compare(t, "cmd/manager", managerFlags(t), listed)
}

func managerFlags(t *testing.T) map[string]setting {
	t.Helper()
	accepted := map[string]setting{}
	for _, found := range managerFlag.FindAllStringSubmatch(help(t, "./cmd/manager"), -1) {
		accepted["--"+found[1]] = setting{standard: standardOf(found[2])}
	}
	return accepted
}

func compare(t *testing.T, program string, accepted, listed map[string]setting) {
	t.Helper()
	if len(accepted) < 10 {
		t.Fatalf("only %d flags found in the help of %s: the test does not understand it any more", len(accepted), program)
	}
	for _, name := range slices.Sorted(maps.Keys(accepted)) {
		if has, ok := listed[name]; !ok {
			t.Errorf("README.md does not list %s %s of %s; add a row under Settings", name, accepted[name].variable, program)
		} else if has != accepted[name] {
			t.Errorf("README.md says of %s %+v, %s says %+v", name, has, program, accepted[name])
		}
	}
	for name := range listed {
		if _, ok := accepted[name]; !ok {
			t.Errorf("README.md lists %s, which %s does not accept; remove or rename it", name, program)
		}
	}
}

// The arguments in the manager's manifest are flags that it accepts.
func TestManifestsArguments(t *testing.T) {
	accepted := managerFlags(t)
	used := regexp.MustCompile(`(?m)^ +- (--[a-z-]+)`).FindAllStringSubmatch(read(t, "config/manager/manager.yaml"), -1)
	if len(used) == 0 {
		t.Fatal("config/manager/manager.yaml: no arguments found")
	}
	for _, argument := range used {
		if _, ok := accepted[argument[1]]; !ok {
			t.Errorf("config/manager/manager.yaml: %s is no flag of cmd/manager", argument[1])
		}
	}
}
