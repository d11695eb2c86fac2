package kind

import "kakusho/bilingual"

// fresh maps a collector's group to the parameter that says how long its facts
// hold. A group that is not listed is held to the configuration limit.
var fresh = map[string]string{
	"clock":          "fresh.time",
	"malware":        "fresh.malware",
	"log":            "fresh.log",
	"feed":           "fresh.log",
	"keeping":        "fresh.log",
	"account":        "fresh.account",
	"authentication": "fresh.account",
	"disk":           "fresh.crypto",
	"key":            "fresh.crypto",
	"package":        "fresh.vuln",
}

// Fresh names the parameter (a duration) after which facts of a collector's
// group are stale. The empty group, that of declared fields, is never stale.
func Fresh(group string) string {
	if group == "" {
		return ""
	}
	if key, ok := fresh[group]; ok {
		return key
	}
	return "fresh.config"
}

// groups name the collectors' groups on pages.
var groups = map[string]bilingual.Text{
	"identity": {JA: "機器の識別", EN: "Identity"}, "kernel": {JA: "カーネル", EN: "Kernel"}, "account": {JA: "識別コード", EN: "Accounts"},
	"authentication": {JA: "主体認証の設定", EN: "Authentication"}, "sshd": {JA: "SSHサーバ", EN: "SSH server"}, "session": {JA: "画面・シェルのロック", EN: "Session lock"},
	"disk": {JA: "記憶領域", EN: "Storage"}, "clock": {JA: "時刻", EN: "Clock"}, "network": {JA: "ネットワーク", EN: "Network"},
	"package": {JA: "ソフトウェアと更新", EN: "Software and updates"}, "log": {JA: "証跡", EN: "Logs"}, "feed": {JA: "証跡の到着", EN: "Arrival of events"}, "keeping": {JA: "証跡の保存状況", EN: "Events kept"}, "malware": {JA: "不正プログラム対策", EN: "Anti-malware"},
	"media": {JA: "外部記録媒体", EN: "Removable media"}, "key": {JA: "鍵と証明書", EN: "Keys and certificates"}, "banner": {JA: "ログイン時メッセージ", EN: "Banners"},
	"database": {JA: "データベース", EN: "Database"}, "declared": {JA: "登録", EN: "Declared"}, "derived": {JA: "導出", EN: "Derived"},
	"probe": {JA: "遠隔からの観測", EN: "Probe"},
}

// GroupLabel is a collector's group, or a layer, as pages print it; a group
// nobody named is itself.
func GroupLabel(group string) bilingual.Text {
	if t, ok := groups[group]; ok {
		return t
	}
	return bilingual.Say(group, group)
}
