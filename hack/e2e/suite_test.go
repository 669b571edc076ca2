package e2e

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/echo-operator/echo-operator/hack/e2e/harness"
)

// floodFor is how long the test of the shared bucket floods it.
var floodFor = flag.Duration("flood", 10*time.Second, "how long the test of the shared bucket offers ten times the limit")

// kube and recorder are set once, before the first case.
var (
	kube     *harness.Kube
	recorder *harness.Recorder
)

// specDeadline ends a case that hangs; each wait in it has a deadline of its own.
const specDeadline = NodeTimeout(6 * time.Minute)

func TestE2E(t *testing.T) {
	if os.Getenv(harness.GuardVariable) != "1" {
		t.Skip("needs a cluster that it may do anything with: run `make e2e`, which brings one up and sets " + harness.GuardVariable + "=1")
	}
	RegisterFailHandler(Fail)
	log.SetLogger(logr.Discard()) // the watches' own news would hide the cases'
	SetDefaultEventuallyTimeout(90 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(3 * time.Second)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "echo-operator on a real cluster")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	kube, err = harness.Connect()
	Expect(err).NotTo(HaveOccurred())
	recorder, err = kube.Record(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(recorder.Stop)
}, NodeTimeout(time.Minute))

// Every status that the operator wrote in the whole run is judged, also those
// that no case looked at.
var _ = AfterSuite(func() {
	if recorder == nil {
		return
	}
	statuses, findings := recorder.Findings()
	GinkgoWriter.Printf("%d statuses were seen\n", statuses)
	Expect(findings).To(BeEmpty(), "statuses that must not be written:\n%s", strings.Join(findings, "\n"))
})
