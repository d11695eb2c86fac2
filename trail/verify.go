package trail

import (
	"context"

	"kakusho/trail/audit"
)

// What a check of the whole trail finds; package audit says what each means.
type (
	Report  = audit.Report
	Problem = audit.Problem
	What    = audit.What
)

// Verify checks the whole trail in dir, offline, with nothing but its public key.
// The error says that it could not be checked; what is wrong is in the report. It
// writes nothing, and may run while the trail is in use.
func Verify(ctx context.Context, dir, key string, progress func(done, total int64)) (Report, error) {
	return audit.VerifyWith(ctx, dir, key, audit.Options{Progress: progress})
}

// VerifyWith is Verify with all that an auditor has. beside says that the key was
// taken from beside the trail.
func VerifyWith(ctx context.Context, dir string, t Trust, beside bool, progress func(done, total int64)) (Report, error) {
	return audit.VerifyWith(ctx, dir, t.Key, audit.Options{Progress: progress, Accepted: t.Accepted, Beside: beside, Policy: t.Policy})
}
