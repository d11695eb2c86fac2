// Command bench prints, for every goal, one line "GOAL area/name figure op bound
// met|short". It runs the benchmarks that stand beside the code and compares
// figures of one run with each other or with a named peer; it never fails a slow
// machine.
//
//	go run ./bench [area …]
package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goal compares one figure with a bound.
type goal struct {
	area, name string
	module     string                            // folder of a module of its own that holds pkg; empty: ours
	once       bool                              // one long run that takes its own medians
	pkg, bench string                            // where the benchmarks are
	figure     func(r results) (float64, string) // and its unit; NaN-free: ok by the names being there
	needs      []string                          // benchmark/unit
	op         string                            // <= or >=
	bound      float64
}

// results are "BenchmarkName/unit" → figure.
type results map[string]float64

func ratio(a, b string) func(results) (float64, string) {
	return func(r results) (float64, string) { return r[a] / r[b], "x" }
}

func value(name, unit string, scale float64) func(results) (float64, string) {
	return func(r results) (float64, string) { return r[name] * scale, unit }
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, areas []string, out, log io.Writer) error {
	all := results{}
	ran := map[string]bool{}
	for _, g := range goals {
		if len(areas) > 0 && !slices.Contains(areas, g.area) {
			continue
		}
		if key := g.module + g.pkg + " " + g.bench; !ran[key] {
			ran[key] = true // goals that share a run share its figures
			fmt.Fprintf(log, "running %s in %s …\n", g.bench, cmp.Or(g.module, g.pkg))
			if err := measure(ctx, g, all, log); err != nil {
				return err
			}
		}
		print1(out, g, all)
	}
	if len(ran) == 0 {
		return fmt.Errorf("no goal in %v", areas)
	}
	return nil
}

func print1(out io.Writer, g goal, all results) {
	for _, n := range g.needs {
		if _, ok := all[n]; !ok {
			fmt.Fprintf(out, "GOAL %s/%s — %s %g short (no figure: %s)\n", g.area, g.name, g.op, g.bound, n)
			return
		}
	}
	v, unit := g.figure(all)
	met := g.op == "<=" && v <= g.bound || g.op == ">=" && v >= g.bound
	word := map[bool]string{true: "met", false: "short"}[met]
	fmt.Fprintf(out, "GOAL %s/%s %.3g%s %s %g%s %s\n", g.area, g.name, v, unit, g.op, g.bound, unit, word)
}

var line = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// measure runs benchmarks and keeps the median of their rounds.
func measure(ctx context.Context, g goal, all results, log io.Writer) error {
	args := []string{"test", "-run", "^$", "-bench", g.bench, "-benchmem", "-timeout", "60m"}
	if g.once {
		args = append(args, "-benchtime", "1x")
	} else {
		args = append(args, "-count", "3")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, g.pkg)...) //nolint:gosec // names of our own
	cmd.Dir = g.module
	cmd.Stderr = log
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run benchmarks: %w", err)
	}
	rounds := map[string][]float64{}
	for s := bufio.NewScanner(pipe); s.Scan(); {
		fmt.Fprintln(log, s.Text())
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				key := m[1] + "/" + fields[i+1]
				rounds[key] = append(rounds[key], v)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("run benchmarks in %s: %w", g.pkg, err)
	}
	for key, vs := range rounds {
		slices.Sort(vs)
		all[key] = vs[len(vs)/2]
	}
	return nil
}
