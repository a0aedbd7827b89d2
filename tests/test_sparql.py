"""Graphs from SPARQL endpoints: the snapshot of the file road, through real servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sparql_server import Oxigraph, Virtuoso, oxigraph_server, virtuoso_server

from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.stores.refresh import refresh
from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql import AnswerTooLargeError, Basic, Bearer, Digest, Endpoint
from kgfm.stores.sparql.hosts import address_of
from kgfm.stores.sparql.terms import iri, is_iri, n_triples, string

WORLD = Path(__file__).parents[1] / "graphs" / "world" / "world.ttl"
EX = "http://example.org/"
HOSTILE = ["> } ; DROP ALL #", "x`) DETACH DELETE n //", '" } UNION { ?s ?p ?o } #', "\\u003E }"]

pytestmark = pytest.mark.sparql
# Labels of their own are no matter here.
unlabelled = pytest.mark.filterwarnings("ignore:.*have no label:UserWarning")


def as_n_triples(path: Path) -> bytes:
    parsed = ox.parse(path=path)
    return ox.serialize((quad.triple for quad in parsed), format=ox.RdfFormat.N_TRIPLES) or b""


def files_of(graph: KnowledgeGraph, folder: Path) -> Any:
    return graph.save(folder).manifest["files"]


def from_file(n_triples: str | bytes, folder: Path, **options: Any) -> KnowledgeGraph:
    path = folder / "graph.nt"
    path.write_bytes(n_triples.encode() if isinstance(n_triples, str) else n_triples)
    return KnowledgeGraph.from_rdf(path, **options)


# -- the law ---------------------------------------------------------------------------------------


def test_the_world_from_oxigraph_is_the_world_from_its_file(
    oxigraph: Oxigraph, tmp_path: Path
) -> None:
    expected = files_of(KnowledgeGraph.from_rdf(WORLD), tmp_path / "file")
    url = oxigraph.put(as_n_triples(WORLD))
    told: list[tuple[int, int]] = []
    graph = KnowledgeGraph.from_sparql(url, progress=lambda *at: told.append(at))
    assert files_of(graph, tmp_path / "server") == expected
    assert told[-1][0] == told[-1][1]
    assert graph.manifest["source"]["store"] == "sparql"
    assert graph.manifest["source"]["endpoint"] == url


@pytest.mark.slow
def test_the_world_from_virtuoso_is_the_world_from_its_file(
    virtuoso: Virtuoso, tmp_path: Path
) -> None:
    expected = files_of(KnowledgeGraph.from_rdf(WORLD), tmp_path / "file")
    url = virtuoso.put(as_n_triples(WORLD), EX + "world")
    graph = KnowledgeGraph.from_sparql(url, graph=EX + "world", page=5_000)
    assert files_of(graph, tmp_path / "server") == expected


@pytest.mark.slow
def test_virtuoso_with_digest_auth_gives_the_same(virtuoso: Virtuoso, tmp_path: Path) -> None:
    statements = f'<{EX}a> <{EX}p> <{EX}b> .\n<{EX}a> <{EX}name> "é \\"\\n"@en .\n'
    virtuoso.put(statements, EX + "digest")
    auth = Digest(virtuoso.USER, virtuoso.PASSWORD)
    with pytest.warns(UserWarning, match="no label"):
        graph = KnowledgeGraph.from_sparql(virtuoso.auth_url, graph=EX + "digest", auth=auth)
    with pytest.warns(UserWarning, match="no label"):
        expected = from_file(statements, tmp_path)
    assert graph.fingerprint == expected.fingerprint


@pytest.mark.data
@pytest.mark.slow
def test_metaqa_from_oxigraph_is_metaqa_from_its_file(
    oxigraph: Oxigraph, tmp_path: Path, public_data: Path
) -> None:
    statements = metaqa_n_triples(public_data)
    expected = files_of(from_file(statements, tmp_path), tmp_path / "file")
    url = oxigraph.put(statements)
    graph = KnowledgeGraph.from_sparql(url, page=50_000, timeout=300, retry_for=300)
    assert graph.num_triples > 130_000
    assert files_of(graph, tmp_path / "server") == expected


def metaqa_n_triples(public_data: Path) -> bytes:
    """MetaQA's graph as RDF: an IRI and a label for each entity and relation."""
    from urllib.parse import quote

    from kgfm.datasets.metaqa import read_graph

    labels, relations, triples = read_graph(public_data / "metaqa")

    def name(label: str) -> str:
        return iri(EX + quote(label, safe=""))

    label_of = iri("http://www.w3.org/2000/01/rdf-schema#label")
    lines = [f"{name(label)} {label_of} {string(label)} .\n" for label in (*labels, *relations)]
    lines += [f"{name(h)} {name(r)} {name(t)} .\n" for h, r, t in triples]
    return "".join(lines).encode()


