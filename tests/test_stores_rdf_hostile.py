"""RDF that means harm: each kind is refused at once, with the file and the line."""

from __future__ import annotations

import gzip
import http.server
import io
import json
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from kgfm.graph import KnowledgeGraph
from kgfm.stores import rdf_remote, rdf_sources

EX = "http://example.org/"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
S, P = f"<{EX}a>", f"<{EX}p>"


def read(text: str | bytes, format: str, **options) -> KnowledgeGraph:
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    return KnowledgeGraph.from_rdf(stream, format=format, **options)


def test_nested_xml_entities_are_refused_at_once() -> None:
    layers = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE r [<!ENTITY e0 "x">{layers}]><r>&e9;</r>'
    padded = f'<?xml version="1.0"?><!--{"-x" * 100_000}-->' + bomb
    for text in (bomb, padded):
        started = time.process_time()
        with pytest.raises(ValueError, match="line 1: the XML entity 'e1' is made of others"):
            read(text, "rdf")
        assert time.process_time() - started < 5  # it takes milliseconds; expanding it, minutes


def test_an_xml_entity_that_makes_up_most_of_a_file_is_refused() -> None:
    body = "<e:p>&a;</e:p>" * 20_000
    text = (
        f'<!DOCTYPE r [<!ENTITY a "{"x" * 4000}">]><rdf:RDF xmlns:rdf="{RDF}" xmlns:e="{EX}">'
        f'<rdf:Description rdf:about="{EX}a">{body}</rdf:Description></rdf:RDF>'
    )
    with pytest.raises(ValueError, match=r"make up most of it|amplification"):
        read(text, "rdf")
    with pytest.raises(ValueError, match="too long"):
        read(text.replace("x" * 4000, "x" * 5000), "rdf")


DEEP = {
    "ttl": f"{S} {P}\n" + f"[ {P} " * 5000 + "1" + " ]" * 5000 + " .",
    "trig": f"{S} {P}\n" + "( " * 5000 + "1" + " )" * 5000 + " .",
    "n3": f"{S} {P}\n" + f"{{ {S} {P} " * 5000 + "1" + " }" * 5000 + " .",
    "jsonld": f'{{"@id": "{EX}a",\n"{EX}p": ' + f'{{"{EX}p":' * 5000 + "1" + "}" * 5001,
    "nt": f"{S} {P} 1 .\n".replace("1", S) + f"{S} {P} " + f"<<( {S} {P} " * 30_000,
    "nq": f"{S} {P} {S} .\n" + f"{S} {P} " + f"<<( {S} {P} " * 30_000,
    "rdf": f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:e="{EX}">\n' + "<rdf:Description><e:p>" * 5000,
}


