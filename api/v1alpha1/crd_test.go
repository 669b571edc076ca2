package v1alpha1_test

import (
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/echo-operator/echo-operator/api/crdtest"
)

// maxCRDBytes is what client-side kubectl apply can still write into its annotation.
const maxCRDBytes = 262144

// maxCostShare is the part of the API server's budget for CEL that the rules
// may take together; above it a rule grew out of proportion.
const maxCostShare = 0.05

// TestCRDIsAccepted runs the API server's own validation of CRDs, its limits on
// the cost of CEL rules included.
func TestCRDIsAccepted(t *testing.T) {
	crd := crdtest.Load(t)
	for _, err := range validation.ValidateCustomResourceDefinition(t.Context(), crd.Definition) {
		t.Error(err)
	}
	if size := len(crd.Bytes); size >= maxCRDBytes {
		t.Errorf("the CRD has %d bytes; kubectl apply takes fewer than %d", size, maxCRDBytes)
	}
}

// TestCELCost adds up what the API server would estimate for every rule.
func TestCELCost(t *testing.T) {
	schema := crdtest.Load(t).Schema
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
