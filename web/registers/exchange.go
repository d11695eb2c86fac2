package registers

import (
	"kakusho/kind/table"
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
