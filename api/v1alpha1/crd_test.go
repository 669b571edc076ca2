package v1alpha1_test

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

// maxCRDBytes is what client-side kubectl apply can still write into its annotation.
const maxCRDBytes = 262144

// maxCostShare is the part of the API server's budget for CEL that the rules
// may take together; above it a rule grew out of proportion.
const maxCostShare = 0.10

func crdFile(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "ratelimit.echo-operator.dev_ratelimitpolicies.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// loadCRD returns the CRD as the API server sees it after its own defaulting.
func loadCRD(t *testing.T) *apiextensions.CustomResourceDefinition {
	t.Helper()
	scheme := runtime.NewScheme()
	install.Install(scheme)
	v1 := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(crdFile(t), v1); err != nil {
		t.Fatal(err)
	}
	scheme.Default(v1)
	crd := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(v1, crd, nil); err != nil {
		t.Fatal(err)
	}
	crd.Status.StoredVersions = []string{"v1alpha1"}
	return crd
}

func loadSchema(t *testing.T) *apiextensions.JSONSchemaProps {
	t.Helper()
	crd := loadCRD(t)
	if crd.Spec.Validation != nil {
		return crd.Spec.Validation.OpenAPIV3Schema
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// TestCRDIsAccepted runs the API server's own validation of CRDs, its limits on
// the cost of CEL rules included.
func TestCRDIsAccepted(t *testing.T) {
	for _, err := range validation.ValidateCustomResourceDefinition(t.Context(), loadCRD(t)) {
		t.Error(err)
	}
	if size := len(crdFile(t)); size >= maxCRDBytes {
		t.Errorf("the CRD has %d bytes; kubectl apply takes fewer than %d", size, maxCRDBytes)
	}
}

// TestCELCost adds up what the API server would estimate for every rule.
func TestCELCost(t *testing.T) {
	schema := loadSchema(t)
	total, rules := costOf(t, schema, validation.RootCELContext(schema), "")
	share := float64(total) / validation.StaticEstimatedCRDCostLimit
	t.Logf("%d CEL rules cost %d, %.2f%% of the budget", rules, total, 100*share)
	if rules == 0 {
		t.Error("no CEL rule was found: the walk is broken")
	}
	if share > maxCostShare {
		t.Errorf("the CEL rules take %.1f%% of the budget, want at most %.0f%%", 100*share, 100*maxCostShare)
	}
}

func costOf(t *testing.T, s *apiextensions.JSONSchemaProps, ctx *validation.CELSchemaContext, path string) (cost uint64, rules int) {
	t.Helper()
	add := func(child *apiextensions.JSONSchemaProps, childCtx *validation.CELSchemaContext, name string) {
		c, n := costOf(t, child, childCtx, path+name)
		cost, rules = cost+c, rules+n
	}
	for name, property := range s.Properties {
		add(&property, ctx.ChildPropertyContext(&property, name), "."+name)
	}
	if s.Items != nil {
		add(s.Items.Schema, ctx.ChildItemsContext(s.Items.Schema), "[]")
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		add(s.AdditionalProperties.Schema, ctx.ChildAdditionalPropertiesContext(s.AdditionalProperties.Schema), "{}")
	}
	if len(s.XValidations) == 0 {
		return cost, rules
	}
	return cost + ownCost(t, ctx, path), rules + len(s.XValidations)
}

func ownCost(t *testing.T, ctx *validation.CELSchemaContext, path string) (cost uint64) {
	t.Helper()
	info, err := ctx.TypeInfo()
	if err != nil || info == nil {
		t.Fatalf("%s: no type information: %v", path, err)
	}
	env := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	results, err := cel.Compile(info.Schema, info.DeclType, celconfig.PerCallLimit, env, cel.StoredExpressionsEnvLoader())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i, result := range results {
		if result.Error != nil {
			t.Fatalf("%s: rule %d: %v", path, i, result.Error)
		}
		if ctx.MaxCardinality == nil {
			t.Fatalf("%s: rule %d lies under a list or map without a bound", path, i)
		}
		c := result.MaxCost * *ctx.MaxCardinality
		t.Logf("%9d %s %s", c, path, info.Schema.XValidations[i].Rule)
		cost += c
	}
	return cost
}

func structural(t *testing.T) *structuralschema.Structural {
	t.Helper()
	s, err := structuralschema.NewStructural(loadSchema(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
