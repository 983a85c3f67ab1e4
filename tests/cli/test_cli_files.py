"""The commands that need no store: interpret, check, config, doctor, send, version; what they print and leave with."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import SAMPLES, config, run
from tls_files import DAY, Authority

from labbridge import __version__

SRP = SAMPLES / "01-concordant-srp/1b-serology.hl7"
CK = SAMPLES / "01-concordant-srp/1a-ck.hl7"
OTHER = SAMPLES / "03-hmgcr-statin-hep2-negative/1b-serology.hl7"


# ---------------------------------------------------------------- interpret


def test_files_of_one_patient_are_one_outcome(tmp_path: Path) -> None:
    done = run("interpret", SRP, CK, "--config", config(tmp_path), "--format", "json")
    assert (done.code, done.err) == (0, "")
    (outcome,) = done.lines
    assert list(outcome) == [
        "patient", "evaluated_at", "knowledge", "states", "flags", "retests", "comment", "hold", "notes",
        "pathway",
    ]  # fmt: skip
    assert (outcome["patient"]["authority"], outcome["hold"]) == ("LABA", False)
    assert outcome["states"] == {"SRP": "POS_STRONG", "HMGCR": "NOT_TESTED", "HEP2": "CYTO_COMPAT", "CK": "HIGH"}
    assert list(outcome["comment"]) == ["class", "language", "text", "addenda"]
    assert (outcome["comment"]["class"], outcome["comment"]["language"]) == ("C01", "en")
    assert outcome["knowledge"].startswith("sha256:")
    for flag in outcome["flags"]:
        assert flag["rule"].rpartition("@")[2].isdigit()
        assert flag["citations"]
    assert all(set(one) == {"analyte", "families", "priority", "not_before", "reason"} for one in outcome["retests"])


def test_patients_are_a_line_each_in_order_of_appearance(tmp_path: Path) -> None:
    done = run("interpret", OTHER, SRP, "--config", config(tmp_path), "--format", "json")
    assert [one["states"]["SRP"] for one in done.lines] == ["NEG", "POS_STRONG"]


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    where = config(tmp_path)
    one, other = (run("interpret", *files, "--config", where, "--format", "json") for files in ((SRP, CK), (CK, SRP)))
    assert one.lines[0]["comment"] == other.lines[0]["comment"]


@pytest.mark.parametrize("ends", [b"\r", b"\n", b"\r\n"])
def test_line_ends_and_several_messages_in_a_file(tmp_path: Path, ends: bytes) -> None:
    path = tmp_path / "both.hl7"
    path.write_bytes(b"".join(file.read_bytes() for file in (CK, SRP)).replace(b"\n", ends))
    (outcome,) = run("interpret", path, "--config", config(tmp_path), "--format", "json").lines
    assert (outcome["states"]["SRP"], outcome["states"]["CK"]) == ("POS_STRONG", "HIGH")


def test_now_is_the_newest_message_and_never_the_wall_clock(tmp_path: Path) -> None:
    where = config(tmp_path)
    (outcome,) = run("interpret", SRP, CK, "--config", where, "--format", "json").lines
    assert outcome["evaluated_at"].startswith("2026-11-1")
    (later,) = run("interpret", SRP, CK, "--as-of", "2027-03-01", "--config", where, "--format", "json").lines
    assert later["evaluated_at"] == "2027-03-01"


def test_people_read_states_findings_and_comment(tmp_path: Path) -> None:
    done = run("interpret", SRP, CK, "--config", config(tmp_path))
    assert "anti-SRP POS_STRONG   anti-HMGCR NOT_TESTED   HEp-2 CYTO_COMPAT   CK HIGH" in done.out
    assert "MSA_POS_CONCORDANT (SRP)   rule srp-strong-concordant@" in done.out
    assert "retest   HMGCR by quant, routine: PARTNER_MISSING" in done.out
    assert "Anti-SRP strongly positive (line blot)" in done.out
    assert "cites" not in done.out


def test_explained_each_finding_names_its_evidence_and_source(tmp_path: Path) -> None:
    done = run("interpret", SRP, CK, "--explain", "--config", config(tmp_path))
    assert done.out.count("; cites ") >= 3
    assert "  facts    " in done.out
    assert "  rules    " in done.out


def test_what_cannot_be_read_is_named_and_the_rest_is_interpreted(tmp_path: Path) -> None:
    bad = tmp_path / "bad.hl7"
    bad.write_bytes(SRP.read_bytes().replace(b"PID|", b"PIX|") + CK.read_bytes())
    done = run("interpret", bad, "--config", config(tmp_path), "--format", "json")
    assert done.code == 1
    assert "bad.hl7, message 1: " in done.err
    assert len(done.lines) == 1


@pytest.mark.parametrize("content", [b"", b"hello\n", b"PID|1||X\r"])
def test_a_file_that_is_no_hl7_is_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.txt"
    path.write_bytes(content)
    done = run("interpret", path, "--config", config(tmp_path))
    assert (done.code, done.out) == (1, "")
    assert "No MSH segment" in done.err


def test_a_held_patient_needs_a_person(tmp_path: Path) -> None:
    path = tmp_path / "unit.hl7"
    path.write_bytes(CK.read_bytes().replace(b"U/L", b"furlong"))
    done = run("interpret", path, "--config", config(tmp_path), "--format", "json")
    assert done.code == 1
    assert done.lines[0]["hold"] is True
    assert "UNIT_UNKNOWN" in {flag["code"] for flag in done.lines[0]["flags"]}


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    done = run("interpret", tmp_path / "none.hl7", "--config", config(tmp_path))
    assert done.code == 2
    assert "none.hl7: there is no such file" in done.err


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ("[feeds.two]\nlisten = 2575\n", "feeds.two"),
        ('[feeds.two]\nlisten = "nowhere"\n', "feeds.two"),
        ('[feeds.two]\nlisten = "127.0.0.1:99999"\n', "feeds.two"),
        ('[feeds.two]\nlisten = "127.0.0.1:2577"\ntimezone = "Europe/Atlantis"\n', "timezone"),
        ('[feeds.two]\nlisten = "127.0.0.1:2577"\ncharset = "KLINGON"\n', "charset"),
        ('[feeds.two]\nlisten = "127.0.0.1:2577"\ncolour = "red"\n', "colour"),
        ('[receivers.two]\naddress = "127.0.0.1:9"\ncomment_mode = "fax"\n', "comment_mode"),
        ('[receivers.two]\naddress = "127.0.0.1:9"\nversion = "3.0"\n', "version"),
        ("[limits]\nframe_bytes = -1\n", "frame_bytes"),
        ("[[[", ""),
    ],
)
def test_a_wrong_setting_is_named_with_its_key(tmp_path: Path, extra: str, word: str) -> None:
    done = run("config", "--config", config(tmp_path, extra))
    assert (done.code, done.out) == (78, "")
    assert word in done.err
    assert "Traceback" not in done.err


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("config", "--config", tmp_path / "none.toml")
    assert done.code in (2, 78)
    assert "none.toml" in done.err


def test_what_is_in_force_can_be_used_as_it_is_printed(tmp_path: Path) -> None:
    first = run("config", "--config", config(tmp_path))
    again = tmp_path / "again.toml"
    again.write_text(first.out, encoding="utf-8")
    assert run("config", "--config", again).out == first.out
    assert 'facility = "LABA"' in first.out


@pytest.mark.parametrize(
    "command", [["interpret", str(SRP)], ["validate", "x.yaml"], ["doctor"], ["messages"], ["show"]]
)
def test_every_command_refuses_a_wrong_configuration_alike(tmp_path: Path, command: list[str]) -> None:
    done = run(*command, "--config", config(tmp_path, "nonsense = 1\n[odd]\n"))
    assert (done.code, done.out) == (78, "")
    assert done.err.strip()


def test_a_site_folder_that_is_not_there_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    done = run("interpret", SRP, "--config", config(tmp_path, site=tmp_path / "nowhere"))
    assert done.code == 78
    assert "nowhere" in done.err
    assert "There is no such folder." in done.err


def test_a_site_with_a_fault_is_not_used(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "policy.yaml").write_text("- {id: ck_window_d, value: soon}\n", encoding="utf-8")
    done = run("interpret", SRP, "--config", config(tmp_path, site=site))
    assert (done.code, done.out) == (78, "")
    assert "policy.yaml:1:" in done.err


# ---------------------------------------------------------------- check, doctor, version, usage


def test_what_ships_has_no_fault() -> None:
    done = run("check")
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip().endswith(": no fault")


def test_a_sites_fault_is_one_line_with_place_and_repair(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("\n- {id: ck_window_d, value: soon, unit: d, tag: VERIFIED, source: us}\n")
    done = run("check", "--site", tmp_path)
    assert done.code == 1
    assert done.err == "policy.yaml:2: The value is not a decimal number. Write digits with a point.\n"
    assert done.out.endswith("1 fault\n")


def test_the_doctor_names_what_tls_rests_on(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, soon = authority.issue("good"), authority.issue("soon", ends=5 * DAY)
    text = f'[feeds.a]\nlisten = "127.0.0.1:1"\n[feeds.a.tls]\n{{}}[receivers.lis.tls]\nca = "{authority.file}"\n'
    done = run("doctor", "--config", config(tmp_path, text.format(good.toml())))
    assert "ok       feeds.a.tls.certificate for 29 more days" in done.out
    assert "ok       receivers.lis.tls.ca for 89 more days" in done.out
    done = run("doctor", "--config", config(tmp_path, text.format(soon.toml())))
    assert done.code == 1
    assert "missing  feeds.a.tls.certificate for 4 more days: put a renewed one there" in done.out
    soon.key.unlink()
    done = run("doctor", "--config", config(tmp_path, text.format(soon.toml())))
    assert f"missing  feeds.a.tls.key: {soon.key}: there is no such file; name an existing one" in done.out


def test_the_doctor_names_each_thing_with_its_repair(tmp_path: Path) -> None:
    done = run("doctor", "--config", config(tmp_path))
    assert done.code == 0
    assert all(line.startswith("ok ") for line in done.out.splitlines())
    bare = tmp_path / "bare.toml"
    bare.write_text(f'[store]\nurl = "sqlite:///{tmp_path / "s.db"}"\n', encoding="utf-8")
    done = run("doctor", "--config", bare)
    assert done.code == 1
    missing = [line for line in done.out.splitlines() if line.startswith("missing")]
    assert any("add [feeds.NAME]" in line for line in missing)
    assert any("add [receivers.NAME]" in line for line in missing)


def test_the_doctor_leaves_nothing_behind(tmp_path: Path) -> None:
    where = config(tmp_path)
    run("doctor", "--config", where)
    assert [path.name for path in tmp_path.iterdir()] == [where.name]


def test_the_version_is_printed() -> None:
    assert run("version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    "words", [["nonsense"], ["release", "C1@1"], ["send", "x"], ["interpret"], ["show", "--limit", "x"]]
)
def test_wrong_use_leaves_with_two(words: list[str]) -> None:
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err


# ---------------------------------------------------------------- send


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A listener that answers AA, but AE for a message of version 2.1, never for 2.2 (it closes), to 2.3 only in the
    name of another message, and to 2.4 so and then in its own, in one write."""
    heard: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            buffer = b""
            while data := self.connection.recv(65536):
                buffer += data
                while b"\x1c\r" in buffer:
                    block, buffer = buffer.split(b"\x1c\r", 1)
                    heard.append(block[1:])
                    fields = block.split(b"\r")[0].split(b"|")
                    if fields[11] == b"2.2":
                        return
                    code = b"AE" if fields[11] == b"2.1" else b"AA"
                    said = b"MSH|^~\\&|||||2026||ACK|1|P|2.5\rMSA|" + code + b"|" + fields[9] + b"|why\r"
                    other = said.replace(b"|" + fields[9] + b"|", b"|EARLIER|")
                    answers = {b"2.3": [other], b"2.4": [other, said]}.get(fields[11], [said])
                    self.wfile.write(b"".join(b"\x0b" + answer + b"\x1c\r" for answer in answers))
                    if fields[11] == b"2.3":
                        return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1], heard
        server.shutdown()
        thread.join(10)