nodes = st.one_of(
    st.sampled_from([f"<{EX}{name}>" for name in "abAB"] + [f"<{EX}é/%20#~'()*,>"]),
    st.sampled_from(["_:x", "_:y", "_:z"]),
)
predicates = st.sampled_from(
    [f"<{EX}p>", f"<{EX}q>", "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"]
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
literals = st.one_of(
    texts.map(string),
    texts.map(lambda text: string(text) + "@en"),
    st.sampled_from(HOSTILE).map(string),
    st.integers(-999, 999).map(lambda n: f'"{n}"^^<http://www.w3.org/2001/XMLSchema#integer>'),
)
labels = st.tuples(nodes, st.just("<http://www.w3.org/2000/01/rdf-schema#label>"), literals)
statements = st.tuples(nodes, predicates, nodes | literals)
graphs = st.lists(statements | labels, min_size=1, max_size=25)


@unlabelled
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graphs, st.integers(1, 6))
@example([(f"<{EX}a>", f"<{EX}p>", "_:x"), ("_:x", f"<{EX}p>", "_:y")], 1)
def test_any_graph_from_a_server_is_the_graph_from_its_file(
    oxigraph: Oxigraph,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, str, str]],
    page: int,
) -> None:
    text = "".join(f"{' '.join(triple)} .\n" for triple in drawn)
    url = oxigraph.put(text)
    expected = from_file(text, tmp_path_factory.mktemp("law"))
    graph = KnowledgeGraph.from_sparql(url, page=page)
    assert graph.fingerprint == expected.fingerprint


# -- parts -----------------------------------------------------------------------------------------

PART = f"""
<{EX}heat> a <{EX}Film> ; <http://www.w3.org/2000/01/rdf-schema#label> "Heat" ;
    <{EX}director> <{EX}mann> ; <{EX}shot> [ <{EX}at> <{EX}paris> ; <{EX}in> [ <{EX}year> 1994 ] ] .
<{EX}mann> a <{EX}Person> ; <http://www.w3.org/2000/01/rdf-schema#label> "Michael Mann" ;
    <{EX}born> <{EX}chicago> .
<{EX}chicago> <http://www.w3.org/2000/01/rdf-schema#label> "Chicago" ; <{EX}in> <{EX}illinois> .
<{EX}paris> <http://www.w3.org/2000/01/rdf-schema#label> "Paris" ; <{EX}in> <{EX}france> .
<{EX}other> <http://www.w3.org/2000/01/rdf-schema#label> "Other" ; <{EX}has> [ <{EX}year> 1 ] .
<{EX}Film> <http://www.w3.org/2000/01/rdf-schema#label> "film" .
<{EX}director> <http://www.w3.org/2000/01/rdf-schema#label> "directed by" .
"""


def triples_of(graph: KnowledgeGraph) -> set[tuple[str, str, str]]:
    columns = (graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist())
    keys = [key.removeprefix(EX) if not key.startswith("_:") else "_:" for key in graph.keys]
    names = [key.removeprefix(EX) for key in graph.relation_keys]
    return {(keys[h], names[r], keys[t]) for h, r, t in zip(*columns, strict=True)}


