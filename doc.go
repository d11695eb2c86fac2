// Package kakusho is a guided tour of the house, bottom up. It holds no code;
// ARCHITECTURE.md draws the same picture.
//
// Words (bilingual, calendar, clause, fact, verdict, actor, decision) are values
// that everybody speaks: a clause has an ID for ever, a fact says how the looking
// went, a verdict is one of nine outcomes.
//
// Texts (kind, directive, control) are data with a small reader each: what a
// computer or a contract is, what the directive demands and which values it
// leaves open, how each clause is checked.
//
// Tools (collect, rule, judge, store) each do one thing: observe a host, compile
// a rule, reason about one subject at one instant, keep rows that can be rebuilt.
//
// The trail is the append-only record; the gate decides and records in one call.
//
// Work (intake, register, govern, identity, posture, audit) turns entries into
// entries and folds its own into rows.
//
// Faces (web, report) show; the whole (server, demo, cmd/kakusho) joins, and is
// the only place that names engines and reads the clock.
package kakusho
