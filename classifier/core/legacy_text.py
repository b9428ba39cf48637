"""Text from before UTF-8: file names of old discs and tags of old programs.

A byte string says nothing of its encoding. Here each of the usual ones is tried, and the reading that looks
most like a language wins; statistical detectors need more bytes than a name has.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable, Sequence

ENCODINGS = ("cp949", "cp932", "cp1251", "cp1252")
"""Korean, Japanese, Cyrillic and Western European Windows encodings; where two readings are equally likely,
the first wins."""
ZIP_ENCODINGS = ("cp949", "cp932", "cp866", "cp437", "cp850")
"""In which programs write names of ZIP archives that are not UTF-8: those of DOS, by the language."""
# Looked up now: Python imports an encoding on first use, which a confined process cannot do.
_DECODERS = {
    encoding: codecs.getincrementaldecoder(encoding)
    for encoding in (*ENCODINGS, *ZIP_ENCODINGS, "euc_kr", "latin-1")
}

_CERTAIN = 0.85
_CERTAIN_LEAD = 0.3
_CERTAIN_BYTES = 4
# The more bytes there are, the less chance has a part in how far one reading is ahead.
_MANY_BYTES = 10
_CERTAIN_LEAD_OF_MANY = 0.15
# A field of an ID3v1 tag, which may end in the middle of a character.
_ID3V1_BYTES = 30

# The syllables that make up most of Korean text; those that random pairs of bytes give are mostly others.
_USUAL_HANGUL = frozenset(
    "가각간갈감갑강개거건걸검것게겨결경계고곡골공과관광괜교구국군굴궁권귀그극근글금급기긴길김까깊깨꺼꼭꽃꾸꿈끝나날남낭내너널네노"
    "녀년녕노녹논놀농누눈뉴는늘능니님다단달담당대더덕던데델도독돈돌동되두둘드든들등디따딸때떠또뜨라락란람랑래러런럼레려력련렬령로"
    "록론롱료루룩류르른를름릉리린림마만말맑맘망매머먼멀메며면멸명모목몰못무문물미민밀바박반발밝밤방배백버번벌법벚베벽변별병보복본볼"
    "봄봉부북분불붉비빈빌빗빛빨사산살삶삼상새색생서석선설섬성세센소속손솔송쇼수순술숨숲쉬슈스슬습승시식신실심십싱싸쌍쏘쓰씨아악안"
    "앉알암압앞애야약양어억언얼엄업없엇었엔여역연열염엽영예오옥온올옷와완왕외요욕용우운울움워원월위유육윤율으은을음응의이익인일임입"
    "있잊자작잔잘잠장재쟁저적전절점접정젖제조족존종좋좌죄주죽준줄중쥐즈즉즐증지직진질집짝차착찬찮참찻창채책처천철첫청체초촌총최추"
    "축춘출춤충취치친칠침카칸캐커컬케코콘콜쿠크큰클키킹타탁탄탈태택터털테텔토통투특트튼틀티파판팔팝패팬퍼페편평포폭표푸품풍프플피"
    "필하학한할함합항해햇행향허헌험헤혁현혈협형혜호혼홀홈홍화환활황회효후훈휘휴흐흑흔흘흥희흰히힘"
)


def guess(raw: bytes) -> str:
    """Decode bytes as UTF-8, else in the legacy encoding whose reading is most plausible; never fails."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        readings = _readings([raw])
    return readings[0][2][0] if readings else raw.decode("latin-1")


def guess_zip_names(raws: Sequence[bytes]) -> list[str]:
    """Decode the names of one ZIP archive, of which nothing says that they are UTF-8: most often they are.

    All others were written by one program, in the encoding whose readings are most plausible together.
    """
    readings = _readings([raw for raw in raws if not _is_utf8(raw)], ZIP_ENCODINGS)
    encoding = readings[0][1] if readings else "cp437"
    return [raw.decode() if _is_utf8(raw) else raw.decode(encoding, "replace") for raw in raws]


def guess_escaped(text: str) -> str:
    """Read a file name that Python decoded with ``surrogateescape``, as `guess` does."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return guess(text.encode("utf-8", "surrogateescape"))
    return text


def storable(text: str) -> str:
    """Write a file name, decoded with ``surrogateescape``, in characters that a database takes.

    The bytes that are no UTF-8 are written out (``\\xb0``), so that the text is the same in every run and
    another for every other name, whatever encoding is guessed.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def repair(text: str) -> str:
    """Undo a wrong reading of legacy text, as of an ID3 tag in CP949 that declares to be Latin-1.

    Parameters
    ----------
    text : str
        As a decoder gave it; bytes that it could not read are surrogates (``surrogateescape``).

    Returns
    -------
    str
        With surrogates, the best guess, since nothing says what they are. Text that was read as Latin-1 is
        only replaced where it is certain to be something else.
    """
    return repair_together([text])[0]


def repair_together(texts: Sequence[str]) -> list[str]:
    """Undo a wrong reading of texts that one program wrote, such as all tags of a file, as `repair` does.

    What a short name does not tell alone, as that of an artist of three syllables, the others tell.
    """
    raws = [_legacy_bytes(text) for text in texts]
    encoding = _certain_encoding([raw for raw in raws if raw])
    return [
        text if raw is None else _decoded(text, raw, encoding) for text, raw in zip(texts, raws, strict=True)
    ]


