package harness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

const collectDeadline = time.Minute

// collect writes what the cluster says about itself into a directory that stays,
// also when ctx has ended.
func (c *Cluster) collect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), collectDeadline)
	defer cancel()
	dir, err := os.MkdirTemp("", "echo-operator-failure-")
	if err != nil {
		return err
	}
	logs := []string{"-n", OperatorNamespace, "logs", "--prefix", "--tail=20000", "deployment/" + OperatorDeployment}
	var failed error
	for file, args := range map[string][]string{
		"operator.log":          logs,
		"operator-previous.log": append(logs, "--previous"),
		"objects.txt":           {"get", "all,configmaps,ratelimitpolicies", "-A", "-o", "wide"},
		"policies.yaml":         {"get", "ratelimitpolicies", "-A", "-o", "yaml"},
		"events.txt":            {"get", "events", "-A", "--sort-by=.lastTimestamp"},
		"policies.txt":          {"describe", "ratelimitpolicies", "-A"},
		"pods.txt":              {"describe", "pods", "-A"},
	} {
		// Some of these fail by their nature, as when nothing was installed; the text says so.
		text, _ := c.Command(ctx, "kubectl", args...).CombinedOutput()
		failed = errors.Join(failed, os.WriteFile(filepath.Join(dir, file), text, 0o600))
	}
	c.say("what the cluster says is in %s", dir)
	return failed
}
