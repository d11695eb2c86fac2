package derive

import (
	"slices"

	"kakusho/posture/world"
)

// recordDerivations turn the answers of an entry into the words of a determined
// list, so that a rule can ask whether the whole list is done. A blank field is
// not done.
var recordDerivations = map[string]world.Derivation{
	"development-items": doneItems(map[string]func(*world.Item) bool{
		"separate-environments": says("environments_separated"), "no-production-data": says("production_data_in_test", "false"),
		"version-control": says("version_control"), "change-approval": says("change_approval"), "secure-coding": says("coding_standard"),
		"code-review": says("reviewed_on"), "static-analysis": says("static_tested_on"), "dynamic-test": says("dynamic_tested_on"),
		"dependency-scan":    says("dependencies_scanned_on"),
		"vulnerability-test": all(says("vulnerability_tested_on"), says("vulnerability_result", "clean", "accepted")),
		"no-backdoor":        says("no_backdoor_on"), "input-validation": says("input_validation"), "error-handling": says("error_handling"),
		"session-management": says("session_management"), "logging": says("logging"),
		"source-custody":     all(says("source_custody"), says("source_access_limited")),
		"delivery-integrity": says("delivery_integrity", "signature", "digest"), "licence": says("licences_checked_on"), "sbom": says("sbom"),
		"acceptance-test": all(says("acceptance_tested_on"), says("acceptance_result", "passed", "conditional")),
		"handover":        says("documents_handed_over_on"),
	}),
	"procurement-items": doneItems(map[string]func(*world.Item) bool{
		"maker-facts": all(says("maker"), says("maker_country")), "support-period": supportCoversLife,
		"patch-commitment": says("patch_commitment"), "certification-evidence": all(says("evidence"), not(says("evidence", "none"))),
		"equipment-list":           either(says("agreement", "does-not-apply"), says("agreement_submitted_on")),
		"no-undisclosed-functions": says("no_hidden_function"), "hardening": says("hardened_at_delivery"), "malware-free": says("malware_free"),
		"acceptance-sheet":      either(says("inspected_on"), says("inspection_judgement", "not-needed"), not(says("status", "delivered"))),
		"vulnerability-contact": says("vulnerability_contact"), "disposal-conditions": all(says("disposal_terms"), not(says("disposal_terms", "none"))),
	}),
	"contract-items": contractItems,
}

func all(ds ...func(*world.Item) bool) func(*world.Item) bool {
	return func(it *world.Item) bool {
		return !slices.ContainsFunc(ds, func(d func(*world.Item) bool) bool { return !d(it) })
	}
}

func either(ds ...func(*world.Item) bool) func(*world.Item) bool {
	return func(it *world.Item) bool {
		return slices.ContainsFunc(ds, func(d func(*world.Item) bool) bool { return d(it) })
	}
}

func not(d func(*world.Item) bool) func(*world.Item) bool {
	return func(it *world.Item) bool { return !d(it) }
}

func supportCoversLife(it *world.Item) bool {
	until, end := world.DeclaredTime(it, "support_until_on"), world.DeclaredTime(it, "planned_end_on")
	return !until.IsZero() && !end.IsZero() && !until.Before(end)
}

func hasRecords(it *world.Item, field string) bool {
	l, _ := world.DeclaredValue(it, field).([]any)
	return len(l) > 0
}

func contractItems(r *world.Reading, it *world.Item) world.Result {
	ismap := func(it *world.Item) bool {
		id := world.DeclaredText(it, "external_service")
		if id == "" {
			return true
		}
		s, ok := r.L.Of("external-service", id)
		if !ok {
			return false
		}
		r.NoteDeclared(s, "ismap")
		n, known := world.DeclaredValue(s, "handles_confidentiality").(int64)
		return known && n < 2 || says("ismap", "ismap", "ismap-liu")(s)
	}
	return doneItems(map[string]func(*world.Item) bool{
		"pledge": says("pledge_on"), "worker-list": says("workers_listed_on"),
		"place-of-work":        all(says("place"), either(says("overseas", "false"), says("overseas_approved_on"))),
		"bring-in-prohibition": says("bring_in_prohibited"), "lent-terminals": says("lent_terminals"),
		"account-per-worker": says("individual_accounts"), "account-expiry": says("accounts_expire"),
		"remote-maintenance": says("remote_maintenance", "none", "per-session"),
		"incident-notice":    all(says("incident_notice"), says("incident_report")), "performance-report": says("report_interval"),
		"on-site-check":              says("inspected_on"),
		"return-erase-certificate":   either(says("information_returned_on"), not(says("status", "ended"))),
		"personal-information-terms": either(says("personal_terms"), says("handles_personal", "false")),
		"subcontract-tree":           either(says("subcontracting", "false"), func(it *world.Item) bool { return hasRecords(it, "subcontractors") }),
		"data-location":              says("data_location"), "ismap": ismap,
	})(r, it)
}
