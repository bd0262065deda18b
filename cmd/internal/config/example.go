package config

import _ "embed"

//go:embed example.toml
var example string

// Example is a network.toml that uses every key and explains it: the manual
// in docs/network.md and `landfall check --example` show it.
func Example() string { return example }
