package desired

import (
	"errors"
	"fmt"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/echo/config"
)

// InvalidError says that a policy cannot be turned into objects. It is
// terminal: only another spec helps.
type InvalidError struct {
	// Reason is ReasonInvalidSpec or ReasonConfigTooLarge of package v1alpha1.
	Reason string
	// Message names the field, what is wrong with it and the way out. It holds no
	// override's values.
	Message string
}

// Error returns the reason and the message.
func (e *InvalidError) Error() string { return e.Reason + ": " + e.Message }

func invalidSpec(format string, args ...any) *InvalidError {
	return &InvalidError{Reason: v1alpha1.ReasonInvalidSpec, Message: fmt.Sprintf(format, args...)}
}

// fromConfig sorts an error of package config. A problem of the file as a whole
// is its size: every other one names a field.
func fromConfig(err error) error {
	var invalid *config.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	for _, problem := range invalid.Problems {
		if problem.Field == "" {
			return &InvalidError{Reason: v1alpha1.ReasonConfigTooLarge, Message: problem.Error()}
		}
	}
	return invalidSpec("spec: %s", invalid.Error())
}
