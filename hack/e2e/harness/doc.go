// Package harness is what the end-to-end tests, the reload benchmark and the
// demo share. One half runs on the machine and looks after the cluster; the
// other runs inside the cluster's network, where pods can be asked directly.
package harness
