package redistest

import "syscall"

// processAttributes has the server end with the test's process, also when that
// is killed or times out.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
