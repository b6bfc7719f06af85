"""News out of a package archive: every row counts or is told."""

import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from MLOps.errors import DataError
from MLOps.settings.ingestion import IngestionSettings
from pipelines.data_ingestion import read_package_archive
from pipelines.data_ingestion.read_package_archive import PackageArchiveSource


@pytest.fixture
def source(
    default_settings: IngestionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., PackageArchiveSource]:
    """A source whose news have these dates."""

    def make(*days: str) -> PackageArchiveSource:
        rows = "".join(f"{number},{day},a title,a text\n" for number, day in enumerate(days))
        with zipfile.ZipFile(tmp_path / "news.zip", "w") as bundle:
            bundle.writestr("news.csv", "article_id,publish_date,title,text\n" + rows)
        monkeypatch.setattr(read_package_archive, "fetch_package_file", lambda *_: tmp_path / "news.zip")
        return PackageArchiveSource(default_settings.sources.package_archive, "XNYS", tmp_path, with_news=True)

    return make


def test_dates_are_read_whether_or_not_a_time_stands_beside_them(source: Callable[..., PackageArchiveSource]) -> None:
    news = source("2016/2/7", "    2016/12/30 7:11").news((), None, date(2017, 1, 1))
    assert [f"{day:%Y-%m-%d %H:%M}" for day in news["published_at"]] == ["2016-02-07 00:00", "2016-12-30 00:00"]
    assert news["is_date_only"].all()


@pytest.mark.parametrize("unreadable", ["", "last week", "2016/13/45"])
def test_articles_without_a_readable_date_are_told(
    source: Callable[..., PackageArchiveSource], unreadable: str
) -> None:
    with pytest.raises(DataError, match=r"1 of 2 articles have no readable published_at \(row 1\)"):
        source("2016/2/7", unreadable).news((), None, date(2017, 1, 1))


@pytest.mark.parametrize("universe", ["us_large_caps", "sp500_close_only"])
def test_a_price_is_the_double_nearest_to_what_is_written(
    universe: str, default_settings: IngestionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = "18.447362809681138"  # pandas' own parser gives the double beside it
    settings = default_settings.sources.package_archive
    kind = settings.universes[universe]
    names = dict.fromkeys(kind.columns.values(), written) | {kind.columns["session"]: "2018-01-02"}
    names |= {kind.columns["ticker"]: "AAPL"} if "ticker" in kind.columns else {"AAPL": written}
    (tmp_path / "bars.csv").write_text(f"{','.join(names)}\n{','.join(names.values())}\n")
    monkeypatch.setattr(read_package_archive, "fetch_package_file", lambda *_: tmp_path / "bars.csv")
    source = PackageArchiveSource(settings.model_copy(update={"universe": universe}), "XNYS", tmp_path, with_news=False)
    bars = source.bars((), None, date(2018, 1, 2))
    assert bars["adjusted_close"].tolist() == [float(written)]
