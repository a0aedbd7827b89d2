"""Names in scripts without spaces, in other forms, and never inside of something else."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.fold import tokens
from kgfm.linking.wholes import Wholes, addresses


def found(names: str, text: str) -> str:
    """Return what a linker finds of names between bars, in the same way."""
    records = [{"key": name, "label": name} for name in names.split("|")]
    linker = Linker(KnowledgeGraph.from_records(records, []))
    mentions = linker(text)
    assert all(text[m.start : m.end] == m.text for m in mentions)
    scanned = NameDictionary(linker.graph, linker.names.arrays, compiled=True).scan([text])
    spans = [*zip(scanned.starts.tolist(), scanned.ends.tolist(), strict=True)]
    assert {(m.start, m.end) for m in mentions} <= {*spans}
    return "|".join(mention.text for mention in mentions)


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        ("广州|深圳", "我们从广州去深圳了", "广州|深圳"),
        ("广州市|广州", "广州市在南方", "广州市"),
        ("京都|奈良", "京都と奈良へ行く", "京都|奈良"),
        ("さくら", "彼はさくらが好き", "さくら"),
        ("ソニー|ニー", "ソニーは会社です", "ソニー"),
        ("ニー", "ソニーは会社です", ""),
        ("เชียงใหม่", "เขาไปเชียงใหม่แล้ว", "เชียงใหม่"),
        ("ວຽງຈັນ", "ຂ້ອຍຢູ່ວຽງຈັນ", "ວຽງຈັນ"),
        ("ភ្នំពេញ", "ទីក្រុងភ្នំពេញគឺ", "ភ្នំពេញ"),
        ("ရန်ကုန်", "ကျွန်တော်ရန်ကုန်မှာ", "ရန်ကုန်"),
        ("Sony|索尼", "索尼(Sony)在Sony工作", "索尼|Sony|Sony"),
        ("火", "火曜日に火が", "火"),
        ("กา", "กาแฟ กา", "กา"),
    ],
)
def test_names_are_found_where_no_space_is_around_them(
    names: str, text: str, expected: str
) -> None:
    assert found(names, text) == expected


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        ("부산", "부산은 바다가 있다", "부산"),
        ("부산", "부산에서는, 부산까지도", "부산|부산"),
        ("대구|제주", "대구와 제주를", "대구|제주"),
        ("부산", "부산대학교", ""),
        ("부산", "부산를", ""),  # the particle that goes with a vowel
        ("이상", "이 상은 크다", ""),
        ("산", "부산", ""),
        ("강", "강도가 들었다", ""),
        ("NASA", "NASA의 계획", "NASA"),
        ("한국은행", "한국은행이", "한국은행"),
    ],
)
def test_korean_names_are_found_before_particles_and_in_no_other_word(
    names: str, text: str, expected: str, form: Literal["NFC", "NFD"]
) -> None:
    text = unicodedata.normalize(form, text)
    assert unicodedata.normalize("NFC", found(names, text)) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Weißbier", "WEISSBIER"),
        ("GROSSGLOCKNER", "Großglockner"),
        ("Floß", "FLOẞ"),
        ("Finland", "Ｆｉｎｌａｎｄ"),
        ("Finland", "\ufb01nland"),
        ("Staffel", "Sta\ufb00el"),
        ("Oedipe", "Œdipe"),
        ("Louis XVI", "Louis \u2169\u2164\u2160"),
        ("ＮＨＫ", "nhk"),
        ("カメラ", "\uff76\uff92\uff97"),
        ("ガム", "\uff76\uff9e\uff91"),
        ("ガム", unicodedata.normalize("NFD", "ガム")),
        ("\u0645\u0644\u0627", "\u0645\ufefb"),
        ("Ökologie", "\U0001d40ekologie"),
    ],
)
def test_one_letter_may_stand_for_two_and_have_other_forms(name: str, text: str) -> None:
    around = f"({text}) and {text}"
    assert found(name, around) == f"{text}|{text}"
    assert tokens(name).keys == tokens(text).keys


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        ("250|12", "12,250 and 12.250 and 250", "250"),
        ("250", "4\u00a0250 or 4\u202f250 or 4'250", ""),
        ("7", "at 7:30, of 7.5, in 7", "7"),
        ("Python 2|Python", "Python 2.7, Python 2", "Python|Python 2"),
        ("F|J", "F# and J# and F#4, F", "F"),
        ("C", "C++, C++17, C, c.", "C|c"),
        ("Disney", "Disney+ by Disney", "Disney"),
        ("A", "saw A* and *A*", "A"),
        ("X|T|D|R", "X-ray, AT&T, D'Artagnan, R&B, Mach-T, R", "R"),
        ("Express", "express.js and Express", "Express"),
        ("NET", "ASP.NET", ""),
        ("Oslo", "https://oslo.kommune.no/oslo?oslo=1#oslo, Oslo", "Oslo"),
        ("Oslo", "info@oslo.no, oslo@example.org; www.oslo.no/oslo and oslo.com", ""),
        ("Oslo", "/home/oslo/x ~/oslo/y C:\\\\oslo\\\\z Oslo/Bergen", "Oslo"),
        ("oslo.com|Oslo", "oslo.com is not https://oslo.com", "oslo.com"),
        (
            "Oslo",
            "in Oslo.Then, (Oslo), \u201cOslo\u201d, Oslo's, Oslo-based.",
            "Oslo|" * 4 + "Oslo",
        ),
        ("東京", "http://example.jp/wiki/東京 と東京", "東京"),
        ("東京", "http://example.jpと東京", "東京"),
        ("🇳🇴|🇴🇪|🇪🇸", "🇳🇴🇪🇸", "🇳🇴|🇪🇸"),
        ("🏴", "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f 🏴", "🏴"),
    ],
)
def test_no_name_is_found_inside_of_something_more(names: str, text: str, expected: str) -> None:
    assert found(names, text) == expected


def test_addresses_end_before_the_punctuation_of_the_sentence() -> None:
    text = "(see_https://example.org/a_(b)?c=d,e),"
    ((start, end),) = addresses(text)
    assert text[start:end] == "https://example.org/a_(b)?c=d,e" or text[start:end].endswith("d,e")


@pytest.mark.parametrize("unit", ["a.", "a@", "a/", "a-b.", "\U0001f1e6", "http://", "a@b.cc,"])
def test_a_long_run_is_looked_at_once(unit: str) -> None:
    text = unit * 20_000
    whole = Wholes(text)
    for start in range(0, len(text), len(unit)):
        whole.is_part(start, start + 1)
