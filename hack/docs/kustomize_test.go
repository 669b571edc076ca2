package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubectl is the one that the controller tests' binaries come with, or else the
// machine's own.
func kubectl(t *testing.T) string {
	t.Helper()
	if beside := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"); filepath.IsAbs(beside) {
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	path, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("no kubectl; make test brings one")
	}
	return path
}

func build(t *testing.T, folder string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), kubectl(t), "kustomize", folder)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl kustomize %s: %v\n%s", folder, err, out)
	}
	return string(out)
}

// What users install builds and holds the operator and all that it needs.
func TestDefaultBuilds(t *testing.T) {
	manifests := build(t, filepath.Join(root, "config", "default"))
	for _, kind := range []string{
		"Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding",
		"Role", "RoleBinding", "Deployment", "Service", "NetworkPolicy",
	} {
		if !strings.Contains("\n"+manifests, "\nkind: "+kind+"\n") {
			t.Errorf("config/default holds no %s", kind)
		}
	}
	for _, folder := range []string{"crd", "rbac", "manager", "network-policy"} {
		build(t, filepath.Join(root, "config", folder))
	}
}

// The overlay in config/README.md builds and takes effect.
func TestOverlayOfTheReadme(t *testing.T) {
	_, after, found := strings.Cut(read(t, "config/README.md"), "```yaml\n")
	overlay, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatal("config/README.md: no block of yaml")
	}
	folder := t.TempDir()
	config, err := filepath.Abs(filepath.Join(root, "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	// kustomize takes no absolute paths.
	relative, err := filepath.Rel(folder, config)
	if err != nil {
		t.Fatal(err)
	}
	const checkout = "../echo-operator/config/default"
	if !strings.Contains(overlay, checkout) {
		t.Fatalf("config/README.md: the overlay does not name %s", checkout)
	}
	write(t, filepath.Join(folder, "kustomization.yaml"), []byte(strings.Replace(overlay, checkout, relative, 1)))
	manifests := build(t, folder)
	for _, want := range []string{"image: registry.example.com/echo-operator/manager:v0.1.0", "--echo-image=registry.example.com/echo-operator/echo:v0.1.0"} {
		if !strings.Contains(manifests, want) {
			t.Errorf("the overlay of config/README.md does not give %s", want)
		}
	}
}

// Every sample policy is in the kustomization.
func TestSamplesAreListed(t *testing.T) {
	policies := 0
	files, err := filepath.Glob(filepath.Join(root, "config", "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(read(t, filepath.Join("config", "samples", filepath.Base(file))), "\nkind: RateLimitPolicy\n") {
			policies++
		}
	}
	built := strings.Count(build(t, filepath.Join(root, "config", "samples")), "\nkind: RateLimitPolicy\n")
	if policies == 0 || built != policies {
		t.Errorf("config/samples has %d policies and its kustomization %d; list every one in kustomization.yaml", policies, built)
	}
}
