package fleet

import (
	"fmt"
	"time"
)

const day = 24 * time.Hour

// computer makes what a computer's collectors bring and its register says.
func (m *maker) computer() {
	m.register()
	m.identity()
	m.account()
	m.authentication()
	m.sshd()
	m.session()
	m.disk()
	m.clock()
	m.network()
	m.software()
	m.log()
	m.malware()
	m.keys()
	m.banner()
	m.derived()
}

func (m *maker) server() bool { return m.role == "server" }

func (m *maker) register() {
	m.declare("asset_no", m.s.Ref.ID())
	m.declare("role", m.role)
	m.declare("system", m.s.System)
	m.declare("status", mostly(m, 94, "in-service", "planned", "stored", "disposed"))
	m.declare("in_service_on", m.s.InServiceOn) // a date already
	m.declare("hostname", m.host())
	m.declare("storage", mostly(m, map[string]int{"server": 5}[m.role]+70, "open", "locked-cabinet", "locked-rack", "carried"))
	m.declare("ownership", mostly(m, 92, "organisation", "leased", "contractor", "personal"))
	m.declare("remote_access", m.chance(8))
	m.declare("taken_out", m.role == "mobile" && m.chance(30))
	m.declare("last_counted_on", date(m.ago(500*day)))
	m.declare("vulnerabilities_checked_on", m.s.InServiceOn.AddDate(0, 0, m.IntN(20)-15))
	m.declare("access_reviewed_on", date(m.ago(300*day)))
	m.declare("backup_interval", mostly(m, 80, day, 7*day, 30*day))
	m.declare("restore_tested_on", date(m.ago(500*day)))
	if m.chance(90) {
		m.declare("host_of", nil)
	}
}

func (m *maker) host() string {
	return fmt.Sprintf("%s%s-%07d", map[string]string{"server": "sv", "terminal": "tm", "mobile": "mb"}[m.role], m.s.Scope.Prefecture, m.no)
}

func (m *maker) identity() {
	m.run("identity")
	m.put("hostname", m.host())
	m.put("machine_id", fmt.Sprintf("%016x%016x", m.Uint64(), m.Uint64()))
	m.put("hardware_uuid", fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", m.Uint32(), m.IntN(1<<16), m.IntN(1<<12), m.IntN(1<<12), m.Int64N(1<<48)))
	m.put("serial", fmt.Sprintf("%c%c%08d", 'A'+rune(m.IntN(26)), 'A'+rune(m.IntN(26)), m.IntN(1e8)))
	m.put("vendor", fmt.Sprintf("製造者%d", m.zipf(12)))
	m.put("model", fmt.Sprintf("型%03d", m.zipf(300)))
	m.put("os_version", fmt.Sprintf("%d.%02d", 20+m.zipf(6), 4+6*m.IntN(2)))
	m.put("kernel_version", fmt.Sprintf("6.%d.%d-%d", m.zipf(14), m.IntN(20), m.IntN(60)))
	m.put("os_support_end", m.body.At.AddDate(0, 0, 1200-m.zipf(1500)).Truncate(day))
	m.put("boot_time", m.ago(40*day))
	chassis := map[string]string{"server": "rack", "terminal": "desktop", "mobile": "laptop"}[m.role]
	m.put("chassis", mostly(m, 90, chassis, "tablet", "virtual", "other"))
	m.run("kernel")
	m.put("ip_forwarding", m.chance(2))
	m.put("aslr", mostly(m, 97, int64(2), 0, 1))
	m.put("core_dump_restricted", m.chance(88))
}

func (m *maker) account() {
	m.run("account")
	accounts := []any{person("root", 0, true)}
	for range 6 {
		n := m.zipf(40)
		accounts = append(accounts, service(n))
	}
	for i := range 1 + m.zipf(4) {
		p := person(fmt.Sprintf("p%06d", m.IntN(300_000)), int64(1000+i), false)
		p["changed_at"], p["never_logged_in"] = m.ago(400*day), m.chance(4)
		if p["never_logged_in"] == false {
			p["last_login"] = m.ago(time.Duration(2+m.zipf(150)) * day)
		}
		p["max_days"] = mostly(m, 90, int64(90), 99999, 0)
		p["hash"] = mostly(m, 96, "yescrypt", "sha512", "md5")
		p["password"] = mostly(m, 98, "set", "locked", "empty")
		p["shared_name"] = m.chance(2)
		accounts = append(accounts, p)
	}
	m.put("accounts", accounts)
	m.put("admins", m.names("p", 1+m.zipf(8)))
	m.put("uid0_accounts", mostly(m, 99, []any{"root"}, []any{"root", "toor"}))
	m.put("duplicate_uids", mostly(m, 99, []any{}, []any{"a", "b"}))
	m.put("sudo_rules", []any{
		map[string]any{"who": "%sudo", "runas": "ALL", "commands": "ALL", "nopasswd": m.chance(3), "all": true, "place": "/etc/sudoers:10"},
		map[string]any{"who": "backup", "runas": "root", "commands": "/usr/bin/rsync", "nopasswd": true, "all": false, "place": "/etc/sudoers.d/b:1"},
	})
	m.put("root_login_password", mostly(m, 85, "locked", "set", "none"))
	m.put("account_files_mode_ok", m.chance(98))
	m.put("unsafe_homes", mostly(m, 93, []any{}, m.names("/home/p", 1+m.IntN(3))))
}

func person(name string, uid int64, system bool) map[string]any {
	return map[string]any{
		"name": name, "uid": uid, "gid": uid, "home": "/home/" + name, "shell": "/bin/bash", "interactive": true, "password": "locked",
		"system": system, "admin": system, "shared_name": false, "never_logged_in": false,
	}
}

func service(n int) map[string]any {
	return map[string]any{
		"name": fmt.Sprintf("svc%d", n), "uid": int64(100 + n), "gid": int64(100 + n), "home": "/nonexistent", "shell": "/usr/sbin/nologin",
		"interactive": false, "password": "locked", "system": true, "admin": false, "shared_name": false, "never_logged_in": true,
	}
}

func (m *maker) names(prefix string, n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%06d", prefix, m.IntN(300_000))
	}
	return list
}

