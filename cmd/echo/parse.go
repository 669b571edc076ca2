package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/echo-operator/echo-operator/echo/httpserver"
	"github.com/echo-operator/echo-operator/echo/limiter/redisstore"
)

const envPrefix = "ECHO_"

// errVersion and errHelp end a start that was no more than a question.
var (
	errVersion = errors.New("version asked for")
	errHelp    = flag.ErrHelp
)

// announced are settings of the contract that this release does not have yet, and
// why a value for one is refused.
var announced = map[string]string{
	"ECHO_GRPC_ADDR": "gRPC is not served by this release; remove the variable",
}

// ParseConfig reads flags and environment (as os.Environ gives it); a flag beats
// its variable, and an empty variable counts as absent. The error names every
// setting that cannot be used, or is errVersion or errHelp.
func ParseConfig(args, environ []string) (Config, error) {
	all := settings()
	var c Config
	for i := range all {
		if all[i].standard == "" {
			continue
		}
		if err := all[i].apply(&c, "default of --"+all[i].flag, all[i].standard); err != nil {
			return c, err
		}
	}
	errs := []error{fromEnvironment(&c, all, environ)}
	if err := fromFlags(&c, all, args); errors.Is(err, errVersion) || errors.Is(err, errHelp) {
		return c, err
	} else if err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return c, err
	}
	return c, c.validate()
}

func fromEnvironment(c *Config, all []setting, environ []string) error {
	known := make(map[string]*setting, len(all))
	names := make([]string, 0, len(all))
	for i := range all {
		known[all[i].variable()] = &all[i]
		names = append(names, all[i].variable())
	}
	var errs []error
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		if s, ok := known[name]; ok && value != "" {
			errs = append(errs, s.apply(c, name, value))
		} else if !ok && strings.HasPrefix(name, envPrefix) && !isServiceLink(name, value) {
			errs = append(errs, unknownVariable(name, names))
		}
	}
	return errors.Join(errs...)
}

func unknownVariable(name string, names []string) error {
	if why, ok := announced[name]; ok {
		return fmt.Errorf("%s: %s", name, why)
	}
	if meant := nearest(name, names); meant != "" {
		return fmt.Errorf("%s: unknown variable; did you mean %s?", name, meant)
	}
	return fmt.Errorf("%s: unknown variable; --help lists all, remove this one", name)
}

func fromFlags(c *Config, all []setting, args []string) error {
	fs := flag.NewFlagSet("echo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	names := []string{"version", "help"}
	var errs []error
	for i := range all {
		s := &all[i]
		names = append(names, s.flag)
		// Collected rather than returned: the flag package would print the value,
		// which can be a secret, and stop at the first.
		set := func(value string) error {
			if err := s.apply(c, "--"+s.flag, value); err != nil {
				errs = append(errs, err)
			}
			return nil
		}
		if s.boolean {
			fs.BoolFunc(s.flag, s.usage, set)
		} else {
			fs.Func(s.flag, s.usage, set)
		}
	}
	version := fs.Bool("version", false, "")
	if err := fs.Parse(args); err != nil {
		return errors.Join(append(errs, flagError(err, names))...)
	}
	if fs.NArg() > 0 {
		errs = append(errs, fmt.Errorf("%q: unexpected argument; settings are flags such as --limits FILE", fs.Arg(0)))
	}
	if *version {
		return errVersion
	}
	return errors.Join(errs...)
}

// flagError adds what was probably meant.
func flagError(err error, names []string) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	if meant := nearest(strings.TrimPrefix(name, "-"), names); meant != "" {
		return fmt.Errorf("--%s: unknown flag; did you mean --%s?", name, meant)
	}
	return fmt.Errorf("--%s: unknown flag; --help lists all", name)
}

// validate checks what single settings cannot know.
func (c *Config) validate() error {
	var errs []error
	if c.LimitsFile != "" && c.Limit != (LimitSettings{}) {
		errs = append(errs, errors.New("ECHO_LIMITS_FILE (--limits) and ECHO_LIMIT_... (--limit-...) are both set; choose one"))
	}
	if c.Redis.Mode == redisstore.Sentinel && c.Redis.MasterName == "" {
		errs = append(errs, errors.New("ECHO_REDIS_MASTER_NAME: must be set with ECHO_REDIS_MODE=Sentinel"))
	}
	if c.Redis.Mode != redisstore.Standalone && !c.usesRedis() {
		errs = append(errs, fmt.Errorf("ECHO_REDIS_ADDRS: must be set with ECHO_REDIS_MODE=%s; write host:port,host:port", c.Redis.Mode))
	}
	var field *httpserver.FieldError
	if err := c.HTTP.Validate(); errors.As(err, &field) {
		errs = append(errs, fmt.Errorf("%s: %s", variableOf(field.Field), field.Problem))
	}
	return errors.Join(errs...)
}

// variableOf turns MaxBodyBytes into ECHO_MAX_BODY_BYTES.
func variableOf(field string) string {
	var name strings.Builder
	for i, r := range field {
		if i > 0 && r >= 'A' && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return envPrefix + strings.ToUpper(name.String())
}

// usage lists every setting with its variable and standard value.
func usage() string {
	var text strings.Builder
	text.WriteString("echo answers HTTP requests with what it received, within rate limits.\n\nUsage: echo [flags]\n\n")
	for _, s := range settings() {
		text.WriteString("  --" + s.flag + ", " + s.variable() + "\n        " + s.usage)
		if s.standard != "" {
			text.WriteString(" (default " + s.standard + ")")
		}
		text.WriteByte('\n')
	}
	text.WriteString("  --version\n        print the version and end\n")
	return text.String()
}