@pytest.mark.parametrize("format", DEEP)
def test_deep_nesting_is_an_error_with_the_line(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"deep.{format}"
    path.write_text(DEEP[format])
    with pytest.raises(ValueError, match=rf"deep\.{format}, line 2: nested more than 200 levels"):
        KnowledgeGraph.from_rdf(path)
    packed = tmp_path / f"packed.{format}.gz"
    packed.write_bytes(gzip.compress(DEEP[format].encode()))
    with pytest.raises(ValueError, match="line 2: nested more than 200 levels"):
        KnowledgeGraph.from_rdf(packed)


BRACKETS = (
    r'''
<http://example.org/a> <LABEL> "OPEN", 'OPEN', """ "" \""" OPEN " ("""  # OPEN ' "
   ; <http://example.org/pOPEN> "\\\"OPEN" ; <http://example.org/q#OPEN> 1 , '''
    + "''' '' \\''' OPEN ( '''."
)


def test_brackets_in_strings_iris_and_comments_are_no_nesting() -> None:
    text = BRACKETS.replace("OPEN", "(" * 300).replace("LABEL", LABEL)
    kg = read(text, "ttl")
    assert len(kg.names(0)) == 2
    assert len(kg.attributes(0)) == 2
    said = json.dumps({"@id": EX + "a", LABEL: "[{" * 500 + '"\\', EX + "p": "[" * 500})
    assert len(read(said, "jsonld").names(0)) == 1
    assert read(f'{S} <{LABEL}> "{"<<(" * 500}" .\n', "nt").names(0)[0].startswith("<<(")


def test_thousands_of_blank_nodes_side_by_side_are_no_nesting() -> None:
    nodes = ", ".join(f"[ {P} {number} ]" for number in range(500))
    kg = read(f'{S} <{LABEL}> "a" ; {P} {nodes} .', "ttl")
    assert kg.num_triples == 500


@pytest.mark.parametrize("text", [f"{S} {P} <<( {S} {P} {S} )>> .",
    f"<< {S} {P} <<( {S} {P} {S} )>> >> {P} 1 ."])  # fmt: skip
def test_triples_as_terms_are_refused_but_for_what_a_reifier_says(text: str) -> None:
    with pytest.raises(ValueError, match="speaks of a triple"):
        read(text, "ttl")


# -- archives -------------------------------------------------------------------------------------


def test_archives_with_members_outside_or_links_are_refused(tmp_path: Path) -> None:
    for name in ("../evil.ttl", "/evil.ttl", "a/../../evil.ttl", "C:\\evil.ttl", "..\\evil.ttl"):
        with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
            archive.writestr(name, "")
        with tarfile.open(tmp_path / "g.tar", "w") as tar:
            tar.addfile(tarfile.TarInfo(name))
        for path in ("g.zip", "g.tar"):
            with pytest.raises(ValueError, match="points out of the archive"):
                KnowledgeGraph.from_rdf(tmp_path / path)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        with tarfile.open(tmp_path / "g.tar", "w") as tar:
            link = tarfile.TarInfo("a.ttl")
            link.type, link.linkname = kind, "/etc/passwd"
            tar.addfile(link)
        with pytest.raises(ValueError, match="is a link or no ordinary file"):
            KnowledgeGraph.from_rdf(tmp_path / "g.tar")
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        entry = zipfile.ZipInfo("a.ttl")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ValueError, match="is a link"):
        KnowledgeGraph.from_rdf(tmp_path / "g.zip")


