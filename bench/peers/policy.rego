# The controls that every engine judges, as one would write them for OPA: a
# machine is denied where it does not show what is wanted. Lengths and instants are
# milliseconds. What must be there has a rule of its own: "not a >= b" itself is
# undefined, not true, where a is missing.
package kakusho

in_use if input.status != "disposed"

running if input.status == "in-service"

server if input.role == "server"

protected if {
	running
	input.role in input.p.av_required_kinds
}

exempt if {
	input.malware_measure == "allow-list"
	"allow-listing" in input.p.av_exempt_measures
}

exempt if {
	input.malware_measure == "isolation"
	"isolation" in input.p.av_exempt_measures
}

no_ssh if input.sshd_installed == false

age(t) := input.now - t

pw_length if input.pw_min_length >= input.p.auth_pw_min_length

deny contains "auth/password-length" if {
	in_use
	not pw_length
}

pw_classes if input.pw_classes >= input.p.auth_pw_classes

deny contains "auth/password-classes" if {
	in_use
	not pw_classes
}

pw_history if input.pw_history >= input.p.auth_pw_history

deny contains "auth/password-history" if {
	in_use
	not pw_history
}

pw_hash if input.pw_hash in input.p.auth_pw_hash_allowed

deny contains "auth/password-hash" if {
	in_use
	not pw_hash
}

deny contains "auth/password-dictionary" if {
	in_use
	not input.pw_dictionary_check
}

lockout_threshold if {
	input.lockout_threshold > 0
	input.lockout_threshold <= input.p.auth_lockout_threshold
}

deny contains "auth/lockout-threshold" if {
	in_use
	not lockout_threshold
}

lockout_window if input.lockout_window >= input.p.auth_lockout_window

deny contains "auth/lockout-window" if {
	in_use
	not lockout_window
}

lockout_duration if input.lockout_duration == 0

lockout_duration if {
	not input.p.auth_lockout_admin_release
	input.lockout_duration >= input.p.auth_lockout_duration
}

deny contains "auth/lockout-duration" if {
	in_use
	not lockout_duration
}

lock_limit := input.p.auth_session_lock_min_server if server

lock_limit := input.p.auth_session_lock_min_terminal if not server

screen_lock if input.graphical == false

screen_lock if {
	input.screen_lock_enabled
	input.screen_lock_idle <= lock_limit
}

deny contains "auth/screen-lock" if {
	in_use
	not screen_lock
}

shell_timeout if {
	input.shell_timeout > 0
	input.shell_timeout <= input.p.auth_session_lock_min_server
	input.shell_timeout_readonly
}

deny contains "auth/shell-timeout" if {
	server
	in_use
	not shell_timeout
}

ssh_no_root if no_ssh

ssh_no_root if {
	input.sshd_permit_root_login == "no"
	every m in input.sshd_match {
		no_root_match(m)
	}
}

no_root_match(m) if m.keyword != "permitrootlogin"

no_root_match(m) if regex.match("(?i)^(no|false)$", m.value)

deny contains "auth/ssh-no-root" if {
	in_use
	not ssh_no_root
}

ssh_tries if no_ssh

ssh_tries if input.sshd_max_auth_tries <= input.p.auth_lockout_threshold

deny contains "auth/ssh-tries" if {
	in_use
	not ssh_tries
}

ssh_idle if no_ssh

ssh_idle if {
	input.sshd_idle_timeout > 0
	input.sshd_idle_timeout <= input.p.auth_session_lock_min_admin
}

deny contains "auth/ssh-idle" if {
	in_use
	not ssh_idle
}

used(x) if not x.interactive

used(x) if x.system

used(x) if {
	x.never_logged_in
	age(x.changed_at) <= input.p.acct_disable_inactive_days
}

used(x) if {
	not x.never_logged_in
	age(x.last_login) <= input.p.acct_disable_inactive_days
}

accounts_used if every x in input.accounts {
	used(x)
}

deny contains "auth/inactive-accounts" if {
	in_use
	not accounts_used
}

deny contains "auth/no-empty-password" if {
	in_use
	some x in input.accounts
	x.interactive
	x.password == "empty"
}

deny contains "auth/stored-password-hash" if {
	in_use
	some x in input.accounts
	x.password == "set"
	not x.hash in input.p.auth_pw_hash_allowed
}

age_limited(x) if {
	x.max_days > 0
	x.max_days <= input.p.auth_pw_max_age_days
}

