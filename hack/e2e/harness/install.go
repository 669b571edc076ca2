package harness

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// OperatorNamespace is where the manifests that users install put the operator.
	OperatorNamespace = "echo-operator-system"
	// OperatorDeployment is the operator's Deployment there.
	OperatorDeployment = "echo-operator"
	// Overlay only exchanges the images of the manifests that users install.
	Overlay = "hack/e2e/overlay"

	installDeadline = 3 * time.Minute
)

// install applies the manifests that users install and waits for the operator.
func (c *Cluster) install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, installDeadline)
	defer cancel()
	c.say("installing the operator: kubectl apply --server-side -k %s", Overlay)
	// A cluster that was joined may have had its fields written by kubectl edit or the like.
	if err := c.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", Overlay); err != nil {
		return err
	}
	if err := c.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s",
		"crd/ratelimitpolicies.ratelimit.echo-operator.dev"); err != nil {
		return err
	}
	deployment := "deployment/" + OperatorDeployment
	if c.joined {
		// The image's name is the same as before, what is behind it is new.
		if err := c.kubectl(ctx, "-n", OperatorNamespace, "rollout", "restart", deployment); err != nil {
			return err
		}
	}
	c.say("waiting for the operator")
	if err := c.kubectl(ctx, "-n", OperatorNamespace, "rollout", "status", "--timeout=120s", deployment); err != nil {
		return fmt.Errorf("the operator did not become ready: %w", err)
	}
	return nil
}

// kubectl runs quietly: what it says is shown when it fails.
func (c *Cluster) kubectl(ctx context.Context, args ...string) error {
	text, err := c.Command(ctx, "kubectl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return nil
}
