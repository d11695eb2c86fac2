package identity

// What the tests outside look at.
var (
	HashPassword  = hashPassword
	CheckPassword = checkPassword
	CodeStep      = codeStep
	Weak          = weak
)
