package telemetry

import "runtime/debug"

// Build says what a binary was made from.
type Build struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	GoVersion string `json:"goVersion"`
}

// ReadBuild takes the version given by the linker (-X), or else what the Go
// toolchain recorded; a part that nobody recorded is "unknown".
func ReadBuild(linkedVersion string) Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildFrom(linkedVersion, info)
}

func buildFrom(linkedVersion string, info *debug.BuildInfo) Build {
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	if revision != "" && settings["vcs.modified"] == "true" {
		revision += "-dirty"
	}
	return Build{
		Version:   firstKnown(linkedVersion, info.Main.Version),
		Revision:  firstKnown(revision),
		GoVersion: firstKnown(info.GoVersion),
	}
}

func firstKnown(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return "unknown"
}
