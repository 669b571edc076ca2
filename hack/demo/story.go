package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

const (
	namespace    = "echo-demo"
	replicas     = 3
	stepDeadline = 2 * time.Minute
)

//go:embed policy.yaml
var policyYAML string

// story is the demo inside the cluster's network.
type story struct {
	*narrator
	kube   *harness.Kube
	policy types.NamespacedName
	pods   []corev1.Pod
}

// tell runs all steps, each with a deadline of its own. Whatever happens, the
// demo's namespace goes.
func tell(ctx context.Context, out io.Writer) (failed error) {
	kube, err := harness.Connect()
	if err != nil {
		return err
	}
	s := &story{
		narrator: &narrator{out: out}, kube: kube,
		policy: types.NamespacedName{Namespace: namespace, Name: "checkout"},
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepDeadline)
		defer cancel()
		if err := s.removeNamespace(clean); failed == nil {
			failed = err
		}
	}()
	for _, step := range []func(context.Context) error{
		s.begin, s.apply, s.spend, s.edit, s.refuse, s.outage, s.recover, s.remove,
	} {
		limited, cancel := context.WithTimeout(ctx, stepDeadline)
		err := step(limited)
		cancel()
		if err != nil {
			return fmt.Errorf("step %d: %w", s.step, err)
		}
	}
	s.say("\nThat was the whole job: every step was checked.")
	return nil
}

func (s *story) begin(ctx context.Context) error {
	s.title("The operator runs")
	if err := s.removeNamespace(ctx); err != nil { // of a demo that was killed
		return err
	}
	if _, err := s.kubectl(ctx, "", "-n", harness.OperatorNamespace, "get", "deployment", harness.OperatorDeployment); err != nil {
		return err
	}
	_, err := s.kubectl(ctx, "", "create", "namespace", namespace)
	return err
}

// await polls until check passes; the error is the last one.
func await(ctx context.Context, check func() error) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting: %w", err)
		case <-tick.C:
		}
	}
}

func (s *story) removeNamespace(ctx context.Context) error {
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := client.IgnoreNotFound(s.kube.Delete(ctx, object)); err != nil {
		return err
	}
	return await(ctx, func() error {
		err := s.kube.Get(ctx, client.ObjectKeyFromObject(object), object)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		return expectThat("namespace "+namespace+" to be gone", err != nil, "it still there")
	})
}