def _legacy_bytes(text: str) -> bytes | None:
    """Return the bytes that were read wrongly; None where nothing was."""
    if text.isascii():
        return None
    try:
        return text.encode("utf-8" if _is_escaped(text) else "latin-1", "surrogateescape")
    except UnicodeEncodeError:
        return None


def _is_escaped(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _certain_encoding(raws: list[bytes]) -> str | None:
    """Return the encoding that all of `raws` together are certainly in."""
    legacy = [raw for raw in raws if not _is_utf8(raw)]
    # Two or three accented letters alone, such as the Danish "ÆØÅ", are Cyrillic letters just as well.
    n_bytes = sum(byte >= 0x80 for raw in legacy for byte in raw)
    if n_bytes < _CERTAIN_BYTES:
        return None
    readings = _readings(legacy)
    if not readings:
        return None
    (score, encoding, _texts), *others = readings
    runner_up = max([0.0, *(other for other, *_ in others)])
    lead = _CERTAIN_LEAD if n_bytes < _MANY_BYTES else _CERTAIN_LEAD_OF_MANY
    return encoding if score >= _CERTAIN and score - runner_up >= lead else None


def _decoded(text: str, raw: bytes, encoding: str | None) -> str:
    """Read one text, given what its neighbours are certainly in."""
    if _is_utf8(raw):
        return raw.decode()
    found = _readings([raw])
    readings = {name: reading for _score, name, (reading,) in found}
    scores = {name: score for score, name, _texts in found}
    alone = _certain_encoding([raw])
    if alone is not None:
        return readings[alone]
    # One field may be in another encoding than the rest, as a German album of a Korean singer.
    if encoding in readings and scores[encoding] > scores.get("cp1252", 0.0):
        return readings[encoding]
    return guess(raw) if _is_escaped(text) else text


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _readings(raws: list[bytes], encodings: Sequence[str] = ENCODINGS) -> list[tuple[float, str, list[str]]]:
    """Give (plausibility from 0 to 1, encoding, texts) of every encoding that reads all, best first."""
    found = []
    for place, encoding in enumerate(encodings):
        try:
            texts = [_DECODERS[encoding]().decode(raw, final=len(raw) != _ID3V1_BYTES) for raw in raws]
        except UnicodeDecodeError:
            continue
        found.append((_plausibility("  ".join(texts), _SCORES[encoding]), -place, encoding, texts))
    return [(score, encoding, texts) for score, _place, encoding, texts in sorted(found, reverse=True)]


def _plausibility(text: str, score: Callable[[str, str, str], float]) -> float:
    """Mean score of the characters that are not ASCII, each scored with its neighbours."""
    padded = f" {text} "
    scores = [
        score(padded[place], padded[place - 1], padded[place + 1])
        for place in range(1, len(padded) - 1)
        if not padded[place].isascii()
    ]
    return sum(scores) / len(scores) if scores else 0.0


def _korean(character: str, before: str, after: str) -> float:
    if character in _USUAL_HANGUL:
        return 1.0
    if "가" <= character <= "힣":
        return 0.55 if _in(character, "euc_kr") else 0.1
    return 0.3 if _is_ideograph(character) else _other(character, before, after)


def _japanese(character: str, before: str, after: str) -> float:
    if "ぁ" <= character <= "ヿ":
        return 1.0
    if "！" <= character <= "ｚ":
        return 0.8
    if "｡" <= character <= "ﾟ":
        return 0.2
    if _is_ideograph(character):
        # The first level of JIS X 0208 are the characters in daily use.
        return 0.8 if character.encode("cp932")[:1] < b"\x99" else 0.4
    return _other(character, before, after)


def _cyrillic(character: str, before: str, after: str) -> float:
    if not "Ѐ" <= character <= "ӿ":
        return _other(character, before, after)
    if _is_latin(before) or _is_latin(after) or (character.isupper() and before.islower()):
        return 0.0
    if not ("А" <= character <= "я" or character in "ЁёІіЇїЄєҐґЎў"):
        return 0.2
    return 1.0 if "Ѐ" <= before <= "ӿ" or "Ѐ" <= after <= "ӿ" else 0.5


def _western(character: str, before: str, after: str) -> float:
    if not character.isalpha() or character in "ªºµƒˆ":
        return _other(character, before, after)
    if character.isupper() and before.islower():
        return 0.0
    # Letters of another script, read as Western ones, stand side by side; accented letters hardly ever do.
    if _is_latin(before) or _is_latin(after):
        return 1.0
    return 0.1 if before.isalpha() or after.isalpha() else 0.6


def _other(character: str, before: str, after: str) -> float:
    """Score typographic marks, which names hold in every language, above other symbols."""
    if character in "’‘“”–—…°«»¿¡·、。「」『』・～♪☆★":
        return 0.5
    return 0.1 if unicodedata.category(character)[0] in "CS" else 0.2


def _is_ideograph(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _in(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


_SCORES: dict[str, Callable[[str, str, str], float]] = {
    "cp949": _korean,
    "cp932": _japanese,
    "cp1251": _cyrillic,
    "cp866": _cyrillic,
    "cp437": _western,
    "cp850": _western,
    "cp1252": _western,
}