def test_every_message_of_the_files_is_sent_and_its_answer_printed(listener: tuple[int, list[bytes]]) -> None:
    port, heard = listener
    done = run("send", SRP, CK, "--to", f"127.0.0.1:{port}", "--format", "json")
    assert done.code == 0
    assert [(one["number"], one["code"]) for one in done.lines] == [(1, "AA"), (1, "AA")]
    assert [raw.replace(b"\r", b"\n") for raw in heard] == [SRP.read_bytes(), CK.read_bytes()]


@pytest.mark.parametrize(("version", "code"), [(b"2.1", "AE"), (b"2.2", ""), (b"2.3", "")])
def test_a_refusal_or_silence_needs_a_person(
    tmp_path: Path, listener: tuple[int, list[bytes]], version: bytes, code: str
) -> None:
    path = tmp_path / "one.hl7"
    path.write_bytes(SRP.read_bytes().replace(b"|2.5.1|", b"|" + version + b"|"))
    done = run("send", path, "--to", f"127.0.0.1:{listener[0]}", "--format", "json")
    assert done.code == 1
    assert done.lines[0]["code"] == code


def test_the_answer_that_names_the_message_counts_whatever_came_before_it(
    tmp_path: Path, listener: tuple[int, list[bytes]]
) -> None:
    path = tmp_path / "one.hl7"
    path.write_bytes(SRP.read_bytes().replace(b"|2.5.1|", b"|2.4|"))
    done = run("send", path, "--to", f"127.0.0.1:{listener[0]}", "--format", "json")
    assert (done.code, done.lines[0]["code"]) == (0, "AA")
    path.write_bytes(SRP.read_bytes().replace(b"|2.5.1|", b"|2.3|"))
    done = run("send", path, "--to", f"127.0.0.1:{listener[0]}", "--format", "json")
    assert done.lines[0]["error"] == "the answer names another message"


def test_a_listener_that_is_not_there_is_said_so() -> None:
    done = run("send", SRP, "--to", "127.0.0.1:1")
    assert done.code == 1
    assert "127.0.0.1:1: no connection" in done.err
    assert "is the listener running?" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("interpret", "FOLDER"), "this is a folder"),
        (("validate", "FOLDER"), "this is a folder"),
        (("map", "suggest", "FOLDER"), "this is a folder"),
        (("interpret", str(SAMPLES / "01-concordant-srp/1a-ck.hl7"), "--as-of", "tomorrow"), "tomorrow"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_wrong_use(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = run(*(str(tmp_path) if word == "FOLDER" else word for word in words))
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
