// Package reload takes a changed limits file over without a restart. It watches
// the folder that the file lies in, since a mounted ConfigMap changes by a
// symbolic link being swapped there, compares contents and never times, and
// keeps the last good file when a new one is bad.
package reload
