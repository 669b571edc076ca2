package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// setting is one thing that a user can choose, by a flag or an environment variable.
type setting struct {
	// flag is the flag's name; env the variable's, ECHO_ and the flag's name where empty.
	flag, env string
	// standard is the value without a choice.
	standard string
	usage    string
	boolean  bool
	// secret values are left out of errors.
	secret bool
	set    func(c *Config, value string) error
}

func (s *setting) variable() string {
	if s.env != "" {
		return s.env
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.flag, "-", "_"))
}

// apply sets the value that came from where (a flag or a variable).
func (s *setting) apply(c *Config, where, value string) error {
	err := s.set(c, value)
	switch {
	case err == nil:
		return nil
	case s.secret:
		return fmt.Errorf("%s: %w", where, err)
	}
	return fmt.Errorf("%s: got %q; %w", where, value, err)
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = value
		return nil
	}
}

func list(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = nil
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				*field(c) = append(*field(c), item)
			}
		}
		return nil
	}
}

func duration(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return errors.New("write a duration that is not below 0, such as 500ms, 5s or 2m")
		}
		*field(c) = d
		return nil
	}
}

func number(field func(*Config) *int64, least, most int64) func(*Config, string) error {
	return func(c *Config, value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < least || n > most {
			return fmt.Errorf("write a whole number from %d to %d", least, most)
		}
		*field(c) = n
		return nil
	}
}

func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("write true or false")
		}
		*field(c) = b
		return nil
	}
}
