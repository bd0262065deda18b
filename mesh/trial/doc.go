// Package trial puts whole meshes on trial: nodes that are mesh.Mesh, on a
// wide-area network in memory (package wan), in virtual time.
//
// Its tests are the judges. Each lives through something (routes to be found,
// restarts, the death of a path, a day, bad weather), judges what must hold
// always, and prints its figures on one line, which Find finds in the output
// of the go command. They are short by themselves; LANDFALL_SOAK gives them
// their full sizes, and Rounds one in between.
//
// What the tests print is all there is for others: the package exports how to
// read it, and no mesh. There is no TCP in a bubble (gVisor parks goroutines
// where virtual time cannot see it), so what is judged is packets: a packet
// that is lost here is one that TCP would have had to send again.
package trial