deny contains "auth/password-age" if {
	in_use
	input.p.auth_pw_max_age_days > 0
	some x in input.accounts
	x.interactive
	x.password == "set"
	not age_limited(x)
}

deny contains "auth/unique-uids" if {
	in_use
	not count(input.duplicate_uids) == 0
}

deny contains "auth/one-root" if {
	in_use
	some x in input.uid0_accounts
	x != "root"
}

deny contains "auth/no-passwordless-sudo" if {
	in_use
	some r in input.sudo_rules
	r.nopasswd
	r.all
}

deny contains "auth/homes-protected" if {
	in_use
	not count(input.unsafe_homes) == 0
}

deny contains "crypto/disk-cipher" if {
	in_use
	some v in input.volumes
	v.encrypted
	not v.cipher in input.p.crypto_disk_cipher
}

deny contains "crypto/certificate-key-length" if {
	in_use
	some c in input.certificates
	startswith(c.key, "RSA")
	not c.bits >= input.p.crypto_rsa_min_bits
}

deny contains "crypto/certificate-key-length" if {
	in_use
	some c in input.certificates
	startswith(c.key, "EC")
	not c.bits >= input.p.crypto_ecc_min_bits
}

deny contains "crypto/certificates-in-date" if {
	running
	some t in input.tls_listeners
	not input.now < t.not_after
}

deny contains "crypto/ssh-ciphers" if {
	in_use
	not no_ssh
	some c in input.sshd_ciphers
	not c in input.p.crypto_ssh_ciphers
}

deny contains "crypto/tls-versions" if {
	in_use
	some t in input.tls_listeners
	not t.oldest in input.p.crypto_tls_versions
}

definitions_fresh if age(input.malware_definitions_at) <= input.p.av_definition_max_age_days_online

definitions_fresh if {
	input.system_internet == false
	age(input.malware_definitions_at) <= input.p.av_definition_max_age_days_closed
}

definitions_fresh if exempt

deny contains "malware/definitions-fresh" if {
	protected
	not definitions_fresh
}

scan_limit := input.p.av_fullscan_days_server if server

scan_limit := input.p.av_fullscan_days_terminal if not server

scanned if age(input.malware_last_scan) <= scan_limit

scanned if exempt

deny contains "malware/full-scan" if {
	protected
	not scanned
}

product_running if input.malware_active

product_running if exempt

deny contains "malware/product-running" if {
	protected
	not product_running
}

firewall if {
	input.firewall_active
	input.firewall_default_deny
}

deny contains "network/host-firewall" if {
	in_use
	input.p.net_flow_default_deny
	not firewall
}

deny contains "network/no-wireless-on-servers" if {
	server
	in_use
	some i in input.interfaces
	i.wireless
	i.up
}

deny contains "server/clock-offset" if {
	server
	running
	not input.time_offset <= input.p.time_max_offset_ms_server
}

synchronised if {
	input.time_synchronized
	age(input.time_last_sync) <= input.p.time_max_unsynced_h
}

deny contains "server/clock-synchronised" if {
	server
	running
	not synchronised
}

deny contains "server/os-supported" if {
	server
	in_use
	input.p.srv_os_supported
	not input.now < input.os_support_end
}

updated if input.pending_security_count == 0

updated if age(input.oldest_pending_security_at) <= input.p.vuln_deadline_critical

updated if {
	input.system_internet == false
	age(input.oldest_pending_security_at) <= input.p.vuln_deadline_closed
}

deny contains "server/security-updates" if {
	server
	running
	not updated
}

recorded if {
	input.auditd_active
	input.syslog_active
}

recorded if {
	input.auditd_active
	input.journald_persistent
}

deny contains "trail/recording" if {
	running
	not recorded
}

deny contains "trail/free-space" if {
	running
	not input.log_free_ratio * 100 >= 100 - input.p.log_full_alarm
}

retained if age(input.log_oldest) >= input.p.log_retention_min

retained if age(input.in_service_on) < input.p.log_retention_min

retained if input.log_forwarded

deny contains "trail/retention-achieved" if {
	running
	not retained
}

event_classes if every e in input.p.log_events_computer {
	e in input.log_event_classes
}

deny contains "trail/event-classes" if {
	running
	not event_classes
}

deny contains "media/usb-restricted" if {
	in_use
	input.p.media_default == "deny"
	not input.usb_storage_policy in {"blocked", "allow-list", "no-bus"}
}
