package identity

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	"kakusho/calendar"
)

//go:embed support.csv
var supportCSV string

// Support is when one release of an operating system stops getting fixes.
type Support struct {
	ID, Version string
	End         time.Time // the end of the last day, in Japan
	Phase       string    // the maker's name of the support that ends
	Source      string    // where the maker says so
}

// Supports lists the releases whose end is known.
func Supports() ([]Support, error) { return ParseSupports(supportCSV) }

// ParseSupports reads lines "id,version,end,phase,source" under a header.
func ParseSupports(s string) ([]Support, error) {
	r := csv.NewReader(strings.NewReader(s))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read support ends: %w", err)
	}
	var out []Support
	for i, row := range rows {
		if i == 0 {
			if strings.Join(row, ",") != "id,version,end,phase,source" {
				return nil, fmt.Errorf("read support ends: unexpected header %q", row)
			}
			continue
		}
		end, err := endOfDay(row[2])
		if err != nil {
			return nil, fmt.Errorf("read support ends: %s %s: %w", row[0], row[1], err)
		}
		out = append(out, Support{ID: row[0], Version: row[1], End: end, Phase: row[3], Source: row[4]})
	}
	return out, nil
}

// endOfDay reads YYYY-MM-DD as the last second of that day in Japan, the
// strictest reading that still counts the day itself.
func endOfDay(s string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, err
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 23, 59, 59, 0, calendar.Tokyo()), nil
}

// supportEnd finds the end of a release: by its whole version, else by the part
// before the dot where the maker counts so.
func supportEnd(all []Support, id, version string) (Support, bool) {
	major, _, _ := strings.Cut(version, ".")
	for _, v := range []string{version, major} {
		for _, s := range all {
			if s.ID == id && s.Version == v {
				return s, true
			}
		}
	}
	return Support{}, false
}
