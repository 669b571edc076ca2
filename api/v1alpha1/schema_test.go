package v1alpha1_test

import (
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"

	"github.com/echo-operator/echo-operator/api/crdtest"
)

// TestNoDefaultInsideListItems: a default in a list's item makes GitOps tools
// show a difference for ever, for they compare list items as a whole.
func TestNoDefaultInsideListItems(t *testing.T) {
	seen := 0
	eachNode(crdtest.Load(t).Schema, "", func(path string, s *apiextensions.JSONSchemaProps) {
		seen++
		if s.Default != nil && strings.Contains(path, "[]") {
			t.Errorf("%s has a default; default it in package config instead", path)
		}
	})
	if seen < 100 {
		t.Errorf("only %d fields were looked at: the walk is broken", seen)
	}
}

// TestEverythingIsBounded: without bounds on lists, maps and strings the API
// server refuses CEL rules as too costly, and a policy may grow without end.
func TestEverythingIsBounded(t *testing.T) {
	eachNode(crdtest.Load(t).Schema, "", func(path string, s *apiextensions.JSONSchemaProps) {
		switch {
		case outOfReach(path):
		case s.Type == "array" && s.MaxItems == nil:
			t.Errorf("%s: a list without maxItems", path)
		case s.Type == "object" && s.AdditionalProperties != nil && s.MaxProperties == nil:
			t.Errorf("%s: a map without maxProperties", path)
		case s.Type == "string" && s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time":
			t.Errorf("%s: a string without maxLength or enum", path)
		case s.Type == "integer" && (s.Minimum == nil || s.Maximum == nil) && !openInteger(path):
			t.Errorf("%s: an integer without minimum or maximum", path)
		}
	})
}

// TestListsSayHowTheyMerge: a list without a type is replaced as a whole by
// server-side apply, whether that suits it or not.
func TestListsSayHowTheyMerge(t *testing.T) {
	eachNode(crdtest.Load(t).Schema, "", func(path string, s *apiextensions.JSONSchemaProps) {
		if s.Type == "array" && s.XListType == nil {
			t.Errorf("%s: no list type; say map, set or atomic", path)
		}
	})
}

// TestEveryRuleHasAMessage: the default message repeats the CEL expression.
func TestEveryRuleHasAMessage(t *testing.T) {
	eachNode(crdtest.Load(t).Schema, "", func(path string, s *apiextensions.JSONSchemaProps) {
		for _, rule := range s.XValidations {
			what, wayOut, found := strings.Cut(rule.Message, "; ")
			if !found || what == "" || wayOut == "" {
				t.Errorf("%s: the message %q does not say what is wrong; and the way out", path, rule.Message)
			}
			if strings.Contains(rule.Rule, "values") {
				t.Errorf("%s: a rule reads values, which makes it too costly", path)
			}
		}
	})
}

// outOfReach are the parts of the schema that others define.
func outOfReach(path string) bool {
	return path == ".apiVersion" || path == ".kind" || strings.HasPrefix(path, ".metadata") ||
		strings.HasPrefix(path, ".status.conditions[]")
}

// openInteger are numbers whose bound is their type's.
func openInteger(path string) bool {
	return strings.HasPrefix(path, ".status.") || strings.HasSuffix(path, ".tolerationSeconds")
}

func eachNode(s *apiextensions.JSONSchemaProps, path string, visit func(string, *apiextensions.JSONSchemaProps)) {
	visit(path, s)
	for name, property := range s.Properties {
		eachNode(&property, path+"."+name, visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		eachNode(s.Items.Schema, path+"[]", visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		eachNode(s.AdditionalProperties.Schema, path+"{}", visit)
	}
}
