package event

// Class is a kind of event: one of the values of the parameter log.events (P10).
type Class string

// The classes.
const (
	Login        Class = "login"
	Logout       Class = "logout"
	LoginFailure Class = "login-failure"
	Privilege    Class = "privilege"
	Account      Class = "account"
	File         Class = "file"
	Inquiry      Class = "inquiry"
	Print        Class = "print"
	Mail         Class = "mail"
	Web          Class = "web"
	Network      Class = "network"
	Process      Class = "process"
	Config       Class = "config"
	Audit        Class = "audit"
	Time         Class = "time"
	Boot         Class = "boot"
	Malware      Class = "malware"
	Backup       Class = "backup"
	LogStore     Class = "log-store"
)

// Classes are all of them, in the order of the parameter.
func Classes() []Class {
	return []Class{Login, Logout, LoginFailure, Privilege, Account, File, Inquiry, Print, Mail, Web, Network, Process,
		Config, Audit, Time, Boot, Malware, Backup, LogStore}
}

// Valid reports whether c is a class.
func (c Class) Valid() bool {
	switch c {
	case Login, Logout, LoginFailure, Privilege, Account, File, Inquiry, Print, Mail, Web, Network, Process,
		Config, Audit, Time, Boot, Malware, Backup, LogStore:
		return true
	}
	return false
}
