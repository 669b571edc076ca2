// Package crdtest stands in for the API server in tests: it admits or refuses a
// policy by the generated CRD, with the API server's own code for defaults,
// schema, list types and CEL rules, and without a server.
package crdtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// CRD is the generated CustomResourceDefinition.
type CRD struct {
	// Bytes is the manifest.
	Bytes []byte
	// Definition is the manifest as the API server sees it after its defaults.
	Definition *apiextensions.CustomResourceDefinition
	// Schema is the schema of v1alpha1.
	Schema *apiextensions.JSONSchemaProps

	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// Load reads the CRD from config/crd/bases.
func Load(t testing.TB) *CRD {
	t.Helper()
	c, err := load()
	if err != nil {
		t.Fatalf("the CRD cannot be loaded: %v", err)
	}
	return c
}

func load() (*CRD, error) {
	data, err := os.ReadFile(Path("config", "crd", "bases", "ratelimit.echo-operator.dev_ratelimitpolicies.yaml"))
	if err != nil {
		return nil, err
	}
	c := &CRD{Bytes: data, Definition: &apiextensions.CustomResourceDefinition{}}
	scheme, v1 := k8sruntime.NewScheme(), &apiextensionsv1.CustomResourceDefinition{}
	install.Install(scheme)
	if err := yaml.UnmarshalStrict(data, v1); err != nil {
		return nil, err
	}
	scheme.Default(v1)
	if err := scheme.Convert(v1, c.Definition, nil); err != nil {
		return nil, err
	}
	c.Definition.Status.StoredVersions = []string{v1alpha1.GroupVersion.Version}
	// The internal type keeps a schema that all versions share in one place.
	if c.Definition.Spec.Validation == nil {
		return nil, errors.New("there is no schema that all versions share")
	}
	c.Schema = c.Definition.Spec.Validation.OpenAPIV3Schema
	if c.structural, err = structuralschema.NewStructural(c.Schema); err != nil {
		return nil, err
	}
	c.rules = cel.NewValidator(c.structural, true, celconfig.PerCallLimit)
	c.validator, _, err = validation.NewSchemaValidator(c.Schema)
	return c, err
}

// Path is a path in the repository, wherever the test runs.
func Path(elements ...string) string {
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(here), "..", "..")
	return filepath.Join(append([]string{root}, elements...)...)
}

// Object parses a manifest as the API server does, whole numbers as integers.
func Object(t testing.TB, manifest []byte) map[string]any {
	t.Helper()
	object := map[string]any{}
	data, err := yaml.YAMLToJSONStrict(manifest)
	if err == nil {
		err = json.Unmarshal(data, &object)
	}
	if err != nil {
		t.Fatalf("the manifest is no YAML: %v", err)
	}
	return object
}

// Admit defaults the object in place and returns what the API server would have
// against creating it; nothing when it would be created. Unknown fields count,
// as they do for kubectl.
func (c *CRD) Admit(t testing.TB, object map[string]any) []string {
	t.Helper()
	var found []string
	options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, c.structural, true, options) {
		found = append(found, fmt.Sprintf("unknown field %q", path))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, c.structural)
	defaulting.Default(object, c.structural)
	errs := validation.ValidateCustomResource(nil, object, c.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, c.structural, object)...)
	if len(errs) == 0 {
		celErrs, _ := c.rules.Validate(t.Context(), nil, c.structural, object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, celErrs...)
	}
	for _, err := range errs {
		found = append(found, err.Error())
	}
	return found
}

// Policy parses a manifest, defaults it and gives it an identity, as the API
// server would. The test fails when it would be refused.
func (c *CRD) Policy(t testing.TB, manifest []byte) *v1alpha1.RateLimitPolicy {
	t.Helper()
	object := Object(t, manifest)
	if found := c.Admit(t, object); len(found) > 0 {
		t.Fatalf("the manifest is refused: %q", found)
	}
	p := &v1alpha1.RateLimitPolicy{}
	if err := k8sruntime.DefaultUnstructuredConverter.FromUnstructured(object, p); err != nil {
		t.Fatal(err)
	}
	p.Generation, p.UID = 1, "3f1c9a52-7d6e-4b0a-9a52-0c6e7d3f1c9a"
	if p.Namespace == "" {
		p.Namespace = "shop"
	}
	return p
}
