"""The studio in English and Spanish."""

from __future__ import annotations

import re

from tests.support.browser import STUDIO_FOLDER, Studio, Visit


def test_the_page_is_spanish_where_the_browser_is_or_when_chosen(studio: Studio) -> None:
    page = studio.visit(locale="es-ES").open()
    assert page.get_attribute("html", "lang") == "es"
    assert page.text_content("#invitation") == "Pulsa Componer y escucha."
    visit = studio.visit()
    page = visit.open()
    page.select_option("#language", "es")
    assert page.get_by_role("button", name="Componer", exact=True).is_visible()
    visit.page.get_by_label("Duración", exact=True).fill("12")
    page.get_by_role("button", name="Componer", exact=True).click()
    visit.wait_for_text("#state", "escrita en")
    page.reload()
    visit.wait_for_text("#title", "Sin título, n.º")


def test_both_languages_have_the_same_keys_and_all_that_the_page_uses(modules: Visit) -> None:
    en, es = modules.run(
        """async () => {
          const { LANGUAGES } = await import("/static/page/i18n.js");
          return [LANGUAGES.en, LANGUAGES.es];
        }"""
    )
    assert list(en) == list(es)
    fields = {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in en.items()}
    assert fields == {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in es.items()}
    sources = [*STUDIO_FOLDER.rglob("*.js"), STUDIO_FOLDER / "index.html"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    callers = (
        r"\btranslate(?:Count)?\(|data-i18n(?:-\w+)?=|relabel\([^,]+, |refuse\(|#reject\(\"\w+\", |\b(?:text|key): "
    )
    keys = set(re.findall(rf"(?:{callers})\"([\w.]+)\"", source))
    assert len(keys) > 100
    assert {key for key in keys if key not in en and f"{key}.one" not in en} == set()
    # These two are spelt alike in both languages; any other pair would be a text that nobody translated.
    assert [key for key, text in en.items() if text == es[key]] == ["tempo", "key.escape"]