func (m *maker) authentication() {
	m.run("authentication")
	m.put("pw_min_length", int64(8+m.zipf(4)+m.zipf(9)))
	m.put("pw_classes", mostly(m, 85, int64(3), 1, 2, 4))
	m.put("pw_history", mostly(m, 80, int64(10), 0, 5, 24))
	m.put("lockout_threshold", mostly(m, 85, int64(5), 0, 3, 10, 20))
	m.put("lockout_window", mostly(m, 85, 15*time.Minute, 5*time.Minute, time.Hour))
	m.put("lockout_duration", mostly(m, 85, 10*time.Minute, time.Minute, 0, time.Hour))
	m.put("pw_hash", mostly(m, 96, "yescrypt", "sha512", "md5", "descrypt"))
	m.put("pw_dictionary_check", m.chance(90))
	m.put("pam_null_ok", m.chance(4))
	m.put("pam_mfa", m.chance(60))
	m.put("pam_last_login_shown", m.chance(85))
	m.put("pam_permit_all", m.chance(1))
	m.put("autologins", mostly(m, 97, []any{}, []any{map[string]any{"service": "gdm", "user": "kiosk", "place": "/etc/gdm3/custom.conf:5"}}))
}

func (m *maker) sshd() {
	m.run("sshd")
	installed := m.server() || m.chance(30)
	m.put("sshd_installed", installed)
	if !installed {
		return // what there is of its settings is drawn like any field
	}
	m.put("sshd_permit_root_login", mostly(m, 90, "no", "prohibit-password", "yes"))
	m.put("sshd_permit_empty_passwords", m.chance(1))
	m.put("sshd_hostbased_authentication", m.chance(1))
	m.put("sshd_ignore_rhosts", m.chance(98))
	m.put("sshd_max_auth_tries", mostly(m, 75, int64(4), 6, 3, 10))
	m.put("sshd_idle_timeout", mostly(m, 80, 5*time.Minute, 0, 10*time.Minute, time.Hour))
	m.put("sshd_source_restricted", m.chance(70))
	m.put("sshd_authentication_methods", mostly(m, 60, "publickey,keyboard-interactive", "any", "publickey"))
	m.put("sshd_ciphers", m.pick(4, "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes128-ctr", "chacha20-poly1305@openssh.com", "3des-cbc"))
	m.put("sshd_macs", m.pick(3, "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha1"))
	m.put("sshd_kex", m.pick(3, "curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group16-sha512", "diffie-hellman-group14-sha1"))
	match := []any{}
	if m.chance(10) {
		match = append(match, map[string]any{"condition": "Address 10.0.0.0/8", "keyword": "permitrootlogin", "value": mostly(m, 50, "no", "yes"), "place": "/etc/ssh/sshd_config:120"})
	}
	m.put("sshd_match", match)
}

