package account

import (
	"kakusho/collect"
	"kakusho/collect/linux/sudoers"
	"kakusho/fact"
)

// authority reads who may act as root, and the fact about sudo's rules.
func authority(h collect.Host, b *base) (rights, fact.Fact) {
	var who rights
	l := h.Look()
	rules, installed, err := readSudo(l, hostname(h.Look()))
	for _, r := range rules {
		who.grant(r)
	}
	sudo := rulesFact(rules, installed, err, b.directorySudo, l.Sources())
	who.err = err
	pl := h.Look()
	if err := who.readPolkit(pl); err != nil && who.err == nil {
		who.err = err
	}
	who.sources = append(l.Sources(), pl.Sources()...)
	return who, sudo
}

func sudoFact(l *collect.Look, b *base) fact.Fact {
	rules, installed, err := readSudo(l, "")
	return rulesFact(rules, installed, err, b.directorySudo, l.Sources())
}

func hostname(l *collect.Look) string {
	for _, p := range []string{"/proc/sys/kernel/hostname", "/etc/hostname"} {
		if s, err := l.ReadLine(p); err == nil && s != "" {
			return s
		}
	}
	return "" // then every rule may be for this host
}

func rulesFact(rules []sudoers.Rule, installed bool, err error, directory bool, src []fact.Source) fact.Fact {
	const field = "sudo_rules"
	if err != nil {
		return collect.Failed(field, err, src...)
	}
	if !installed {
		return collect.None(field, "none: /etc/sudoers: sudo is not installed")
	}
	rows := make([]any, len(rules))
	for i, r := range rules {
		rows[i] = map[string]any{
			"who": r.Who, "runas": r.Runas, "commands": r.Commands, "nopasswd": r.Nopasswd, "all": r.All, "place": r.Place,
		}
	}
	f := collect.Saw(field, rows, src...)
	if directory {
		f.Status, f.Reason = fact.Truncated, "directory: /etc/nsswitch.conf lets sudo take rules from a directory too"
	}
	return f
}

func adminFact(b *base, who rights, admins []string, unseen string) fact.Fact {
	const field = "admins"
	src := append(b.sources[:len(b.sources):len(b.sources)], who.sources...)
	if who.err != nil {
		return collect.Failed(field, who.err, src...)
	}
	f := collect.Saw(field, list(admins), src...)
	switch {
	case b.nis:
		f.Status, f.Reason = fact.Truncated, "directory: entries beyond /etc/passwd come in by its + lines"
	case unseen != "":
		f.Status, f.Reason = fact.Truncated, "directory: the members of group "+unseen+" are not on this host"
	case b.directorySudo:
		f.Status, f.Reason = fact.Truncated, "directory: /etc/nsswitch.conf lets sudo take rules from a directory too"
	}
	return f
}
