//go:build !race

package trail_test

// raceOn is true under the race detector, which makes all ten times slower.
const raceOn = false
