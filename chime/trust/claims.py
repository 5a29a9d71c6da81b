"""Everything the trust page says: each claim with the check that looks at this installation and the tests behind it;
and what is not claimed. A test checks that each named test exists, and another breaks each control and sees red.
"""

from __future__ import annotations

import msgspec

from chime.trust import backup_checks, delivery_checks, people_checks, secret_checks, storage_checks, web_checks
from chime.trust.ground import Check

CHECKS: dict[str, Check] = {
    "storage.unreadable": storage_checks.unreadable,
    "storage.modes": storage_checks.modes,
    "storage.settings": storage_checks.sqlite_settings,
    "storage.files": storage_checks.stored_files,
    "keys.apart": storage_checks.keys_apart,
    "keys.exchange": secret_checks.exchange,
    "secrets.bound": secret_checks.bound_to_their_place,
    "secrets.sealed": secret_checks.sealed,
    "secrets.hashed": secret_checks.hashed,
    "people.matrix": people_checks.matrix,
    "people.owners": people_checks.owners,
    "people.support": people_checks.support,
    "people.masking": people_checks.masking,
    "audit.trails": delivery_checks.trails,
    "delivery.account": delivery_checks.account,
    "delivery.sends": delivery_checks.sends,
    "delivery.stops": delivery_checks.stops,
    "backups.good": backup_checks.good,
    "backups.second": backup_checks.second,
    "backups.held": backup_checks.held,
    "web.permissions": web_checks.permissions,
    "web.headers": web_checks.headers,
    "web.other_sites": web_checks.other_sites,
    "web.webhooks": web_checks.webhooks,
    "web.limits": web_checks.exact_limits,
    "web.outside": web_checks.outside,
    "web.https": web_checks.https,
}


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """`words` are looked up in the reader's catalogue; `check` is one of `CHECKS`; `tests` are files below `tests/`,
    with a test's name where one stands for the claim."""

    words: str
    check: str
    tests: tuple[str, ...]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Claims about one matter."""

    key: str
    words: str
    icon: str
    claims: tuple[Claim, ...]


GROUPS: tuple[Group, ...] = (
    Group(key="apart", words="Workspaces are apart", icon="database", claims=(
        Claim(words="Each workspace is files of its own, encrypted with a key of its own. No other key opens them.",
              check="keys.apart", tests=("http/test_files_tell_nothing.py", "http/test_trust_checks.py")),
        Claim(words="No statement to the database can reach a second file.", check="storage.settings",
              tests=("http/test_trust_checks.py",)),
        Claim(words="Somebody else’s thing and a thing that does not exist get the same answer.",
              check="web.permissions",
              tests=("http/test_permissions.py::test_an_id_of_another_workspace_is_the_same_as_none",
                     "http/test_permissions.py::test_an_id_of_another_workspace_is_none_for_scripts")))),
    Group(key="sealed", words="Nothing lies open", icon="lock", claims=(
        Claim(words="No file on the server’s disk shows a word, a number or a name without a key.",
              check="storage.unreadable",
              tests=("http/test_files_tell_nothing.py", "http/test_trust_checks.py")),
        Claim(words="Only the service’s own user may read its files.", check="storage.modes",
              tests=("http/test_trust_checks.py", "package/test_service.py")),
        Claim(words="Files that customers send are encrypted piece by piece; a changed or moved piece does not open.",
              check="storage.files", tests=("http/test_media.py",)),
        Claim(words="WhatsApp credentials are sealed for one place in one workspace and open nowhere else.",
              check="secrets.bound", tests=("unit/security/test_sealing.py", "http/test_trust_checks.py")),
        Claim(words="Every key can be exchanged while the server runs, and then nothing is left under the old one.",
              check="keys.exchange",
              tests=("unit/workspaces/test_rotation.py", "unit/workspaces/test_rotation_killed.py")),
        Claim(words="Every stored credential is sealed; none is shown again, only its last four characters.",
              check="secrets.sealed",
              tests=("http/test_secrets_stay_secret.py", "http/test_secrets_never_logged.py")),
        Claim(words="Passwords are kept as argon2id, and sessions, keys and invitations as hashes.",
              check="secrets.hashed",
              tests=("http/test_invitations.py::test_only_a_hash_of_the_token_is_stored",
                     "http/test_trust_checks.py::test_keys_and_secrets")))),
    Group(key="people", words="People get what they were given", icon="users-round", claims=(
        Claim(words="Every address asks for a permission. What is not granted is denied.", check="web.permissions",
              tests=("architecture/test_routes.py", "http/test_matrix.py", "http/test_permissions.py")),
        Claim(words="Roles are one table. Running the server gives no right inside a workspace.",
              check="people.matrix", tests=("http/test_scope.py", "http/test_permissions.py")),
        Claim(words="A workspace never loses its last owner.", check="people.owners",
              tests=("http/test_members.py::test_the_last_owner_stays", "unit/accounts/test_membership_machine.py")),
        Claim(words="Whole phone numbers are shown only to those who may see them.", check="people.masking",
              tests=("http/test_masking.py",)),
        Claim(words="Support gets in only when an owner lets it in: for a while, for named modules, under a banner "
                    "that everybody sees, every page written down.", check="people.support",
              tests=("http/test_support_access.py", "http/test_support_machine.py")))),
    Group(key="messages", words="Messages", icon="message-circle", claims=(
        Claim(words="Each event that WhatsApp delivers takes effect exactly once, or is shown as not applied.",
              check="delivery.account",
              tests=("http/test_delivery_proof.py", "http/test_inbound_order.py", "http/test_replay.py",
                     "reliability/test_scenarios.py")),
        Claim(words="A message is never sent again without telling you.", check="delivery.sends",
              tests=("http/test_doubts.py", "http/test_outbound_trouble.py", "http/test_send_order.py")),
        Claim(words="Whoever said stop stays stopped, also after a restore.", check="delivery.stops",
              tests=("http/test_erasure.py::test_who_said_no_and_was_forgotten_is_known_for_nothing_but_that_no",
                     "http/test_trust_checks.py::test_messages_and_trails")),
        Claim(words="A webhook that WhatsApp did not sign is refused, and nothing of it is kept.",
              check="web.webhooks", tests=("http/test_webhook.py",)))),
    Group(key="audit", words="The audit trail", icon="scroll-text", claims=(
        Claim(words="What people do is written down in the same step as its effect, in a chain that is signed. A row "
                    "that was changed, cut or reordered is found.", check="audit.trails",
              tests=("architecture/test_unaudited.py", "unit/audit/test_audit_attacks.py",
                     "http/test_audit_catalogue.py")),)),
    Group(key="web", words="In the browser and on the wire", icon="globe", claims=(
        Claim(words="Pages run no script but ours, load nothing from other sites and cannot be framed.",
              check="web.headers", tests=("architecture/test_templates.py", "http/test_browser_headers.py",
                                          "browser/test_xss.py")),
        Claim(words="A form that another site sends is refused.", check="web.other_sites",
              tests=("http/test_cross_site.py",)),
        Claim(words="Scripts may call 3 times a second, 20 times in ten seconds and 100 times a minute, exactly.",
              check="web.limits", tests=("unit/security/test_limits.py",)),
        Claim(words="No address that people type leads into the operator’s own network.", check="web.outside",
              tests=("unit/security/test_addresses.py", "unit/web/test_egress.py")),
        Claim(words="People and WhatsApp reach this installation over HTTPS.", check="web.https",
              tests=("package/test_proxies.py",)))),
    Group(key="backups", words="What was lost comes back", icon="history", claims=(
        Claim(words="What changed is backed up within seconds, and a backup counts only after it was restored for "
                    "trial and found whole.", check="backups.good", tests=("unit/backups/test_whole_way.py",)),
        Claim(words="Backups are copied to a second place, and a failure there is told.", check="backups.second",
              tests=("unit/backups/test_second_place.py",)),
        Claim(words="A restore sends nothing by itself, and brings nobody back who was forgotten, said stop or was "
                    "removed.", check="backups.held",
              tests=("http/test_restore.py", "http/test_backup_commands.py")))),
)


class Unclaimed(msgspec.Struct, frozen=True, kw_only=True):
    """Something one might expect and we don't say."""

    words: str
    about: str


