package docs

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"

	"github.com/echo-operator/echo-operator/api/crdtest"
)

// field is one field of the CRD. Lists end in [], and maps are not gone into.
type field struct {
	schema   *apiextensions.JSONSchemaProps
	required bool
	leaf     bool
}

// conditions have Kubernetes' own type, which needs no description here.
const conditions = "status.conditions[]"

// fields returns all that spec and status hold, by path.
func fields(t *testing.T) map[string]field {
	t.Helper()
	all := map[string]field{}
	schema := crdtest.Load(t).Schema
	for _, top := range []string{"spec", "status"} {
		properties := schema.Properties[top]
		collect(top, &properties, all)
	}
	if len(all) < 50 {
		t.Fatalf("only %d fields found: the walk is broken", len(all))
	}
	return all
}

func collect(parent string, s *apiextensions.JSONSchemaProps, into map[string]field) {
	required := map[string]bool{}
	for _, name := range s.Required {
		required[name] = true
	}
	for name, child := range s.Properties {
		path, inner := parent+"."+name, &child
		if child.Type == "array" {
			path, inner = path+"[]", child.Items.Schema
		}
		leaf := len(inner.Properties) == 0 || path == conditions
		into[path] = field{schema: &child, required: required[name], leaf: leaf}
		if !leaf {
			collect(path, inner, into)
		}
	}
}

// paths are the fields of a row's first cell. After the first, one that begins
// with a dot has the first's parent.
func (r row) paths() []string {
	texts := r.code(0)
	for i := range texts {
		if strings.HasPrefix(texts[i], ".") {
			texts[i] = texts[0][:strings.LastIndex(texts[0], ".")] + texts[i]
		}
	}
	return texts
}

const (
	specHeader   = "| field | default | meaning |"
	statusHeader = "| status field | meaning |"
)

// Every field of the CRD is described, and every described field exists.
func TestFieldsAreDescribed(t *testing.T) {
	all := fields(t)
	described := map[string]bool{}
	for _, r := range append(table(t, specHeader), table(t, statusHeader)...) {
		for _, path := range r.paths() {
			described[path] = true
			if _, exists := all[path]; !exists {
				t.Errorf("README.md describes %s, which the CRD does not have; remove or rename it", path)
			}
		}
	}
	for path, f := range all {
		if f.leaf && !described[path] {
			t.Errorf("README.md does not describe %s; add a row to the table of fields", path)
		}
	}
}

// The defaults are the CRD's. Inside lists the CRD has none; there the README
// tells package config's, which TestDefaultsInsideRules holds.
func TestFieldDefaults(t *testing.T) {
	all := fields(t)
	for _, r := range table(t, specHeader) {
		for _, path := range r.paths() {
			f := all[path]
			if f.schema == nil {
				continue // TestFieldsAreDescribed tells
			}
			if f.required != (r[1] == "required") {
				t.Errorf("%s: README.md says default %s, and the CRD says required=%t", path, r[1], f.required)
			}
			if want := defaultText(f.schema); want != "" && r[1] != want {
				t.Errorf("%s: README.md says default %s, the CRD says %s", path, r[1], want)
			}
		}
	}
}

// defaultText is a default as the table shows it; empty without one that can be shown.
func defaultText(s *apiextensions.JSONSchemaProps) string {
	if s.Default == nil {
		return ""
	}
	switch value := (*s.Default).(type) {
	case map[string]any:
		return ""
	case []any:
		texts := make([]string, len(value))
		for i := range value {
			texts[i] = fmt.Sprintf("`%v`", value[i])
		}
		return strings.Join(texts, ", ")
	default:
		return fmt.Sprintf("`%v`", value)
	}
}

// Every value of an enumeration is named in its field's row.
func TestEnumerationsAreComplete(t *testing.T) {
	all := fields(t)
	for _, r := range table(t, specHeader) {
		for _, path := range r.paths() {
			s := all[path].schema
			if s == nil {
				continue // TestFieldsAreDescribed tells
			}
			if s.Type == "array" {
				s = s.Items.Schema
			}
			for _, value := range s.Enum {
				if text := fmt.Sprintf("`%v`", value); !strings.Contains(r[1]+r[2], text) {
					t.Errorf("%s: README.md does not name the value %s; add it to the row", path, text)
				}
			}
		}
	}
}
