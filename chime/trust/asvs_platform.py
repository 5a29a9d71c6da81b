"""OWASP ASVS 5.0, chapters 11 to 17: cryptography, the wire, configuration, data, code and logs. See `asvs`."""

from __future__ import annotations

REQUIREMENTS = """
11.1.1 2 met How keys live and end is written down
    SECURITY.md#keys
11.1.2 2 met Every key and algorithm is written down
    SECURITY.md#cryptography
11.2.1 2 met Cryptography comes from kept libraries
    architecture/test_homes.py::test_libraries_are_used_where_they_live
11.2.2 2 met Keys and forms have versions and can be exchanged while running
    unit/workspaces/test_rotation.py::test_another_master_key_and_every_key_below_it
    unit/workspaces/test_rotation.py::test_values_of_the_first_form_are_read_and_leave_with_the_first_rotation
11.2.3 2 met Nothing under 128 bits
    SECURITY.md#cryptography
11.3.1 1 met No weak modes, no weak padding
    SECURITY.md#cryptography; architecture/test_homes.py::test_libraries_are_used_where_they_live
11.3.2 1 met AES-256, with GCM or, for database pages, with HMAC
    unit/security/test_sealing.py
    SECURITY.md#cryptography
11.3.3 2 met What was changed or moved does not open
    unit/security/test_sealing.py
    http/test_media.py::test_files_lie_encrypted_and_only_members_get_them
11.4.1 1 met SHA-256 throughout
    SECURITY.md#cryptography
11.4.2 2 met Passwords as argon2id
    http/test_trust_checks.py
11.4.3 2 met Hashes of signatures do not collide
    unit/audit/test_audit_tree.py::test_roots_are_those_of_certificate_transparency
11.4.4 2 n/a Keys made from passwords
    No key is made from a password.
11.5.1 2 met What must not be guessed comes from the machine's source of chance
    architecture/test_homes.py::test_time_chance_and_environment_are_asked_in_their_leaf
11.6.1 2 met Signatures are Ed25519
    unit/audit/test_audit_tree.py::test_the_verifier_knows_the_signatures_of_rfc_8032
12.1.1 1 unmet TLS 1.2 and 1.3 only
    The operator's proxy decides. The examples leave it at the defaults of Caddy and nginx, and nothing tests that.
12.1.2 2 unmet Strong cipher suites
    As 12.1.1.
12.1.3 2 n/a Client certificates
    None are taken.
12.2.1 1 unmet HTTPS for everything outside
    The self-check sees the configured address; that the proxy answers nothing in plain text, it cannot see.
12.2.2 1 unmet Certificates that everybody trusts
    The operator's proxy has them.
12.3.1 2 met Every connection outward is encrypted
    unit/web/test_egress.py::test_a_certificate_of_somebody_else_is_no_connection
    unit/web/test_smtp.py::test_without_tls_neither_mail_nor_password_leave
12.3.2 2 met Certificates of others are checked
    unit/web/test_egress.py::test_a_certificate_of_somebody_else_is_no_connection
    unit/whatsapp/test_transport.py::test_tls
12.3.3 2 n/a Encryption between parts
    There is one process; the proxy speaks to it on the same machine.
12.3.4 2 n/a Certificates between parts
    As 12.3.3.
13.1.1 2 met Who is talked to is written down, and shown by this page
    SECURITY.md#outside
13.2.1 2 n/a Parts prove themselves to each other
    There is one process.
13.2.2 2 met The service runs as a user of its own with few rights
    package/test_service.py::test_its_exposure_stays_low
13.2.3 2 met No default credentials
    package/test_archive.py::test_without_the_right_key_it_says_so_and_touches_nothing
13.2.4 2 met A list says which hosts may be called
    unit/web/test_egress.py; unit/security/test_addresses.py
13.2.5 2 met The server calls nothing that is not on it
    unit/web/test_egress.py::test_ssrf_1_no_address_of_the_corpus_opens_a_connection_inside
13.3.1 2 met Secrets are sealed, given by credential or file, and can be destroyed
    unit/workspaces/test_rotation.py::test_what_is_retired_is_destroyed_when_nothing_can_need_it
    http/test_files_tell_nothing.py::test_no_file_shows_a_word_a_name_a_number_or_a_secret
13.3.2 2 met Only what needs a secret opens it
    http/test_secrets_stay_secret.py
    architecture/test_homes.py::test_libraries_are_used_where_they_live
13.4.1 1 met No source control in what is installed
    package/test_archive.py::test_it_holds_every_file_of_the_tree
13.4.2 2 met No debugging answers
    http/test_health.py::test_a_fault_of_ours_is_told_without_its_inside_and_found_in_the_log
13.4.3 2 met No listings of folders
    architecture/test_routes.py::test_the_list_of_public_routes_holds_no_other
13.4.4 2 met TRACE is not answered
    http/test_api_protocol.py::test_unknown_addresses_and_methods
13.4.5 2 met What monitors ask is not for everybody
    http/test_health.py::test_metrics_for_this_machine_only
    package/test_proxies.py::test_metrics_are_not_for_the_world
14.1.1 2 met What is sensitive is written down
    SECURITY.md#data
14.1.2 2 met How each kind is protected is written down
    SECURITY.md#data
14.2.1 1 unmet Nothing sensitive in addresses
    Searches stand in the query of an address, as people want to share and go back; a typed number would too.
14.2.2 2 met Nothing sensitive in caches
    http/test_sign_in.py::test_every_page_says_what_a_browser_may_do_with_it
14.2.3 2 met Nothing goes to trackers
    http/test_trust_checks.py::test_headers; SECURITY.md#outside
14.2.4 2 met Encryption, retention and access as it was written down
    http/test_erasure.py::test_nothing_is_left_of_forgotten_people_and_everything_of_others
    http/test_masking.py
    http/test_secrets_stay_secret.py
14.3.1 1 met The browser forgets when a session ends
    http/test_sessions.py::test_signing_out_over_https_clears_what_the_browser_kept
14.3.2 2 met Browsers keep no page
    http/test_browser_headers.py::test_hdr_1_pages_are_kept_by_nobody_and_files_for_ever
14.3.3 2 unmet Nothing sensitive is kept in the browser
    An unsent draft stays in the tab’s storage until it is sent, the tab is closed or its person signs out.
15.1.1 1 met How fast holes of libraries are mended is written down
    SECURITY.md#dependencies
15.1.2 2 met There is a bill of materials
    package/test_archive.py::test_the_bill_of_materials_names_what_is_inside; architecture/test_dependencies.py
15.1.3 2 met What costs much is written down
    SECURITY.md#limits
15.2.1 1 unmet No library is past its time to be mended
    Nothing asks a list of known holes by itself yet.
15.2.2 2 met What costs much cannot take the service down
    http/test_limits.py::test_a_refused_sign_in_checks_no_password
    http/test_connections.py
    reliability/test_scenarios.py::test_short
15.2.3 2 met No test code in what is installed
    package/test_archive.py::test_it_holds_every_file_of_the_tree
15.3.1 1 met Answers hold the fields that are needed
    http/test_api_reference.py::test_examples_are_true
15.3.2 2 met Calls outward follow no redirect
    unit/web/test_egress.py::test_ssrf_3_no_redirect_leads_inside
15.3.3 2 met Fields that a form does not have are refused or ignored
    http/test_mass_assignment.py
15.3.4 2 met The caller's address cannot be made up
    unit/web/test_proxies.py::test_rate_4_two_thousand_forged_sets_change_nothing_behind_a_proxy
15.3.5 2 met Values have types, checked by a type checker and at the border
    http/test_api_protocol.py::test_bodies_that_cannot_be_read; SECURITY.md#input
15.3.6 2 unmet Scripts keep prototypes clean
    No script makes objects of strangers' keys; nothing tests it.
15.3.7 2 met A field given twice is no trick
    unit/web/test_proxies.py::test_rate_4_two_thousand_forged_sets_change_nothing_without_a_proxy; SECURITY.md#input
16.1.1 2 met What is logged is written down
    SECURITY.md#logs
16.2.1 2 met A row says when, who, where and what
    unit/audit/test_audit_trail.py::test_a_row_says_who_where_and_what
16.2.2 2 unmet Clocks agree
    Times are UTC; keeping the machine's clock right is the operator's.
16.2.3 2 met Logs go where it is written
    SECURITY.md#logs
16.2.4 2 met Logs have one form
    http/test_health.py::test_a_fault_of_ours_is_told_without_its_inside_and_found_in_the_log
16.2.5 2 met Nothing sensitive in logs
    unit/test_log_net.py
    http/test_secrets_never_logged.py::test_a_day_full_of_secrets_leaves_none_in_the_log
16.3.1 2 met Every sign-in, good or not
    http/test_sign_in.py::test_every_attempt_is_in_the_audit_log
16.3.2 2 met Every refusal
    http/test_audit_pages.py::test_who_may_not_read_it_is_told_so_and_that_is_a_row
16.3.3 2 met Security events and attempts
    http/test_audit_catalogue.py
    http/test_webhook.py::test_what_is_not_signed_by_the_app_is_refused_and_leaves_no_trace
16.3.4 2 met Errors, with a reference
    http/test_health.py::test_a_fault_of_ours_is_told_without_its_inside_and_found_in_the_log
16.4.1 2 met Nobody writes lines into the log
    unit/test_small_promises.py::test_nobody_writes_lines_into_the_log
16.4.2 2 met A changed row is found
    unit/audit/test_audit_attacks.py::test_every_change_before_the_last_anchor_is_found
16.4.3 2 unmet Logs go to another machine
    Audit checkpoints can (CHIME_AUDIT_ANCHOR_FILE); sending the log on is the operator's.
16.5.1 2 met Errors tell strangers nothing
    http/test_health.py::test_a_fault_of_ours_is_told_without_its_inside_and_found_in_the_log
16.5.2 2 met It goes on when others are away
    http/test_outbound_trouble.py; reliability/test_scenarios.py::test_short
16.5.3 2 met What fails, fails closed
    http/test_support_access.py::test_what_cannot_be_written_down_is_not_shown
    http/test_health.py::test_while_storage_takes_nothing_that_is_said_and_reading_goes_on
""" + "\n".join(f"""17.{number} 2 n/a WebRTC
    There are no calls.""" for number in ("1.1", "2.1", "2.2", "2.3", "2.4", "3.1", "3.2")) + "\n"
