"""The configuration that `labbridge init` writes: what has to be decided stands in force, everything else commented out.

deploy/labbridge.example.toml is the same text, printed from here.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

import msgspec


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a configuration is begun. `store`: the URL; `folder`: of the control socket, where the store is
    no file; `sender`: MSH-3|MSH-4 of the LIS; `receiver`: where comments go, HOST:PORT."""

    facility: str = "LABA"
    store: str = "sqlite:///var/labbridge.db"
    folder: str = "var"
    sender: str = "MYOLIS|LABA"
    timezone: str = "Europe/Paris"
    receiver: str = "127.0.0.1:2576"
    site: str = ""


def example() -> str:
    """deploy/labbridge.example.toml."""
    return text(Start())


def text(start: Start) -> str:
    """The configuration as TOML, with its comments."""
    values = {name: json.dumps(value, ensure_ascii=False) for name, value in msgspec.structs.asdict(start).items()}
    said = Template(_TEXT).substitute(values)
    return said if start.store.startswith("sqlite:") else said.replace("# folder = ", "folder = ")


def beside(data: Path) -> dict[str, str]:
    """What the data's folder settles: the store in a file of it, the control socket, the site's own folder."""
    whole = data.resolve()
    return {"store": f"sqlite:///{whole / 'labbridge.db'}", "folder": str(whole), "site": str(whole / "site")}


_TEXT = """\
# A configuration to start from. Every key: docs/reference/configuration.md. The environment wins: LABBRIDGE_SECTION__KEY.
facility = $facility                       # MSH-4 of what this service sends

[store]
url = $store
# url = "postgresql+psycopg://labbridge@db.lab:5432/labbridge"  # password in ~/.pgpass or PGPASSWORD
# folder = $folder                      # of the control socket, where the store is no file
# durability = "strict"                 # PostgreSQL: start only where commits wait for a standby too

# [node]                                # one of several on one PostgreSQL: docs/how-to/run-several-nodes.md
# name = "lab-a"

[feeds.lis]
listen = "127.0.0.1:2575"               # beyond loopback without TLS: allow_plaintext = true
sender = $sender                  # MSH-3|MSH-4 of the one sender this feed takes
timezone = $timezone               # of times that are sent without an offset
cytoplasmic_reported_as = "unknown"     # positive, negative or negative_with_comment: ask the laboratory
# peers = ["10.0.7.0/28"]               # who may connect; without: anybody
# proxies = ["10.0.0.5"]                # the load balancer: docs/how-to/stand-behind-a-load-balancer.md

# [feeds.lis.tls]                       # a listener with TLS may stand beyond loopback
# certificate = "/etc/labbridge/lis.pem"
# key = "/etc/labbridge/lis.key"
# client_ca = "/etc/labbridge/hospital-ca.pem"  # with it every sender must show a certificate
# client_names = ["myolis.laba.example"]

# [feeds.ward]                          # FHIR R4 comes to the address of [web], below /fhir, with a token
# kind = "fhir"
# sender = "MYOLIS|LABA"
# timezone = "Europe/Paris"
# authorities = { "https://laba.example/mrn" = "LABA" }
# local_systems = ["https://laba.example/codes"]

# [feeds.tables]                        # results are read from a view of the LIS: docs/how-to/read-a-view.md
# kind = "odbc"
# sender = "MYOLIS|LABA"
# timezone = "Europe/Paris"
# [feeds.tables.odbc]
# connection = "DSN=lis;UID=labbridge"
# password_file = "/etc/labbridge/lis.password"
# view = "lis.results_for_labbridge"
# key = ["id"]
# changed = "changed_at"
# columns = { patient_id = "patient_no", filler_order = "order_no", code = "test_code", value = "result", unit = "unit" }

[receivers.lis]
address = $receiver              # where the LIS takes the comments
version = "2.5.1"
comment_mode = "obx"                    # an OBX of our own; nte, report: as the LIS shows it best
# language = "fr"                       # en without
# line_length = 72

# [receivers.lis.tls]                   # the receiver is always verified
# ca = "/etc/labbridge/hospital-ca.pem"
# server_name = "lis.laba.example"

[knowledge]
site = $site                               # the folder of the site's own codes, kits, policy

[web]
listen = "127.0.0.1:8080"               # the workbench; empty: there is none
# behind_tls = true                     # a proxy on this machine speaks TLS in front
# hosts = ["labbridge.laba.example"]    # by which names browsers reach it

[release]
enabled = false                         # release by rule: docs/how-to/release-by-rule.md

# [audit]                               # signed anchors: an audit that was cut off or written anew is found by them
# key = "/etc/labbridge/audit.key"      # labbridge audit key /etc/labbridge/audit.key
# anchors = "/mnt/elsewhere/labbridge.anchors"

# [feeds.beat]                          # a message of a patient that does not exist, every five minutes: it goes the whole
# listen = "127.0.0.1:2599"             # way and is kept nowhere (docs/how-to/watch-it.md)
# [heartbeat]
# feed = "beat"

[admin]
listen = "127.0.0.1:9464"               # /metrics, /readyz, /livez
"""
