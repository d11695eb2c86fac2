package event

import "kakusho/bilingual"

// Label is a class as people read it.
func (c Class) Label() bilingual.Text {
	switch c {
	case Login:
		return bilingual.Say("ログイン", "Login")
	case Logout:
		return bilingual.Say("ログアウト", "Logout")
	case LoginFailure:
		return bilingual.Say("ログイン失敗", "Failed login")
	case Privilege:
		return bilingual.Say("特権の使用", "Use of privilege")
	case Account:
		return bilingual.Say("識別コード・権限の変更", "Account or right changed")
	case File:
		return bilingual.Say("情報へのアクセス", "Access to information")
	case Inquiry:
		return bilingual.Say("照会", "Inquiry")
	case Print:
		return bilingual.Say("印刷・読取・送信", "Print, scan, fax")
	case Mail:
		return bilingual.Say("電子メール", "Mail")
	case Web:
		return bilingual.Say("ウェブ閲覧", "Web access")
	case Network:
		return bilingual.Say("通信・遠隔接続", "Network and remote sessions")
	case Process:
		return bilingual.Say("プログラムの起動", "Process start")
	case Config:
		return bilingual.Say("設定の変更", "Configuration change")
	case Audit:
		return bilingual.Say("証跡設定の変更", "Audit configuration change")
	case Time:
		return bilingual.Say("時刻の変更", "Time change")
	case Boot:
		return bilingual.Say("起動・停止", "Start and stop")
	case Malware:
		return bilingual.Say("不正プログラムの検知", "Malware")
	case Backup:
		return bilingual.Say("バックアップ・復元", "Backup and restore")
	case LogStore:
		return bilingual.Say("証跡領域の異常", "Log store full or failing")
	}
	return bilingual.Say(string(c), string(c))
}

// Label is a result as people read it.
func (r Result) Label() bilingual.Text {
	switch r {
	case Success:
		return bilingual.Say("成功", "Success")
	case Failure:
		return bilingual.Say("失敗", "Failure")
	case Denied:
		return bilingual.Say("拒否", "Denied")
	}
	return bilingual.Say(string(r), string(r))
}

// Label is the quality of a time as people read it.
func (c Clock) Label() bilingual.Text {
	switch c {
	case ClockSynced:
		return bilingual.Say("同期済みの時計", "synchronised clock")
	case ClockSource:
		return bilingual.Say("取得元の時計", "the source's clock")
	case ClockAssumed:
		return bilingual.Say("時差又は年を補った", "zone or year completed")
	case ClockArrival:
		return bilingual.Say("到着の時刻", "time of arrival")
	case ClockDoubt:
		return bilingual.Say("到着と1日を超える差がある", "more than a day off its arrival")
	}
	return bilingual.Say(string(c), string(c))
}