// pick is n of the words, the first ones more often.
func (m *maker) pick(n int, words ...string) []any {
	list := []any{}
	for i, w := range words {
		if len(list) < n && m.chance(95-15*i) {
			list = append(list, w)
		}
	}
	return list
}

func (m *maker) session() {
	m.run("session")
	m.put("graphical", !m.server() || m.chance(10))
	m.put("screen_lock_enabled", m.chance(93))
	m.put("screen_lock_enforced", m.chance(85))
	m.put("screen_lock_idle", mostly(m, 80, 10*time.Minute, 5*time.Minute, 15*time.Minute, 30*time.Minute, 0))
	m.put("shell_timeout", mostly(m, 75, 5*time.Minute, 0, 10*time.Minute))
	m.put("shell_timeout_readonly", m.chance(80))
}

func (m *maker) disk() {
	m.run("disk")
	volumes := []any{map[string]any{
		"device": "/dev/nvme0n1p1", "mount": "/boot", "fs": "ext4", "encrypted": false, "method": "", "cipher": "", "swap": false,
		"boot": true, "removable": false, "memory": false, "bytes": int64(1) << 30,
	}}
	for i := range 1 + m.zipf(4) {
		volumes = append(volumes, map[string]any{
			"device": fmt.Sprintf("/dev/mapper/v%d", i), "mount": fmt.Sprintf("/mnt/%d", i), "fs": "ext4", "encrypted": m.chance(93), "method": mostly(m, 96, "luks2", "luks1"),
			"cipher": mostly(m, 95, "aes-xts-plain64", "aes-cbc-essiv:sha256"), "swap": i == 1, "boot": false,
			"removable": m.chance(2), "memory": false, "bytes": m.Int64N(1 << 41),
		})
	}
	m.put("volumes", volumes)
}

func (m *maker) clock() {
	m.run("clock")
	m.put("time_synchronized", m.chance(97))
	m.put("time_offset", time.Duration(m.ExpFloat64()*float64(40*time.Millisecond)))
	m.put("time_last_sync", m.seen.Add(-time.Duration(m.zipf(90_000))*time.Second))
}

