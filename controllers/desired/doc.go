// Package desired says what the cluster should hold for a policy, and for a
// namespace's managed Redis. It is pure: no IO, no clock, no randomness, so
// that the same policy always gives the same objects. Objects are apply
// configurations that set only the fields the operator has an opinion on; the
// rest stays the cluster's and the users'.
package desired
