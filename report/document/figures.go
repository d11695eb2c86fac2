package document

import (
	"fmt"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/report/document/ground"
	"kakusho/report/figure"
)

func plural(s string, n int) string { return fmt.Sprintf("%s (%d)", s, n) }

// figures draw a scope.
var figures = map[string]func(m *maker, title bilingual.Text) *figure.Figure{
	"configuration": configuration,
	"network":       network,
}

// devices are the kinds that stand somewhere, with the field that tells what they are.
var devices = []struct{ kind, what string }{
	{"computer", "role"}, {"network-device", "type"}, {"multifunction-device", "address"}, {"special-device", "use"},
}

func more(n int) string {
	return fmt.Sprintf("ほか%d台（一覧による） / and %d more, see the list", n, n)
}

// text is a declared or seen value in Japanese.
func (m *maker) text(s ground.Subject, name string) string {
	f, ok := s.Of().Field(name)
	if c, has := s.Fact(name); ok && has && (m.who == nil || f.MayRead(*m.who)) {
		return f.Format(c.Fact.Value, bilingual.JA)
	}
	return ""
}

// places are what of the scope stands in each area, in order of its number; what stands
// in none comes last.
func (m *maker) places(kinds ...string) (groups []figure.Group, of map[string]string) {
	const nowhere = "設置区域の登録なし / no area entered"
	of = map[string]string{}
	at := map[string]int{}
	var rest []figure.Node
	for _, d := range devices {
		if len(kinds) > 0 && d.kind != kinds[0] {
			continue
		}
		for _, s := range m.entries(Part{Kind: d.kind}) {
			n := figure.Node{ID: string(s.Ref()), Title: s.Ref().ID() + " " + s.Name(), Detail: m.text(s, d.what), Dashed: m.text(s, "host_of") != ""}
			zone := ""
			if c, ok := s.Fact("zone"); ok {
				zone, _ = c.Fact.Value.(string)
			}
			if zone == "" {
				rest = append(rest, n)
				of[n.ID] = nowhere
				continue
			}
			title := m.named("zone", zone)
			if z, ok := m.One("zone", zone); ok {
				if class := m.text(z, "class"); class != "" {
					title += " クラス" + class
				}
			}
			i, had := at[title]
			if !had {
				i = len(groups)
				at[title] = i
				groups = append(groups, figure.Group{Title: title, More: more})
			}
			groups[i].Nodes = append(groups[i].Nodes, n)
			of[n.ID] = title
		}
	}
	if len(rest) > 0 {
		groups = append(groups, figure.Group{Title: nowhere, Nodes: rest, More: more})
	}
	return groups, of
}

// configuration shows what stands where, and the databases that run on it.
func configuration(m *maker, title bilingual.Text) *figure.Figure {
	groups, _ := m.places()
	data := figure.Group{Title: "データベース / databases", More: more}
	var edges []figure.Edge
	for _, s := range m.entries(Part{Kind: "database"}) {
		data.Nodes = append(data.Nodes, figure.Node{ID: string(s.Ref()), Title: s.Ref().ID() + " " + s.Name(), Detail: m.text(s, "engine")})
		if c, ok := s.Fact("computer"); ok {
			id, _ := c.Fact.Value.(string)
			edges = append(edges, figure.Edge{From: string(s.Ref()), To: "computer/" + id})
		}
	}
	return figure.Stack(title.JA+" / "+title.EN, []figure.Group{data}, groups, edges)
}

// network shows lines, the devices that they come in by, and the areas behind them with
// the computers and their addresses.
func network(m *maker, title bilingual.Text) *figure.Figure {
	lines := figure.Group{Title: "電気通信回線 / lines", More: more}
	gear := figure.Group{Title: "ネットワーク機器 / network devices", More: more}
	for _, s := range m.entries(Part{Kind: "line"}) {
		lines.Nodes = append(lines.Nodes, figure.Node{ID: string(s.Ref()), Title: s.Ref().ID() + " " + s.Name(), Detail: m.text(s, "type"), Dashed: m.text(s, "internet") == "はい"})
	}
	groups, _ := m.places("computer")
	for i := range groups {
		for j, n := range groups[i].Nodes {
			if s, ok := m.One(fact.Ref(n.ID).Kind(), fact.Ref(n.ID).ID()); ok {
				groups[i].Nodes[j].Detail = m.addresses(s)
			}
		}
	}
	var edges []figure.Edge
	for _, s := range m.entries(Part{Kind: "network-device"}) {
		gear.Nodes = append(gear.Nodes, figure.Node{ID: string(s.Ref()), Title: s.Ref().ID() + " " + s.Name(), Detail: m.text(s, "type")})
		if c, ok := s.Fact("lines"); ok {
			list, _ := c.Fact.Value.([]any)
			for _, l := range list {
				id, _ := l.(string)
				edges = append(edges, figure.Edge{From: "line/" + id, To: string(s.Ref())})
			}
		}
		if c, ok := s.Fact("zone"); ok {
			id, _ := c.Fact.Value.(string)
			for _, g := range groups {
				if z := m.named("zone", id); id != "" && len(g.Title) >= len(z) && g.Title[:len(z)] == z {
					edges = append(edges, figure.Edge{From: string(s.Ref()), To: g.Title})
				}
			}
		}
	}
	return figure.Stack(title.JA+" / "+title.EN, []figure.Group{lines, gear}, groups, edges)
}

// addresses are those by which others reach a computer, as they were seen.
func (m *maker) addresses(s ground.Subject) string {
	c, ok := s.Fact("interfaces")
	list, _ := c.Fact.Value.([]any)
	if !ok || len(list) == 0 {
		return unseen.JA
	}
	var out []string
	for _, e := range list {
		r, _ := e.(map[string]any)
		text, _ := r["addresses"].(string)
		for a := range strings.FieldsSeq(text) {
			if !strings.HasPrefix(a, "127.") && !strings.HasPrefix(a, "::1") && !strings.HasPrefix(a, "fe80:") {
				out = append(out, a)
			}
		}
	}
	return strings.Join(out, " ")
}