func (m *maker) network() {
	m.run("network")
	ports := []any{}
	for range 2 + m.zipf(8) {
		port := []int64{22, 80, 443, 111, 631, 3306, 5432, 8080}[m.IntN(8)]
		if m.chance(30) {
			port = 1024 + m.Int64N(60_000)
		}
		ports = append(ports, map[string]any{
			"proto": "tcp", "address": m.ip(), "port": port, "process": fmt.Sprintf("proc%d", m.zipf(60)), "exe": "/usr/sbin/d", "user": "root", "loopback": m.chance(40),
		})
	}
	m.put("listeners", ports)
	m.put("interfaces", []any{
		map[string]any{"name": "lo", "mac": "", "addresses": "127.0.0.1/8", "up": true, "wireless": false},
		map[string]any{"name": "eth0", "mac": fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", m.IntN(256), m.IntN(256), m.IntN(256), m.IntN(256), m.IntN(256)), "addresses": m.ip(), "up": true, "wireless": m.chance(3)},
	})
	m.put("firewall_active", m.chance(94))
	m.put("firewall_default_deny", m.chance(90))
	m.put("insecure_services", mostly(m, 95, []any{}, []any{"telnet"}, []any{"ftp"}))
}

func (m *maker) ip() string {
	return fmt.Sprintf("10.%d.%d.%d", m.IntN(256), m.IntN(256), m.IntN(254)+1)
}

func (m *maker) software() {
	m.run("package")
	packages := make([]any, 24)
	for i := range packages {
		packages[i] = m.body.packages[m.zipf(len(m.body.packages))]
	}
	m.put("packages", packages)
	pending := int64(m.zipf(12))
	m.put("pending_security_count", pending)
	m.put("update_metadata_at", m.ago(10*day))
	m.put("automatic_updates", m.chance(70))
	if pending > 0 {
		m.derive("oldest_pending_security_at", m.ago(time.Duration(2+m.zipf(120))*day))
	} else {
		m.derive("oldest_pending_security_at", nil)
	}
}

func (m *maker) log() {
	m.run("log")
	m.put("auditd_active", m.chance(93))
	m.put("audit_immutable", m.chance(80))
	m.put("journald_persistent", m.chance(90))
	m.put("syslog_active", m.chance(90))
	m.put("log_forwarded", m.chance(88))
	m.put("log_forward_encrypted", m.chance(70))
	m.put("log_oldest", m.ago(800*day))
	m.put("log_retention", mostly(m, 85, 365*day, 90*day, 30*day, 1095*day))
	m.put("log_free_ratio", 1-m.Float64()*m.Float64())
	m.put("log_unsafe_files", mostly(m, 96, []any{}, []any{map[string]any{"path": "/var/log/app.log", "mode": "0666", "owner": "app"}}))
	m.put("log_event_classes", m.pick(9, "login", "login-failure", "logout", "account-change", "privilege-use", "policy-change", "file-access", "process", "time-change"))
}

func (m *maker) malware() {
	m.run("malware")
	m.put("malware_product", mostly(m, 90, "製品A", "製品B", "製品C"))
	m.put("malware_active", m.chance(96))
	m.put("malware_realtime", m.chance(94))
	m.put("malware_definitions_at", m.seen.Add(-time.Duration(m.zipf(30*86_400))*time.Second))
	m.put("malware_last_scan", m.seen.Add(-time.Duration(m.zipf(60*86_400))*time.Second))
	m.run("media")
	m.put("usb_storage_policy", mostly(m, 85, "allow-list", "blocked", "open", "no-bus"))
	m.put("media_automount", m.chance(8))
}

func (m *maker) keys() {
	m.run("key")
	files, certificates, listeners := []any{}, []any{}, []any{}
	for i := range m.zipf(4) {
		files = append(files, map[string]any{
			"path": fmt.Sprintf("/etc/ssl/private/%d.key", i), "type": "pem", "mode": "0600", "owner": "root", "encrypted": m.chance(30),
			"world_readable": m.chance(2), "group_readable": m.chance(20), "purpose": mostly(m, 70, "tls", "ssh-host", "unknown", "sign"),
		})
	}
	for i := range m.zipf(5) {
		bits := mostly(m, 70, int64(2048), 3072, 4096, 1024)
		certificates = append(certificates, map[string]any{
			"path": fmt.Sprintf("/etc/ssl/certs/%d.crt", i), "subject": "CN=" + m.host(), "issuer": "CN=庁内認証局", "not_after": m.body.At.AddDate(0, 0, m.IntN(1800)-60),
			"key": mostly(m, 80, "RSA", "ECDSA"), "bits": bits, "signature": "SHA256-RSA", "ca": false, "weak": bits < 2048,
		})
	}
	if m.server() {
		listeners = append(listeners, map[string]any{
			"address": m.ip(), "port": int64(443), "oldest": mostly(m, 90, "TLS1.2", "TLS1.0", "TLS1.3"), "newest": "TLS1.3", "cipher": "TLS_AES_256_GCM_SHA384",
			"not_after": m.body.At.AddDate(0, 0, m.IntN(700)-20), "key": "RSA", "bits": int64(2048), "weak": m.chance(3),
		})
	}
	m.put("key_files", files)
	m.put("certificates", certificates)
	m.put("tls_listeners", listeners)
}

func (m *maker) banner() {
	m.run("banner")
	m.put("banner_present", m.chance(90))
	m.put("banner_local", mostly(m, 85, "証跡を記録しています。", "ようこそ", "Authorized use only. Activity is monitored."))
	m.put("banner_remote", mostly(m, 85, "証跡を記録しています。", "", "Welcome"))
}

func (m *maker) derived() {
	some := func(percent int, prefix string) any { return mostly(m, percent, []any{}, m.names(prefix, 1+m.IntN(4))) }
	m.derive("zone_class", int64(1+m.zipf(4)))
	m.derive("confidentiality", int64(1+m.IntN(3)))
	m.derive("availability", int64(1+m.IntN(2)))
	m.derive("internet_connected", m.chance(10))
	m.derive("system_internet", m.chance(25))
	m.derive("system_status", "in-service")
	m.derive("zone_public_counter", m.chance(6))
	m.derive("unregistered_accounts", some(92, "x"))
	m.derive("unseen_accounts", some(95, "y"))
	m.derive("unregistered_admins", some(96, "z"))
	m.derive("unapproved_listeners", some(90, "tcp/"))
	m.derive("unregistered_media", some(98, "usb"))
	m.derive("stray_keys", some(97, "/etc/ssl/"))
	m.derive("contractor_accounts", some(99, "c"))
	m.derive("declared_differences", some(90, "d"))
	m.derive("disposal_done", m.chance(70))
}