@unlabelled
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"cls": EX + "Film"}, {("heat", "director", "mann"), ("heat", "shot", "_:")}),
        (
            {"where": f"?s a <{EX}Film> # a comment", "depth": 1},
            {
                ("heat", "director", "mann"),
                ("heat", "shot", "_:"),
                ("mann", "born", "chicago"),
                ("paris", "in", "france"),
            },
        ),
        (
            {"cls": EX + "Film", "depth": 2, "blank_nodes": False},
            {
                ("heat", "director", "mann"),
                ("mann", "born", "chicago"),
                ("chicago", "in", "illinois"),
            },
        ),
    ],
)
def test_a_part_is_whole_descriptions_and_names_of_what_is_around(
    oxigraph: Oxigraph,
    tmp_path: Path,
    options: dict[str, Any],
    expected: set[tuple[str, str, str]],
) -> None:
    (tmp_path / "part.ttl").write_text(PART)
    url = oxigraph.put(as_n_triples(tmp_path / "part.ttl"))
    graph = KnowledgeGraph.from_sparql(url, **options)
    if options.get("blank_nodes", True):
        expected = expected | {("_:", "at", "paris"), ("_:", "in", "_:")}
    assert triples_of(graph) == expected
    assert graph.label(EX + "mann") == "Michael Mann"
    assert graph.types(graph.row(EX + "heat")) == ("film",)
    assert graph.types(graph.row(EX + "mann")) == ("Person",)
    assert graph.relation_text(graph.relation_row(EX + "director")) == "directed by"
    assert EX + "other" not in graph


@unlabelled
@pytest.mark.parametrize("depth", [0, 1])
def test_the_types_of_a_part_come_from_all_classes_above(
    oxigraph: Oxigraph, tmp_path: Path, depth: int
) -> None:
    above = "http://www.w3.org/2000/01/rdf-schema#subClassOf"
    text = "".join(
        f"<{EX}{a}> <{above}> <{EX}{b}> .\n"
        for a, b in [("Film", "Work"), ("Work", "Thing"), ("Thing", "Film"), ("Person", "Agent")]
    )
    text += f'<{EX}Work> <http://www.w3.org/2000/01/rdf-schema#label> "creative work" .\n'
    kind = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
    text += f"<{EX}heat> <{kind}> <{EX}Film> .\n<{EX}mann> <{kind}> <{EX}Person> .\n"
    text += f"<{EX}heat> <{EX}director> <{EX}mann> .\n<{EX}other> <{EX}p> <{EX}o> .\n"
    whole = from_file(text, tmp_path)
    part = KnowledgeGraph.from_sparql(oxigraph.put(text), cls=EX + "Film", depth=depth)
    for key, types in {
        "heat": ("Film", "Thing", "creative work"),
        "mann": ("Agent", "Person"),
    }.items():
        row, there = part.row(EX + key), whole.row(EX + key)
        assert part.types(row) == whole.types(there) == types
        assert part.text(row) == whole.text(there)
    assert EX + "other" not in part


@pytest.mark.slow
def test_a_class_of_the_world_has_the_same_texts_as_in_the_whole(oxigraph: Oxigraph) -> None:
    url = oxigraph.put(as_n_triples(WORLD))
    whole = KnowledgeGraph.from_rdf(WORLD)
    country = "https://kgfm.example/world/vocabulary/Country"
    part = KnowledgeGraph.from_sparql(url, cls=country)
    countries = [key for row, key in enumerate(whole.keys) if "country" in whole.types(row)]
    assert len(countries) > 100
    rows = {whole.row(key) for key in countries}
    assert part.num_triples == sum(int(head) in rows for head in whole.heads)
    for row, key in enumerate(part.keys):
        assert part.text(row) == whole.text(whole.row(key))


