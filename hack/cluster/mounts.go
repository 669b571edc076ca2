package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// mount is one line of /proc/mounts.
type mount struct {
	point, kind, options string
}

func readMounts() ([]mount, error) {
	text, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(text)), nil
}

// parseMounts reads the format of /proc/mounts, which writes blanks in paths as octal escapes.
func parseMounts(text string) []mount {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var all []mount
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		all = append(all, mount{point: unescape.Replace(fields[1]), kind: fields[2], options: fields[3]})
	}
	return all
}

// mountsUnder gives the mount points below dir, the latest first: that is the order to unmount them in.
func mountsUnder(all []mount, dir string) []string {
	var points []string
	for _, a := range slices.Backward(all) {
		if strings.HasPrefix(a.point, strings.TrimRight(dir, "/")+"/") {
			points = append(points, a.point)
		}
	}
	return points
}

func isMountPoint(all []mount, path string) bool {
	for _, m := range all {
		if m.point == path {
			return true
		}
	}
	return false
}

// unmountUnder detaches everything mounted below dir. It must be through before dir is removed: removing goes
// into what is mounted.
func unmountUnder(ctx context.Context, dir string) error {
	return gate{what: "the mounts below " + dir + " to go", within: 20 * time.Second, every: 50 * time.Millisecond,
		check: func(ctx context.Context) error {
			all, err := readMounts()
			if err != nil {
				return err
			}
			points := mountsUnder(all, dir)
			for _, point := range points {
				_ = quiet(ctx, "umount", "-l", point) // the next look tells whether it worked
			}
			if len(points) > 0 {
				return fmt.Errorf("%d left, such as %s", len(points), points[0])
			}
			return nil
		}}.wait(ctx)
}
