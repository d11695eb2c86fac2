//go:build !cloud

package tree

// others are the drivers beside files. Those of clouds are compiled in with the
// build tag cloud: they would double the program.
func others() []maker { return []maker{inMySQL} }
