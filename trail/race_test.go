//go:build race

package trail_test

const raceOn = true
