package config

import "reflect"

// Validate checks a File that was built in Go, where zero values stand for
// defaults, against the rules that [Parse] applies. The error is an
// [*InvalidError] without lines.
func Validate(f *File) error {
	_, err := validated(f)
	return err
}

// validated returns f with its defaults, when it is valid.
func validated(f *File) (*File, error) {
	full, found := f.withDefaults(), newProblems()
	found.walk(reflect.ValueOf(full).Elem(), "", shape{}, "")
	crossCheck(found, full)
	if err := found.err(); err != nil {
		return nil, err
	}
	return full, nil
}

// walk checks every field's shape in a File that has its defaults.
func (p *problems) walk(v reflect.Value, path string, s shape, name string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			p.walk(v.Elem(), path, s, name)
		}
	case reflect.Struct:
		for i, f := range fieldsOf(v.Type()) {
			p.walk(v.Field(i), join(path, f.name), shapes[f.shape], f.shape)
		}
	case reflect.Slice:
		s.checkCount(p, path, v.Len())
		for i := 0; i < v.Len() && p.clean(path); i++ {
			p.walk(v.Index(i), item(path, i), shapes[name+"[]"], name+"[]")
		}
	case reflect.String:
		p.walkText(path, v.String(), s)
	default:
		s.checkNumber(p, path, v.Int())
	}
}

func (p *problems) walkText(path, text string, s shape) {
	switch {
	case text != "" || (s.required && len(s.oneOf) > 0):
		s.checkText(p, path, text)
	case s.required:
		p.add(path, "is missing", s.remedy(path))
	}
}
