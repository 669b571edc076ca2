package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

const (
	// RedisOperatorUser is the managed instance's user for the operator.
	RedisOperatorUser = "operator"
	// OperatorPasswordKey is the key of its password; pods never mount it.
	OperatorPasswordKey = "operator-password"

	// usersKey is the key of the instance's list of users, hashes only.
	usersKey = "users.acl"
	// versionDigits is how much of a password's hash the pods tell at /configz.
	versionDigits = 12
)

// RedisPasswords are the passwords that the managed instance accepts. The
// caller makes them; each must be a random text without spaces.
type RedisPasswords struct {
	Operator string
	// Echo is the pods' password.
	Echo string
	// Previous, during a rotation, is accepted as well; empty otherwise.
	Previous string
}

// RedisSecretData is the data of the managed instance's Secret. The passwords
// of the pods and the operator lie under keys of their own; the list of users
// that the instance mounts has hashes only.
func RedisSecretData(p RedisPasswords) map[string][]byte {
	users := []string{
		"user default reset off",
		"user " + RedisEchoUser + " " + strings.Join(RedisEchoRules(p), " "),
		"user " + RedisOperatorUser + " " + strings.Join(redisOperatorRules(p), " "),
	}
	return map[string][]byte{
		PasswordKey:         []byte(p.Echo),
		OperatorPasswordKey: []byte(p.Operator),
		usersKey:            []byte(strings.Join(users, "\n") + "\n"),
	}
}

// RedisEchoRules are the rules of the pods' user, as ACL SETUSER takes them:
// its buckets, and the commands that decisions need. They begin with a reset, so
// that setting them twice, or after others, gives the same user.
func RedisEchoRules(p RedisPasswords) []string {
	rules := []string{"reset", "on", passwordRule(p.Echo)}
	if p.Previous != "" {
		rules = append(rules, passwordRule(p.Previous))
	}
	return append(rules, "~rl:*",
		"+evalsha", "+eval", "+script|load", "+mget", "+get", "+set", "+time", "+ping")
}

// redisOperatorRules let the operator rotate the pods' password and read the
// instance's statistics, and touch no key.
func redisOperatorRules(p RedisPasswords) []string {
	return []string{"reset", "on", passwordRule(p.Operator), "+acl|setuser", "+info", "+ping"}
}

// passwordRule accepts a password by its SHA-256, so that no file or command
// holds the password itself.
func passwordRule(password string) string { return "#" + passwordHash(password) }

func passwordHash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

// CredentialsVersion is what pods that use the password tell as
// credentialsVersion at /configz; empty without a password.
func CredentialsVersion(password string) string {
	if password == "" {
		return ""
	}
	return passwordHash(password)[:versionDigits]
}

// RedisSecret is the managed instance's Secret, to be created once. It is no
// apply configuration: passwords must never be rendered again.
func RedisSecret(in RedisInputs, passwords RedisPasswords) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:            RedisName,
			Namespace:       in.Namespace,
			Labels:          redisLabels(),
			OwnerReferences: RedisOwners(in.Policies),
		},
		Type: corev1.SecretTypeOpaque,
		Data: RedisSecretData(passwords),
	}
}

// RedisOwners are the owner references of the managed instance's objects: every
// policy that uses it, none as its controller, so that it goes with the last.
func RedisOwners(policies []*v1alpha1.RateLimitPolicy) []metav1.OwnerReference {
	owners := make([]metav1.OwnerReference, 0, len(policies))
	for _, o := range redisOwners(policies) {
		owners = append(owners, metav1.OwnerReference{
			APIVersion: *o.APIVersion, Kind: *o.Kind, Name: *o.Name, UID: *o.UID,
		})
	}
	return owners
}

const redacted = "RedisPasswords{redacted}"

// String tells no password, so that a stray log line tells none either.
func (RedisPasswords) String() string { return redacted }

// GoString is String for %#v.
func (RedisPasswords) GoString() string { return redacted }

// MarshalText is String for encoders.
func (RedisPasswords) MarshalText() ([]byte, error) { return []byte(redacted), nil }