NOT_CLAIMED: tuple[Unclaimed, ...] = (
    Unclaimed(words="No certificate: neither SOC 2 nor ISO 27001",
              about="Nobody audited this installation for a certificate. This page and the tests are what there is."),
    Unclaimed(words="Not end-to-end encrypted",
              about="A business phone system has to read messages to show them to a team. They are encrypted on their "
                    "way and on the disk, and open in the memory of this server."),
    Unclaimed(words="Meta can read messages",
              about="They pass WhatsApp’s Cloud API, which Meta runs. Meta’s terms and retention apply there."),
    Unclaimed(words="Whoever has root on this server can read everything",
              about="The keys are in the running service’s memory. Support access covers what Chime offers, not what "
                    "an administrator of the machine can do."),
    Unclaimed(words="“Exactly once” is not claimed for sending",
              about="WhatsApp takes no key that would recognise a repeat. A send without an answer is shown as "
                    "uncertain, and nothing repeats it by itself."),
    Unclaimed(words="What was acknowledged in the last hour may be on this disk alone",
              about="The second place of the backups gets its copies by the hour. A loss of the whole disk loses what "
                    "came since, and everything where no second place is set."),
    Unclaimed(words="The certificate and the proxy are the operator’s",
              about="This page can see that the address is https, not how good the reverse proxy’s settings are."),
)


def claims() -> tuple[Claim, ...]:
    return tuple(claim for group in GROUPS for claim in group.claims)
