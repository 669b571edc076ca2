package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kubeletSysctls are the kernel settings that the kubelet sets for the whole machine when it starts, and the
// values that it sets. They are put back, because a cluster that went away must leave nothing changed.
func kubeletSysctls() map[string]string {
	return map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	}
}

// saveSysctls notes the values from before the kubelet's first start.
func saveSysctls(file string) error {
	var b strings.Builder
	for key := range kubeletSysctls() {
		if value := readNote(filepath.Join("/proc/sys", key)); value != "" {
			fmt.Fprintf(&b, "%s %s\n", key, value)
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o600)
}

// sysctlsToRestore picks the settings that still have the kubelet's value and had another one before. One that
// somebody has changed since then is theirs.
func sysctlsToRestore(saved string, current func(key string) string) map[string]string {
	restore := map[string]string{}
	byKubelet := kubeletSysctls()
	for line := range strings.Lines(saved) {
		key, before, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, known := byKubelet[key]
		if known && before != value && current(key) == value {
			restore[key] = before
		}
	}
	return restore
}

func restoreSysctls(file string) error {
	current := func(key string) string { return readNote(filepath.Join("/proc/sys", key)) }
	var failed error
	for key, value := range sysctlsToRestore(readNote(file), current) {
		failed = errors.Join(failed, os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0))
	}
	return failed
}
