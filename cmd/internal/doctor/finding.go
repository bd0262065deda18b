package doctor

import "fmt"

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"   // as it should be
	Warn Level = "warn" // works, but not as well as it could, or not for long
	Fail Level = "fail" // does not work
)

// Finding is one thing that was looked at.
type Finding struct {
	Level Level  `json:"level"`
	Check string `json:"check"`          // which check found it, such as "delegation"
	What  string `json:"what"`           // what is so, in one line
	Cure  string `json:"cure,omitempty"` // what to do, as it can be typed; lines where it takes several
}

// Failed reports whether a finding says that something does not work.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.Level == Fail {
			return true
		}
	}
	return false
}

// notes are the findings of one check, in the making.
type notes struct {
	check string
	list  []Finding
}

func (n *notes) ok(format string, args ...any) { n.add(OK, "", format, args...) }

func (n *notes) warn(cure, format string, args ...any) { n.add(Warn, cure, format, args...) }

func (n *notes) fail(cure, format string, args ...any) { n.add(Fail, cure, format, args...) }

func (n *notes) add(l Level, cure, format string, args ...any) {
	n.list = append(n.list, Finding{Level: l, Check: n.check, What: line(fmt.Sprintf(format, args...)), Cure: cure})
}
