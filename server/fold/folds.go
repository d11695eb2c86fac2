package fold

import (
	"kakusho/govern"
	"kakusho/identity"
	"kakusho/identity/notice"
	"kakusho/identity/passkey"
	"kakusho/intake"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/register/draft"
	"kakusho/register/exchange"
)

// All are the folds of everything that an entry may do. Each passes over what is not its own.
func All(kinds kind.Set) []Func {
	return append(OfRooms(kinds), identity.Fold, passkey.Fold, notice.Fold)
}

// OfRooms are the folds of what pages and reports are made of: logins are not.
func OfRooms(kinds kind.Set) []Func {
	return []Func{register.Fold(kinds), exchange.Fold(kinds), intake.Fold(kinds), govern.Fold, draft.Fold}
}
