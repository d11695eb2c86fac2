// Package scan reads what scanners and build tools say of a program: findings in SARIF
// 2.1.0 (OASIS), components in CycloneDX (ECMA-424) and SPDX 2 (ISO/IEC 5962), all as
// JSON. It counts; what to think of it is for the rules.
package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Formats are those that Read knows.
var Formats = []string{"sarif", "sbom"}

// ErrFormat means that content is not in the format asked for.
var ErrFormat = errors.New("not in this format")

// Words are what Read finds, by the names that procedures use.
var Words = map[string][]string{
	"sarif": {"tool", "findings", "open"},
	"sbom":  {"tool", "components"},
}

// Read reads content in a format and returns its Words: text, or int64. ErrFormat,
// wrapped with the place where it can be told.
func Read(format string, content []byte) (map[string]any, error) {
	if !utf8.Valid(content) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrFormat)
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	switch format {
	case "sarif":
		return sarif(content)
	case "sbom":
		return sbom(content)
	}
	return nil, fmt.Errorf("%w: no format is called %q", ErrFormat, format)
}

func decode(content []byte, v any) error {
	err := json.Unmarshal(content, v)
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: line %d: %w", ErrFormat, line(content, syntax.Offset), err)
	case errors.As(err, &typed):
		return fmt.Errorf("%w: line %d: %s is not as the format has it", ErrFormat, line(content, typed.Offset), typed.Field)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}

func line(content []byte, offset int64) int {
	return 1 + bytes.Count(content[:min(max(offset, 0), int64(len(content)))], []byte("\n"))
}

// sarif counts results. Open are those of level error or warning, of kind fail, that
// nobody suppressed and that are not gone since the baseline (3.27.9, 3.27.10, 3.27.23,
// 3.27.24).
func sarif(content []byte) (map[string]any, error) {
	var log struct {
		Version string `json:"version"`
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, Version, SemanticVersion string
				} `json:"driver"`
			} `json:"tool"`
			Invocations []struct {
				ExecutionSuccessful *bool `json:"executionSuccessful"`
			} `json:"invocations"`
			Results *[]struct {
				Level         string `json:"level"`
				Kind          string `json:"kind"`
				BaselineState string `json:"baselineState"`
				Suppressions  []struct {
					Status string `json:"status"`
				} `json:"suppressions"`
			} `json:"results"`
		} `json:"runs"`
	}
	if err := decode(content, &log); err != nil {
		return nil, err
	}
	if log.Version != "2.1.0" || len(log.Runs) == 0 {
		return nil, fmt.Errorf("%w: want SARIF 2.1.0 with a run, version is %q", ErrFormat, log.Version)
	}
	var tools []string
	findings, open := int64(0), int64(0)
	for i, run := range log.Runs {
		if run.Results == nil { // 3.14.23: the run produced none because it did not look
			return nil, fmt.Errorf("%w: run %d has no results: the scan did not finish", ErrFormat, i)
		}
		for _, v := range run.Invocations {
			if v.ExecutionSuccessful != nil && !*v.ExecutionSuccessful {
				return nil, fmt.Errorf("%w: run %d says that the scan failed", ErrFormat, i)
			}
		}
		tools = append(tools, strings.TrimSpace(run.Tool.Driver.Name+" "+firstOf(run.Tool.Driver.Version, run.Tool.Driver.SemanticVersion)))
		for _, r := range *run.Results {
			findings++
			level := firstOf(r.Level, "warning")
			suppressed := slices.ContainsFunc(r.Suppressions, func(s struct {
				Status string `json:"status"`
			}) bool {
				return s.Status == "" || s.Status == "accepted"
			})
			if firstOf(r.Kind, "fail") == "fail" && (level == "error" || level == "warning") && !suppressed && r.BaselineState != "absent" {
				open++
			}
		}
	}
	return map[string]any{"tool": short(strings.Join(tools, ", ")), "findings": findings, "open": open}, nil
}

// sbom counts the components of a bill of materials, without the program itself.
func sbom(content []byte) (map[string]any, error) {
	var bill struct {
		Format     string `json:"bomFormat"`
		Components []struct {
			Components []json.RawMessage `json:"components"`
		} `json:"components"`
		Metadata struct {
			Tools json.RawMessage `json:"tools"`
		} `json:"metadata"`
		SPDX     string `json:"spdxVersion"`
		Creation struct {
			Creators []string `json:"creators"`
		} `json:"creationInfo"`
		Packages []struct {
			ID string `json:"SPDXID"`
		} `json:"packages"`
		Describes     []string `json:"documentDescribes"`
		Relationships []struct {
			Element string `json:"spdxElementId"`
			Type    string `json:"relationshipType"`
			Related string `json:"relatedSpdxElement"`
		} `json:"relationships"`
	}
	if err := decode(content, &bill); err != nil {
		return nil, err
	}
	switch {
	case bill.Format == "CycloneDX":
		n := int64(0)
		for _, c := range bill.Components {
			n += 1 + int64(len(c.Components))
		}
		return map[string]any{"tool": "CycloneDX", "components": n}, nil
	case strings.HasPrefix(bill.SPDX, "SPDX-2."):
		described := bill.Describes
		for _, r := range bill.Relationships {
			if r.Element == "SPDXRef-DOCUMENT" && r.Type == "DESCRIBES" {
				described = append(described, r.Related)
			}
		}
		n := int64(0)
		for _, p := range bill.Packages {
			if !slices.Contains(described, p.ID) {
				n++
			}
		}
		tool := bill.SPDX
		for _, c := range bill.Creation.Creators {
			if t, ok := strings.CutPrefix(c, "Tool: "); ok {
				tool = t
			}
		}
		return map[string]any{"tool": short(tool), "components": n}, nil
	}
	return nil, fmt.Errorf("%w: neither CycloneDX nor SPDX 2", ErrFormat)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// short fits a register's line.
func short(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200])
	}
	return s
}