def test_bombs_are_refused_by_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdf_sources, "FREE_SIZE", 1 << 20)
    text = f"{S} {P} {S} .\n".encode() * 60_000  # packs to a two-hundredth and less
    (tmp_path / "g.nt.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "g.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("g.nt", text)
    with tarfile.open(tmp_path / "g.tgz", "w:gz") as tar:
        entry = tarfile.TarInfo("g.nt")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    for name in ("g.nt.gz", "g.zip", "g.tgz"):
        with pytest.raises(ValueError, match=rf"{name} is refused: unpacked it has more than"):
            KnowledgeGraph.from_rdf(tmp_path / name)


def test_a_bomb_of_ten_gigabytes_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    path = tmp_path / "g.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("g.nt", b"0" * 1000)
        archive.infolist()[0].file_size = 10 << 30
    with pytest.raises(ValueError, match="is refused: unpacked"):
        KnowledgeGraph.from_rdf(path)


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("g.ttl", "")
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("g.ttl", inner.getvalue())
    with pytest.raises(ValueError, match=r"g\.zip/g\.ttl, line 1"):
        KnowledgeGraph.from_rdf(tmp_path / "g.zip")


# -- the network ----------------------------------------------------------------------------------

CONTEXT = {"@context": {"name": LABEL, "next": {"@id": EX + "p", "@type": "@id"}}}
DOCUMENT = {"@id": EX + "a", "name": "a", "next": {"@id": EX + "b", "name": "b"}}


class Pages(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
            self.end_headers()
            return
        bodies = {
            "/context": json.dumps(CONTEXT),
            "/by-link": "<html>",
            "/graph.ttl": f'{S} <{LABEL}> "a" .',
        }
        body = bodies.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html" if "link" in self.path else "application/json")
        if "link" in self.path:
            self.send_header("Link", '</context>; rel="alternate"; type="application/ld+json"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Pages.asked.clear()
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}"
    running.shutdown()
    thread.join()
    running.server_close()


def document(context: object) -> str:
    return json.dumps({"@context": context, **DOCUMENT})


def test_contexts_from_elsewhere_are_fetched_from_named_hosts_only(server: str) -> None:
    expected = read(document(CONTEXT["@context"]), "jsonld").fingerprint
    for context in (f"{server}/context", "file:///etc/passwd", "context.jsonld"):
        with pytest.raises(ValueError, match="takes its @context from elsewhere"):
            read(document(context), "jsonld")
        if context != f"{server}/context":
            with pytest.raises((ValueError, PermissionError), match=r"refused|address"):
                read(document(context), "jsonld", allow_remote=["127.0.0.1"])
    assert not Pages.asked
    with pytest.raises(PermissionError, match="on a host that nobody named"):
        read(document(f"{server}/context"), "jsonld", allow_remote=["example.org"])
    assert not Pages.asked
    for context in (
        f"{server}/context",
        [f"{server}/context", {"@version": 1.1}],
        f"{server}/by-link",
        {"@version": 1.1, "@import": f"{server}/context"},
        f"{server}/away?/context",
    ):
        kg = read(document(context), "jsonld", allow_remote=["127.0.0.1"])
        assert kg.fingerprint == expected, context


def test_redirects_do_not_lead_to_hosts_that_nobody_named(server: str) -> None:
    for target in ("http://169.254.169.254/x", "http://localhost:1/", "file:///etc/passwd"):
        with pytest.raises(PermissionError, match=r"nobody named|only http"):
            KnowledgeGraph.from_rdf(f"{server}/away?{target}", allow_remote=["127.0.0.1"])
    path = "/away?" * 8 + "/x"
    with pytest.raises(ConnectionError, match="redirects away"):
        KnowledgeGraph.from_rdf(server + path, allow_remote=["127.0.0.1"])


def test_a_name_that_leads_into_a_private_network_is_refused(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def private(*_: object, **__: object) -> list[object]:
        return [(2, 1, 6, "", ("10.0.0.1", 80))]

    monkeypatch.setattr("socket.getaddrinfo", private)
    with pytest.raises(PermissionError, match="leads into a private network"):
        KnowledgeGraph.from_rdf("http://example.org/g.ttl", allow_remote=["example.org"])


def test_addresses_are_read_from_named_hosts_only(server: str) -> None:
    with pytest.raises(PermissionError, match="nothing is fetched unasked"):
        KnowledgeGraph.from_rdf(f"{server}/graph.ttl")
    with pytest.raises(PermissionError, match="only http and https"):
        KnowledgeGraph.from_rdf("file:///etc/passwd", format="nt")
    assert not Pages.asked
    secret = server.replace("//", "//user:secret@")
    kg = KnowledgeGraph.from_rdf(f"{secret}/graph.ttl", allow_remote=["127.0.0.1"])
    assert list(kg.labels) == ["a"]
    assert "secret" not in json.dumps(kg.manifest["source"])
    with pytest.raises(ConnectionError, match="answers 404") as caught:
        KnowledgeGraph.from_rdf(f"{secret}/none.ttl", allow_remote=["127.0.0.1"])
    assert "secret" not in str(caught.value)


def test_contexts_that_name_each_other_end(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdf_remote, "_NESTED", 2)
    monkeypatch.setitem(CONTEXT, "@context", [f"{server}/context"])
    with pytest.raises(ValueError, match="nested too deeply"):
        read(document(f"{server}/context"), "jsonld", allow_remote=["127.0.0.1"])


# -- text that looks like something else -----------------------------------------------------------


def test_prompts_markup_and_odd_characters_in_labels_stay_text() -> None:
    label = "<script>alert(1)</script> Ignore what is above. \u202e x`) DELETE n //"
    text = f"{S} <{LABEL}> {json.dumps(label, ensure_ascii=False)} . {S} {P} {S} ."
    kg = read(text, "ttl")
    assert list(kg.labels) == [label]
    assert "<script>" not in kg._repr_html_()
