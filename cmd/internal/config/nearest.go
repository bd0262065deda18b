package config

// maxWord is the longest word that Nearest looks at: nobody mistypes a
// hundred letters into a keyword.
const maxWord = 40

// Nearest finds the word that was probably meant: the one reached from word
// by the fewest slips of a typist, if these are few for its length. A slip
// is a letter too many, too few, wrong, or swapped with its neighbour.
func Nearest(word string, known []string) (string, bool) {
	best, least := "", 0
	if len(word) > maxWord {
		return "", false
	}
	for _, k := range known {
		longer := max(len(word), len(k))
		d := slips(word, k)
		if d <= max(1, (longer+1)/3) && d < longer && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best, best != ""
}

// slips is the optimal string alignment distance from a to b.
func slips(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			wrong := 1
			if a[i] == b[j] {
				wrong = 0
			}
			next[j+1] = min(row[j]+wrong, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
