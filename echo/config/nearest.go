package config

import "strings"

// nearest returns the name that a misspelt one most likely stands for, or "".
func nearest(wrong string, names []string) string {
	const longest = 64
	if len(wrong) > longest {
		return ""
	}
	folded := fold(wrong)
	best, bestDistance := "", max(len(folded)/3, 1)+1
	for _, name := range names {
		if d := distance(folded, fold(name)); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// fold makes the ways to spell a name in several words alike: periodSeconds,
// period_seconds and Period-Seconds.
func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance is the number of bytes to insert, remove or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
