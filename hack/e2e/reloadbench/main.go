// Command reloadbench edits a policy over and over on a real cluster and times
// how long each edit takes until status says that all pods enforce it. It does
// not take status at its word: at that moment it asks every pod.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

const (
	replicas      = 3
	readyDeadline = 2 * time.Minute
	clientKey     = "bench"
	// goalSeconds is what design and README promise.
	goalSeconds = 1.0
)

func main() {
	edits := flag.Int("edits", 200, "how many edits")
	between := harness.SpreadOut()
	flag.DurationVar(&between.Least, "least-pause", between.Least, "the shortest time from an enforced edit to the next")
	flag.DurationVar(&between.Most, "most-pause", between.Most, "the longest")
	check := flag.Bool("check", false, "exit 1 when a goal is missed")
	flag.Parse()
	if between.Least < 0 || between.Most < between.Least || *edits < 1 {
		fmt.Fprintln(os.Stderr, "reloadbench: expected --edits of at least 1 and 0 <= --least-pause <= --most-pause")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, os.Stdout, *edits, between, *check)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "reloadbench: %v\n", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, out io.Writer, edits int, between harness.Pauses, check bool) (failed error) {
	kube, err := harness.Connect()
	if err != nil {
		return err
	}
	settings, err := kube.KubeletReload(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "kubelet: syncFrequency %s, configMapAndSecretChangeDetectionStrategy %s\n",
		settings.SyncFrequency, settings.ConfigMapAndSecretChangeDetectionStrategy)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-reload-"}}
	if err := kube.Create(ctx, namespace); err != nil {
		return err
	}
	defer func() {
		failed = errors.Join(failed, client.IgnoreNotFound(kube.Delete(context.WithoutCancel(ctx), namespace)))
	}()
	r := &run{kube: kube, key: types.NamespacedName{Namespace: namespace.Name, Name: "bench"}, out: out, pauses: between}
	if err := r.start(ctx); err != nil {
		return err
	}
	defer r.follower.Stop()
	if err := r.edit(ctx, edits); err != nil {
		return err
	}
	return r.report(check)
}