# -- a run that is cut off -------------------------------------------------------------------------


@unlabelled
def test_a_run_that_was_cut_off_goes_on_from_its_pages(oxigraph: Oxigraph, tmp_path: Path) -> None:
    lines = [f"<{EX}{n}> <{EX}p> <{EX}{n * 7 % 100}> .\n" for n in range(100)]
    url = oxigraph.put("".join([*lines, f"<{EX}1> <{EX}p> _:b .\n"]))
    expected = KnowledgeGraph.from_sparql(url).fingerprint
    pages = tmp_path / "pages"

    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    first = Endpoint(url)
    with pytest.raises(KeyboardInterrupt):
        KnowledgeGraph.from_sparql(first, folder=pages, page=10, progress=stop)
    assert len(list(pages.rglob("page-*.nt"))) >= 5
    second = Endpoint(url)
    graph = KnowledgeGraph.from_sparql(second, folder=pages, page=10)
    assert graph.fingerprint == expected
    assert second.questions < first.questions
    assert list(pages.iterdir()) == []


@unlabelled
def test_a_graph_that_changes_between_two_runs_is_an_error(
    oxigraph: Oxigraph, tmp_path: Path
) -> None:
    lines = [f"<{EX}{row}> <{EX}p> <{EX}{row + 1}> .\n" for row in range(50)]
    url = oxigraph.put("".join(lines))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        KnowledgeGraph.from_sparql(url, folder=tmp_path, page=10, progress=stop)
    oxigraph.put("".join(lines[:-1]))
    with pytest.raises(ServerUnavailableError, match="the graph changed while it was read"):
        KnowledgeGraph.from_sparql(url, folder=tmp_path, page=10)


# -- refresh ---------------------------------------------------------------------------------------


@unlabelled
@pytest.mark.parametrize(
    "part", [{}, {"cls": EX + "Film", "schema": GraphSchema(language=("de",))}]
)
def test_a_refresh_reads_anew_what_was_changed_and_only_then(
    oxigraph: Oxigraph, tmp_path: Path, part: dict[str, Any]
) -> None:
    modified = "http://purl.org/dc/terms/modified"
    kind = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"

    def film(number: int, day: int) -> str:
        date = f'"2026-01-{day:02}"^^<http://www.w3.org/2001/XMLSchema#date>'
        name = f"<{EX}{number}>"
        label = f'<http://www.w3.org/2000/01/rdf-schema#label> "Film {day}"@de'
        return (
            f"{name} <{kind}> <{EX}Film> .\n{name} <{modified}> {date} .\n{name} {label} .\n"
            f"{name} <{EX}after> <{EX}{day}> .\n"
        )

    films = [film(number, number + 1) for number in range(9)]
    url = oxigraph.put("".join(films))
    saved = KnowledgeGraph.from_sparql(url, modified=modified, **part).save(tmp_path / "graph")
    asked = Endpoint(url)
    same = refresh(tmp_path / "graph", asked)
    assert same.graph.fingerprint == saved.fingerprint
    assert asked.questions == 2
    films[3] = film(3, 20)
    oxigraph.put("".join(films))
    new = refresh(tmp_path / "graph")
    fresh = KnowledgeGraph.from_sparql(url, modified=modified, **part)
    assert new.graph.fingerprint == fresh.fingerprint != saved.fingerprint
    assert new.graph.manifest["source"] == json.loads(json.dumps(fresh.manifest["source"]))
    assert (new.triples_added, new.triples_removed) == (1, 1)


# -- servers that cut answers off ------------------------------------------------------------------


@pytest.mark.slow
def test_the_cut_off_answer_of_an_oxigraph_with_a_time_out_is_an_error(tmp_path: Path) -> None:
    with oxigraph_server(tmp_path, "--timeout-s", "1") as server:
        server.put("".join(f"<{EX}{n}> <{EX}p> <{EX}{n + 1}> .\n" for n in range(3_000)))
        endpoint = Endpoint(server.url, retry_for=0.1)
        with pytest.raises(ServerUnavailableError, match="cut off"):
            endpoint.select("SELECT ?a ?c ?e { ?a ?b ?c . ?d ?e ?f }")


