// Package geography tells operators how name servers choose edges: a plan and
// a question go in, every step of the choice comes out, or who would move if
// another map were in force, in a form for people and one for programs.
//
// It decides nothing, and asks nobody: plans come from geodns.
package geography
