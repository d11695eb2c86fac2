package registers

import (
	"kakusho/actor"
	"kakusho/kind/table"
	"kakusho/register/exchange"
	"kakusho/web"
)

func (p pages) export(r *web.Request) (web.Answer, error) {
	k, err := p.kind(r)
	if err != nil {
		return web.Answer{}, err
	}
	format, mime := table.CSV, "text/csv; charset=utf-8"
	if r.URL.Query().Get("format") == "xlsx" {
		format, mime = table.XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	form := r.URL.Query().Get("template") != ""
	b, err := p.exchange.Export(r.Context(), r.Actor, query(r, k), format, r.Lang, form, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Download: &web.Download{Name: k.ID + "-" + r.At.Format("20060102") + "." + string(format), Type: mime, Body: b}}, nil
}

// exportAll takes every register out as one file.
func (p pages) exportAll(r *web.Request) (web.Answer, error) {
	a := exchange.Archive{Format: table.CSV, Lang: r.Lang, Personal: r.URL.Query().Get("personal") != ""}
	if r.URL.Query().Get("format") == "xlsx" {
		a.Format = table.XLSX
	}
	b, err := p.exchange.Archive(r.Context(), r.Actor, a, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Download: &web.Download{Name: "registers-" + r.At.Format("20060102") + ".zip", Type: "application/zip", Body: b}}, nil
}

// mayTakeAll reports whether who may take every register out, and personal data with them.
func mayTakeAll(who actor.Actor) (all, personal bool) {
	for _, as := range who.Assignments {
		if as.Scope == "*" && as.Duty != actor.Staff && as.Duty != actor.Operator {
			all, personal = true, personal || as.Duty == actor.SecurityAdministrator
		}
	}
	return all, personal
}