@pytest.mark.slow
def test_a_virtuoso_that_limits_rows_is_asked_for_less(tmp_path: Path) -> None:
    with virtuoso_server(tmp_path, rows=500) as server:
        url = server.put(as_n_triples(WORLD), EX + "world")
        endpoint = Endpoint(url, graph=EX + "world")
        with pytest.raises(AnswerTooLargeError, match="no more than 500 rows"):
            endpoint.select("SELECT * { ?s ?p ?o }")
        graph = KnowledgeGraph.from_sparql(endpoint)
        assert graph.fingerprint == KnowledgeGraph.from_rdf(WORLD).fingerprint


@pytest.mark.slow
def test_a_query_that_virtuoso_estimates_as_too_costly_is_not_asked_again(
    virtuoso: Virtuoso,
) -> None:
    endpoint = Endpoint(virtuoso.url)
    with pytest.raises(AnswerTooLargeError, match="estimated execution time"):
        endpoint.select("SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }")
    assert endpoint.questions == 1


Answer = Callable[[BaseHTTPRequestHandler, str], None]


@contextmanager
def faulty(*answers: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that answers one question after another as told, the last one again and again."""
    asked: list[str] = []

    class Faulty(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(parse_qs(body.decode())["query"][0])
            answers[min(len(asked), len(answers)) - 1](self, asked[-1])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/sparql", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(status: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler, _: str) -> None:
        request.send_response(status)
        given = {"Content-Type": "application/sparql-results+json", **headers}
        for name, value in {"Content-Length": str(len(body)), **given}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = True

    return answer


ONE = json.dumps(
    {
        "head": {"vars": ["n"]},
        "results": {"bindings": [{"n": {"type": "literal", "value": "1"}}]},
    }
).encode()


def test_a_server_that_fails_for_a_moment_is_asked_again() -> None:
    with faulty(reply(503, b"busy"), reply(200, ONE[:-9]), reply(200, ONE)) as (url, asked):
        ((one,),) = Endpoint(url).select("SELECT ?n {}")
        assert getattr(one, "lexical", "") == "1"
        assert len(asked) == 3


def test_a_connection_that_drops_in_the_middle_is_an_error() -> None:
    with (
        faulty(reply(200, ONE[:20], Content_Length="400")) as (url, _),
        pytest.raises(ServerUnavailableError, match="no whole answer"),
    ):
        Endpoint(url, retry_for=0.1).select("SELECT ?n {}")


def test_a_slow_server_ends_at_the_deadline() -> None:
    hold = threading.Event()

    def drip(request: BaseHTTPRequestHandler, _: str) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        while not hold.wait(0.05):
            try:
                request.wfile.write(b" ")
                request.wfile.flush()
            except OSError:
                return

    with faulty(drip) as (url, asked):
        with pytest.raises(ServerUnavailableError, match="too slow"):
            Endpoint(url).select("SELECT ?n {}", within=0.3)
        hold.set()
        assert len(asked) == 1


def test_a_server_that_is_down_is_an_error_after_the_time_for_retries() -> None:
    with faulty(reply(200, ONE)) as (url, _):
        pass
    with pytest.raises(ServerUnavailableError, match="ConnectError"):
        Endpoint(url, retry_for=0.5).select("SELECT ?n {}")


def test_a_server_that_never_recovers_is_named_with_what_it_said() -> None:
    with (
        faulty(reply(503, b"out of memory", Retry_After="99")) as (url, asked),
        pytest.raises(ServerUnavailableError, match="503: out of memory") as error,
    ):
        Endpoint(url, retry_for=1).select("SELECT ?n {}")
    assert error.value.retry_after == 99
    assert len(asked) == 1, "a server that asks to wait longer than there is time is left alone"


def test_an_answer_larger_than_the_limit_is_refused() -> None:
    with (
        faulty(reply(200, b" " * 100_000)) as (url, _),
        pytest.raises(AnswerTooLargeError, match="max_bytes=1,000"),
    ):
        Endpoint(url, max_bytes=1_000).select("SELECT ?n {}")


def test_a_count_that_pages_do_not_reach_is_an_error(tmp_path: Path) -> None:
    def count(request: BaseHTTPRequestHandler, query: str) -> None:
        number = {"type": "literal", "value": "2"}
        subject = {"type": "uri", "value": EX + "a"}
        rows: list[dict[str, Any]] = [{"s": subject, "p": subject, "o": subject}]
        if "COUNT" in query:
            rows = [{"s": subject, "n": number, "m": {"type": "literal", "value": "1"}}]
        named = ["s", "n"] if "GROUP BY" in query else ["n", "m"] if "COUNT" in query else [*"spo"]
        answer = {"head": {"vars": named}, "results": {"bindings": rows}}
        reply(200, json.dumps(answer).encode())(request, query)

    with (
        faulty(count) as (url, _),
        pytest.raises(AnswerTooLargeError, match="counted 2 statements"),
    ):
        KnowledgeGraph.from_sparql(url, folder=tmp_path, blank_nodes=False)


# -- malformed queries and values ------------------------------------------------------------------


def test_a_malformed_query_is_an_error_with_its_place(oxigraph: Oxigraph) -> None:
    with pytest.raises(ValueError, match=r"cannot read the query.*1:"):
        Endpoint(oxigraph.put("")).select("SELECT nonsense")


def test_hostile_values_stay_values(oxigraph: Oxigraph, tmp_path: Path) -> None:
    lines = [f"<{EX}{n}> <{EX}says> {string(text)} .\n" for n, text in enumerate(HOSTILE)]
    lines += [f"<{EX}{n}> <http://www.w3.org/2000/01/rdf-schema#label> {string(text)} .\n"
              for n, text in enumerate(HOSTILE)]  # fmt: skip
    url = oxigraph.put("".join(lines))
    graph = KnowledgeGraph.from_sparql(url)
    assert {graph.attributes(row)[EX + "says"] for row in range(len(graph))} == {*HOSTILE}
    assert graph.fingerprint == from_file("".join(lines), tmp_path).fingerprint
    endpoint = Endpoint(url)
    for text in HOSTILE:
        rows = endpoint.select(f"SELECT ?s WHERE {{ VALUES ?o {{ {string(text)} }} ?s ?p ?o }}")
        assert len(rows) == 2
        for key in (text, EX + text):
            assert not is_iri(key)
            with pytest.raises(ValueError, match="no absolute IRI"):
                iri(key)
            with pytest.raises(ValueError, match="no absolute IRI"):
                KnowledgeGraph.from_sparql(url, cls=key)
            with pytest.raises(ValueError, match="no absolute IRI"):
                Endpoint(url, graph=key)
    assert len(endpoint.select("SELECT * { ?s ?p ?o }")) == len(lines)


@settings(max_examples=30)
@given(st.text(max_size=20))
def test_any_text_comes_back_from_n_triples_as_it_was(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        with pytest.raises(ValueError, match="surrogate"):
            string(text)
        return
    line = f"<{EX}s> <{EX}p> {string(text)} ."
    (quad,) = ox.parse(line.encode(), format=ox.RdfFormat.N_TRIPLES)
    assert quad.object == ox.Literal(text)
    assert n_triples(EX + "s") == f"<{EX}s>"


# -- sign-in ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_wrong_password_fails_at_once_and_shows_nowhere(virtuoso: Virtuoso) -> None:
    endpoint = Endpoint(virtuoso.auth_url, auth=Digest("dba", "s3cret-pw"))
    with pytest.raises(PermissionError, match="refused the sign-in") as error:
        endpoint.select("SELECT * { ?s ?p ?o } LIMIT 1")
    shown = f"{error.value!r} {endpoint!r} {Digest('dba', 's3cret-pw')!r} {vars(endpoint)}"
    assert "s3cret-pw" not in shown
    assert endpoint.questions == 1


@pytest.mark.parametrize(
    ("auth", "header"),
    [(("me", "pw"), "Basic bWU6cHc="), (Bearer("t0ken"), "Bearer t0ken"), (None, None)],
)
def test_each_sign_in_sends_its_header(auth: Any, header: str | None) -> None:
    seen: list[str | None] = []

    def answer(request: BaseHTTPRequestHandler, query: str) -> None:
        seen.append(request.headers["Authorization"])
        reply(200, ONE)(request, query)

    with faulty(answer) as (url, _):
        Endpoint(url, auth=auth).select("SELECT ?n {}")
    assert seen == [header]


def test_a_password_in_the_url_is_taken_out_and_used() -> None:
    endpoint = Endpoint("http://me:s3cret@127.0.0.1:1/sparql?x=1")
    assert endpoint.url == "http://127.0.0.1:1/sparql?x=1"
    assert "s3cret" not in f"{endpoint!r} {Basic('me', 's3cret')!r} {vars(endpoint)}"
    with pytest.raises(ServerUnavailableError) as error:
        Endpoint("http://me:s3cret@127.0.0.1:1/", retry_for=0).select("SELECT ?n {}")
    assert "s3cret" not in str(error.value)


def test_other_sign_ins_are_refused() -> None:
    with pytest.raises(TypeError, match="Basic, Digest or Bearer"):
        Endpoint("http://127.0.0.1/", auth="token")


# -- where a connection may go ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    ["http://localhost:1/sparql", "http://169.254.169.254/latest", "https://example.org/"],
)
def test_a_redirect_to_another_host_is_refused(location: str) -> None:
    with (
        faulty(reply(307, Location=location)) as (url, asked),
        pytest.raises(PermissionError, match="which was not named"),
    ):
        Endpoint(url, auth=("me", "pw")).select("SELECT ?n {}")
    assert len(asked) == 1


def test_a_redirect_on_the_same_host_is_followed_a_few_times() -> None:
    with faulty(reply(307, Location="/elsewhere"), reply(200, ONE)) as (url, asked):
        assert Endpoint(url).select("SELECT ?n {}")
        assert len(asked) == 2
    with (
        faulty(reply(308, Location="/again")) as (url, asked),
        pytest.raises(ValueError, match="more than 3 times"),
    ):
        Endpoint(url).select("SELECT ?n {}")


def test_a_name_that_leads_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(host: str, port: int, **_: object) -> list[Any]:
        return [(2, 1, 6, "", ({"evil.example": "169.254.169.254"}.get(host, "10.1.2.3"), port))]

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    for host in ("evil.example", "intranet.example"):
        with pytest.raises(PermissionError, match=f"private_hosts=\\['{host}'\\]"):
            Endpoint(f"http://{host}/sparql").select("SELECT ?n {}")
    assert address_of("intranet.example", 80, ("intranet.example",)) == "10.1.2.3"
    assert address_of("10.1.2.3", 80, ()) == "10.1.2.3"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/", "example.org", ""])
def test_only_http_addresses_are_endpoints(url: str) -> None:
    with pytest.raises(ValueError, match="http or https"):
        Endpoint(url)


def test_arguments_that_do_not_fit_are_refused() -> None:
    for options, message in (
        ({"cls": EX + "A", "where": "?s ?p ?o"}, "cls or where, not both"),
        ({"depth": 1}, "depth counts from"),
        ({"depth": -1}, "at least 0"),
        ({"page": 0}, "page at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            KnowledgeGraph.from_sparql("http://127.0.0.1:1/", **options)
