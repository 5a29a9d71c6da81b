"""OWASP ASVS 5.0, chapters 1 to 5: what comes in and what goes out. See `asvs` for how to read it."""

from __future__ import annotations

REQUIREMENTS = """
1.1.1 2 met Decoded once, before it is checked
    http/test_api_protocol.py::test_odd_json_is_never_our_fault; SECURITY.md#input
1.1.2 2 met Escaped last, by what writes the page
    architecture/test_templates.py::test_values_are_printed_escaped
1.2.1 1 met Escaped for its place in HTML and in headers
    architecture/test_templates.py::test_values_are_printed_escaped
    http/test_media.py::test_a_files_name_is_kept_and_cannot_write_headers
1.2.2 1 met Addresses are encoded, and only web addresses become links
    unit/security/test_addresses.py::test_what_could_break_a_request_is_refused
    http/test_sign_in.py::test_after_signing_in_only_our_own_pages_follow
1.2.3 1 met No script is built from data; JSON is written by a JSON writer
    architecture/test_templates.py::test_nothing_the_content_policy_blocks
    unit/web/test_static.py::test_scripts_make_no_markup_and_run_no_text
1.2.4 1 met SQL is constant, values are bound
    architecture/test_homes.py::test_sql_is_never_built_from_values
1.2.5 1 n/a Commands of the operating system
    The service starts no other program.
1.2.6 2 n/a LDAP
    There is none.
1.2.7 2 n/a XPath
    There is none.
1.2.8 2 n/a LaTeX
    There is none.
1.2.9 2 n/a Regular expressions made of input
    None are: every pattern is a constant of the source.
1.3.1 1 n/a HTML that people write
    Nobody can send HTML; what looks like it is shown as text.
1.3.2 1 met No code is made of data
    architecture/test_templates.py::test_nothing_the_content_policy_blocks
    unit/web/test_static.py::test_scripts_make_no_markup_and_run_no_text
1.3.3 2 met What is dangerous somewhere is cut to what is safe there
    http/test_sign_in.py::test_what_is_missing_is_named_and_what_was_typed_is_kept
    unit/web/test_smtp.py::test_inj_3_two_thousand_mails_have_our_headers_and_no_other
1.3.4 2 met A customer's SVG is never shown as a page
    http/test_media.py::test_a_customers_file_is_data_and_never_a_page
1.3.5 2 met WhatsApp's text marks become four known tags and nothing else
    architecture/test_templates.py::test_markup_is_made_in_templates_only
1.3.6 2 met Calls outside: addresses are judged, then connected as judged
    unit/web/test_egress.py::test_ssrf_1_no_address_of_the_corpus_opens_a_connection_inside
    unit/web/test_egress.py::test_ssrf_2_dns_that_flips
1.3.7 2 met Page templates are files of the program; message variables never reach them
    architecture/test_templates.py::test_every_template_named_exists
1.3.8 2 n/a JNDI
    There is none.
1.3.9 2 n/a memcache
    There is none.
1.3.10 2 met Texts of people are never format strings
    architecture/test_homes.py::test_sql_is_never_built_from_values; SECURITY.md#input
1.3.11 2 met Mail: no line of a person's becomes a header
    unit/web/test_smtp.py::test_inj_3_two_thousand_mails_have_our_headers_and_no_other
1.4.1 2 n/a Memory handled by hand
    Python; what is native comes from libraries named in the bill of materials.
1.4.2 2 met Numbers have bounds
    http/test_api_protocol.py::test_odd_json_is_never_our_fault
1.4.3 2 n/a Memory released by hand
    Python.
1.5.1 1 n/a XML
    No XML is read.
1.5.2 2 met What comes in becomes one known structure; unknown fields are refused
    http/test_api_protocol.py::test_bodies_that_cannot_be_read
    http/test_files_tell_nothing.py::test_the_queue_holds_names_of_jobs_and_ids_only
2.1.1 1 met The rules for input are written down
    SECURITY.md#input
2.1.2 2 met Rules for fields that belong together are written down
    SECURITY.md#input
2.1.3 2 met Limits are written down
    SECURITY.md#limits
2.2.1 1 met Input is held to what is expected
    http/test_api_protocol.py::test_bodies_that_cannot_be_read
    unit/whatsapp/test_media_rules.py::test_files_against_the_rules_are_named_with_the_cure
2.2.2 1 met The server checks, whatever the page checked
    browser/test_without_script.py::test_a_refused_answer_keeps_the_words
    http/test_api_protocol.py::test_bodies_that_cannot_be_read
2.2.3 2 met Fields that belong together are checked together
    http/test_support_access.py::test_what_is_typed_stays_when_a_request_cannot_be_taken
2.3.1 1 met Steps come in their order
    http/test_second_factor.py::test_random_second_steps; http/test_support_machine.py
2.3.2 2 met The limits written down are in force
    unit/security/test_limits.py::test_rate_1_every_decision_is_that_of_a_naive_count
    http/test_api_keys.py::test_a_workspace_has_ten_keys_at_most
2.3.3 2 met A step happens whole or not at all
    reliability/test_scenarios.py::test_short; http/test_no_transaction_during_network.py
2.3.4 2 met What there is one of is given once
    http/test_second_factor.py::test_of_a_hundred_transactions_with_one_code_one_wins
    http/test_exports.py::test_a_file_is_fetched_once_and_is_unreadable_and_gone_afterwards
2.4.1 2 met Calling too much is refused
    http/test_limits.py; unit/security/test_limits.py
3.2.1 1 met What is not a page is not shown as one
    http/test_media.py::test_a_customers_file_is_data_and_never_a_page
    http/test_browser_headers.py::test_hdr_2_other_sites_get_no_stream_no_file_no_data
3.2.2 1 met Text is put into pages as text
    unit/web/test_static.py::test_scripts_make_no_markup_and_run_no_text
3.3.1 1 unmet Every cookie is Secure, with a prefix
    The session's and the device's are, over HTTPS. Those of theme and time zone, which hold nothing secret, are not.
3.3.2 2 met SameSite as each cookie needs it
    http/test_sign_in.py::test_the_cookie_on_plain_http_and_behind_a_proxy_with_https
3.3.3 2 unmet Every cookie is bound to this host
    As 3.3.1: the cookies of theme and time zone have no such prefix.
3.3.4 2 met Scripts cannot read the session's cookie
    http/test_sign_in.py::test_the_cookie_on_plain_http_and_behind_a_proxy_with_https
3.4.1 1 met HTTPS is promised for two years, for sub-domains too
    http/test_browser_headers.py::test_https_alone_is_told_what_https_alone_understands
    http/test_trust_checks.py::test_headers
3.4.2 1 met No answer may be read by another site
    http/test_browser_headers.py::test_hdr_3_no_origin_is_ever_allowed_to_read
3.4.3 2 met A strict content policy on every answer
    http/test_browser_headers.py::test_hdr_1_every_answer_has_the_whole_set
3.4.4 2 met No guessing of types
    http/test_browser_headers.py::test_hdr_1_every_answer_has_the_whole_set
3.4.5 2 met Addresses of pages are not told to other sites
    http/test_browser_headers.py::test_hdr_1_every_answer_has_the_whole_set
3.4.6 2 met No page can be framed
    http/test_browser_headers.py::test_hdr_1_every_answer_has_the_whole_set
3.5.1 1 met Forms of other sites are refused
    http/test_cross_site.py
    http/test_sign_in.py::test_no_other_site_can_use_a_signed_in_browser
3.5.2 1 met The API takes keys in a header only, so no other site's page can use one
    http/test_api_protocol.py::test_a_key_counts_in_its_header_only
3.5.3 1 met What changes something is no GET
    architecture/test_routes.py::test_a_get_changes_nothing
3.5.4 2 unmet Other applications have other host names
    The operator chooses the host name; nothing of ours can see what else answers there.
3.5.5 2 n/a postMessage
    No page listens to it.
3.7.1 2 met Only what browsers support today
    unit/web/test_static.py::test_scripts_make_no_markup_and_run_no_text
3.7.2 2 met No redirect leaves this host
    http/test_sign_in.py::test_after_signing_in_only_our_own_pages_follow
    http/test_second_factor.py::test_the_question_leads_to_no_other_site
4.1.1 1 met Every answer says what it is, and its charset
    http/test_trust_checks.py::test_headers
    http/test_media.py::test_every_kind_of_file_comes_home_and_is_shown_as_what_it_is
4.1.2 2 unmet Only pages are redirected from HTTP to HTTPS
    The example for Caddy redirects every address; a proxy that does it for pages only is the operator's choice.
4.1.3 2 met What a proxy says counts only from a proxy that was named
    unit/web/test_proxies.py::test_rate_4_two_thousand_forged_sets_change_nothing_without_a_proxy
    package/test_proxies.py::test_what_a_client_claims_about_itself_does_not_arrive
4.2.1 2 met Both hops agree where a request ends
    http/test_connections.py; package/test_proxies.py
4.3.1 2 n/a GraphQL
    There is none.
4.3.2 2 n/a GraphQL
    There is none.
4.4.1 1 n/a WebSocket
    Live updates are server-sent events.
4.4.2 2 n/a WebSocket
    Live updates are server-sent events.
4.4.3 2 n/a WebSocket
    Live updates are server-sent events.
4.4.4 2 n/a WebSocket
    Live updates are server-sent events.
5.1.1 2 met Which files are taken is written down
    SECURITY.md#files
5.2.1 1 met Files have a largest size, counted while they come
    http/test_outbound_files.py
    unit/whatsapp/test_media_rules.py::test_files_against_the_rules_are_named_with_the_cure
5.2.2 1 met A file is what it says it is
    unit/whatsapp/test_media_rules.py::test_the_kind_of_a_file
5.2.3 2 n/a Archives are unpacked within bounds
    No archive is unpacked.
5.3.1 1 met No uploaded file is run
    http/test_media.py::test_a_customers_file_is_data_and_never_a_page
    http/test_media.py::test_files_lie_encrypted_and_only_members_get_them
5.3.2 1 met File names on the disk are ours
    http/test_media.py::test_files_lie_encrypted_and_only_members_get_them
5.4.1 2 met The name of a download is said by us
    http/test_media.py::test_a_files_name_is_kept_and_cannot_write_headers
5.4.2 2 met Names in headers are encoded
    http/test_media.py::test_a_files_name_is_kept_and_cannot_write_headers
5.4.3 2 unmet Files are scanned for viruses
    They are not. A customer's file is offered as a download and never opened by the server.
"""
