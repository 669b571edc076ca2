package httplimit

import (
	"errors"
	"fmt"
	"strings"
)

// A parser of the part of RFC 9651 that quota headers use, written from the RFC
// and sharing nothing with the encoder: lists of Strings with Integer parameters.

type sfItem struct {
	name   string
	params []sfParam
}

type sfParam struct {
	key   string
	value int64
}

func (i sfItem) param(key string) (int64, bool) {
	for _, p := range i.params {
		if p.key == key {
			return p.value, true
		}
	}
	return 0, false
}

// parseList is section 4.2.1.
func parseList(s string) ([]sfItem, error) {
	var items []sfItem
	s = strings.TrimLeft(s, " ")
	for s != "" {
		var item sfItem
		var err error
		if item.name, s, err = parseString(s); err != nil {
			return nil, err
		}
		if item.params, s, err = parseParams(s); err != nil {
			return nil, err
		}
		items = append(items, item)
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return items, nil
		}
		if s[0] != ',' {
			return nil, fmt.Errorf("expected a comma before %q", s)
		}
		if s = strings.TrimLeft(s[1:], " \t"); s == "" {
			return nil, errors.New("trailing comma")
		}
	}
	return items, nil
}

// parseString is section 4.2.5.
func parseString(s string) (value, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", s, fmt.Errorf("expected a string at %q", s)
	}
	var out []byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", s, errors.New("bad escape")
			}
			out = append(out, s[i])
		case c == '"':
			return string(out), s[i+1:], nil
		case c < 0x20 || c > 0x7e:
			return "", s, fmt.Errorf("byte %#x in a string", c)
		default:
			out = append(out, c)
		}
	}
	return "", s, errors.New("string without an end")
}

// parseParams is section 4.2.3.2 for Integer values.
func parseParams(s string) ([]sfParam, string, error) {
	var params []sfParam
	for strings.HasPrefix(s, ";") {
		s = strings.TrimLeft(s[1:], " ")
		n := strings.IndexFunc(s, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_-.*", r)
		})
		if n <= 0 || s[n] != '=' || s[0] >= '0' && s[0] <= '9' {
			return nil, s, fmt.Errorf("expected key=integer at %q", s)
		}
		key := s[:n]
		value, rest, err := parseInteger(s[n+1:])
		if err != nil {
			return nil, s, err
		}
		params, s = append(params, sfParam{key, value}), rest
	}
	return params, s, nil
}

// parseInteger is section 4.2.4 without decimals: at most 15 digits.
func parseInteger(s string) (value int64, rest string, err error) {
	sign := int64(1)
	if strings.HasPrefix(s, "-") {
		sign, s = -1, s[1:]
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		value = value*10 + int64(s[digits]-'0')
		if digits++; digits > 15 {
			return 0, s, errors.New("integer of more than 15 digits")
		}
	}
	if digits == 0 {
		return 0, s, fmt.Errorf("expected an integer at %q", s)
	}
	return sign * value, s[digits:], nil
}
