"""OWASP ASVS 5.0, chapters 6 to 10: who somebody is and what they may do. See `asvs` for how to read it."""

from __future__ import annotations

REQUIREMENTS = """
6.1.1 1 met How guessing is slowed down is written down
    SECURITY.md#signing-in
6.1.2 2 met Words that may not be in passwords are written down
    SECURITY.md#signing-in
6.1.3 2 met Every way to sign in is written down
    SECURITY.md#signing-in
6.2.1 1 met Passwords have 15 characters, or 8 beside a second factor
    http/test_second_factor.py::test_a_short_password_cannot_be_left_alone
6.2.2 1 met People can change their password
    http/test_sessions.py::test_a_password_is_changed_by_who_knows_it_and_to_a_good_one
6.2.3 1 met A change asks for the old password
    http/test_sessions.py::test_a_password_is_changed_by_who_knows_it_and_to_a_good_one
6.2.4 1 met Common passwords are refused
    unit/security/test_password_rules.py::test_none_of_the_list_is_taken
6.2.5 1 met Any characters are good
    unit/security/test_password_rules.py::test_what_is_long_and_ones_own_is_taken
6.2.6 1 met Password fields hide what is typed
    unit/test_small_promises.py::test_password_fields_hide_what_is_typed_and_let_managers_fill_them
6.2.7 1 met Pasting and password managers work
    unit/test_small_promises.py::test_password_fields_hide_what_is_typed_and_let_managers_fill_them
6.2.8 1 unmet A password is checked as it was typed
    Nothing is cut or folded, but Unicode’s canonical composition comes first, as NIST advises.
6.2.9 2 met 64 characters are taken
    unit/test_small_promises.py::test_a_password_may_have_256_characters_of_any_kind
6.2.10 2 met Passwords do not expire
    SECURITY.md#signing-in
6.2.11 2 met Words of the context are refused
    unit/security/test_password_rules.py::test_what_is_guessed_first_is_not
6.2.12 2 unmet Passwords of known breaches are refused
    Only the bundled list of the commonest is asked; no breach corpus is.
6.3.1 1 met Guessing and stuffing are slowed down
    http/test_throttle.py
    http/test_sign_in.py::test_guessing_is_slowed_down_and_only_for_that_account
6.3.2 1 met There is no default account
    package/test_archive.py::test_a_second_init_refuses_politely
6.3.3 2 unmet A second factor must be used
    It is offered to everybody and can be required by role; it is not required unless the owners say so.
6.3.4 2 met No way in that is not written down, and all as strong
    architecture/test_routes.py::test_the_list_of_public_routes_holds_no_other
    http/test_second_factor.py::test_who_must_have_one_reaches_nothing_else_until_then
6.4.1 1 met First links are random, used once, and end
    http/test_invitations.py::test_a_link_is_good_once; http/test_invitations.py::test_it_ends_after_three_days
6.4.2 1 met No hints, no secret questions
    architecture/test_routes.py::test_the_list_of_public_routes_holds_no_other
6.4.3 2 met A reset does not get around the second factor
    http/test_password_reset.py::test_a_link_does_not_stand_in_for_a_second_factor
    http/test_password_reset.py::test_auth_5_four_hundred_bent_requests
6.4.4 2 met Who lost every factor waits a day, and a colleague answers for them
    http/test_second_factor.py::test_who_lost_everything_waits_a_day_and_everybody_concerned_is_told
6.5.1 2 met A code is good once
    http/test_second_factor.py::test_a_code_is_good_once_however_many_carry_it_at_once
6.5.2 2 met Recovery codes are hashed as passwords are
    http/test_second_factor.py::test_a_recovery_code_opens_once_and_its_person_is_told
6.5.3 2 met Codes and seeds come from the machine's source of chance
    architecture/test_homes.py::test_time_chance_and_environment_are_asked_in_their_leaf
6.5.4 2 met Codes cannot be guessed
    http/test_second_factor.py::test_five_wrong_codes_ask_for_the_password_again_and_twenty_a_day_are_enough
6.5.5 2 met Codes end
    unit/security/test_second_factor.py
    http/test_second_factor.py::test_random_second_steps
6.6.1 2 n/a Codes by telephone
    None are sent.
6.6.2 2 n/a Out-of-band codes
    None are sent.
6.6.3 2 n/a Out-of-band codes
    None are sent.
6.8.1 2 n/a Several identity providers
    One provider can be configured, no more.
6.8.2 2 met Assertions of the provider are signed, and the signature is checked
    unit/security/test_id_tokens.py::test_any_changed_letter_is_noticed
    http/test_oidc_attacks.py::test_every_lie_in_a_token_is_refused_and_nothing_of_it_logged
6.8.3 2 n/a SAML
    There is none.
6.8.4 2 met How strong a sign-in elsewhere was is asked, not assumed
    http/test_oidc_only.py::test_a_second_factor_there_counts_only_when_the_operator_says_so
7.1.1 2 met Lengths of sessions are written down
    SECURITY.md#sessions
7.1.2 2 met How many sessions there may be is written down
    SECURITY.md#sessions
7.1.3 2 met How sessions here and at a provider stand to each other is written down
    SECURITY.md#sessions
7.2.1 1 met The server looks a session up
    http/test_sign_in.py::test_a_disabled_person_stays_out_and_is_put_out
7.2.2 1 met Sessions are made for each sign-in
    http/test_sign_in.py::test_signing_out_ends_the_session_and_its_streams
7.2.3 1 met Their secrets are 256 random bits
    architecture/test_homes.py::test_time_chance_and_environment_are_asked_in_their_leaf
7.2.4 1 met Another secret after each proof
    http/test_sessions.py::test_sess_1_a_planted_cookie_is_worth_nothing
    http/test_second_factor.py::test_a_marked_action_wants_a_fresh_proof
7.3.1 2 met Idle sessions end
    http/test_sign_in.py::test_a_session_ends_after_eight_idle_hours_and_after_a_day
    http/test_sessions.py::test_owners_admins_and_operators_have_half_an_hour_and_half_a_day
7.3.2 2 met Every session ends
    http/test_sign_in.py::test_a_session_ends_after_eight_idle_hours_and_after_a_day
7.4.1 1 met What is over cannot be used
    http/test_sign_in.py::test_signing_out_ends_the_session_and_its_streams
7.4.2 1 met Disabled or removed is out at once
    http/test_sign_in.py::test_a_disabled_person_stays_out_and_is_put_out
    http/test_members.py::test_whoever_is_removed_is_out_of_everything
7.4.3 2 met A changed factor can end the other sessions
    http/test_second_factor.py::test_the_first_factor_ends_the_sessions_that_never_showed_one
    http/test_sessions.py::test_sess_4_a_new_password_ends_the_other_sessions
7.4.4 2 met The way out is on every page
    browser/test_axe.py::test_menus
7.4.5 2 met Admins can end others' sessions
    http/test_sessions.py::test_an_admin_ends_the_sessions_of_who_stands_below
7.5.1 2 met What changes an account asks again who it is
    http/test_second_factor.py::test_every_marked_route_asks_however_it_is_reached
7.5.2 2 unmet People see their sessions and end them
    They do, but without a fresh proof: a stolen session shall be ended fast.
7.6.1 2 met A stale sign-in elsewhere proves nothing here
    http/test_oidc.py::test_a_stale_or_strange_confirmation_proves_nothing
    SECURITY.md#sessions
7.6.2 2 met Signing in through a provider begins with a click of the person
    http/test_oidc_attacks.py::test_a_state_is_of_one_browser_one_answer_and_ten_minutes
8.1.1 1 met Who may do what is written down
    SECURITY.md#permissions
8.1.2 2 met Which fields are hidden from whom is written down
    SECURITY.md#permissions
8.2.1 1 met Every address asks for a permission
    http/test_matrix.py
    architecture/test_routes.py::test_every_route_asks_for_a_permission_or_is_listed_as_public
8.2.2 1 met Every id in an address is looked up for the one who asks
    http/test_permissions.py::test_an_id_of_another_workspace_is_the_same_as_none
    http/test_scope.py::test_every_reading_sees_what_the_rule_says
8.2.3 2 met Numbers are hidden field by field
    http/test_masking.py
8.3.1 1 met The server decides, in one place
    http/test_permissions.py::test_each_role_gets_what_it_was_granted_and_nothing_else
8.4.1 2 met One workspace cannot touch another
    http/test_permissions.py::test_charlie_finds_nothing_at_acme; http/test_trust_checks.py
9.1.1 1 met ID tokens: the signature is checked first
    unit/security/test_id_tokens.py::test_any_changed_letter_is_noticed
9.1.2 1 met Three algorithms, no other
    unit/security/test_id_tokens.py::test_no_other_algorithm_counts
9.1.3 1 met Keys come from the configured provider alone
    unit/security/test_id_tokens.py::test_the_key_is_the_providers_and_of_the_algorithms_kind
    http/test_oidc_attacks.py::test_codes_and_keys_go_only_where_the_issuer_is
9.2.1 1 met Times in them count
    unit/security/test_id_tokens.py::test_what_a_token_says_must_fit
9.2.2 2 met No other kind of token is taken for one
    unit/security/test_id_tokens.py::test_a_head_that_asks_for_more_is_refused
9.2.3 2 met Only those made for us
    unit/security/test_id_tokens.py::test_what_a_token_says_must_fit
9.2.4 2 n/a Issuing tokens to several audiences
    Chime issues none.
10.1.1 2 met Tokens go where they are needed and to nobody else
    unit/whatsapp/test_client_secrets.py::test_nothing_leaks
    http/test_oidc_attacks.py::test_codes_and_keys_go_only_where_the_issuer_is
10.1.2 2 met An answer counts only for the question this browser asked
    http/test_oidc_attacks.py::test_a_state_is_of_one_browser_one_answer_and_ten_minutes
    http/test_oidc_attacks.py::test_a_code_of_another_sign_in_is_worth_nothing
10.2.1 2 met The code flow with state and PKCE
    http/test_oidc.py::test_the_question_is_complete_and_the_cookie_is_http_only
10.2.2 2 n/a Several authorization servers
    One provider can be configured, no more.
10.3.1 2 n/a Being a resource server of OAuth
    Chime takes keys of its own, not tokens of others.
10.3.2 2 n/a Being a resource server of OAuth
    As 10.3.1.
10.3.3 2 n/a Being a resource server of OAuth
    As 10.3.1.
10.3.4 2 n/a Being a resource server of OAuth
    As 10.3.1.
""" + "\n".join(f"""10.4.{number} {level} n/a Being an authorization server
    Chime is none.""" for number, level in ((1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2), (7, 2), (8, 2), (9, 2),
                                            (10, 2), (11, 2))) + """
10.5.1 2 met The nonce is that of the question
    http/test_oidc_attacks.py::test_every_lie_in_a_token_is_refused_and_nothing_of_it_logged
10.5.2 2 met A person is known by issuer and subject, never by an address
    http/test_oidc.py::test_an_account_is_not_opened_by_its_address
10.5.3 2 met The issuer is the one that was configured
    http/test_oidc_attacks.py::test_codes_and_keys_go_only_where_the_issuer_is
10.5.4 2 met The audience is us
    unit/security/test_id_tokens.py::test_what_a_token_says_must_fit
10.5.5 2 n/a Logout through the provider’s back channel
    It is not offered.
10.6.1 2 n/a Being an OpenID provider
    Chime is none.
10.6.2 2 n/a Being an OpenID provider
    Chime is none.
10.7.1 2 n/a Consent at an authorization server
    Chime is none.
10.7.2 2 n/a Consent at an authorization server
    Chime is none.
10.7.3 2 n/a Consent at an authorization server
    Chime is none.
"""
