// Package httplimit puts a limiter in front of a net/http handler: it decides,
// writes the quota headers on allowed and refused answers alike, and answers
// what is refused with application/problem+json.
//
// What the headers promise is what the limiter knows at the moment of the
// decision; other requests of the same client change it.
package httplimit
