"""The package index is read as pip reads it: files first, variables over them."""

from pathlib import Path

from pipelines.data_ingestion.read_pip_config import DEFAULT_INDEX, read_pip_config


def _written(folder: Path, text: str) -> Path:
    path = folder / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_configuration_it_is_pypi() -> None:
    index = read_pip_config({"PIP_CONFIG_FILE": "/dev/null"})
    assert index.index_urls == (DEFAULT_INDEX,)
    assert index.find_links == ()
    assert index.certificate is None


def test_the_users_file_counts(tmp_path: Path) -> None:
    _written(tmp_path / ".config" / "pip", "[global]\nindex-url = https://mirror/simple\ncert = /ca.pem\n")
    index = read_pip_config({"HOME": str(tmp_path)})
    assert index.index_urls[0] == "https://mirror/simple"
    assert index.certificate == "/ca.pem"


def test_lists_take_several_lines_and_the_download_section_wins(tmp_path: Path) -> None:
    text = (
        "[global]\nfind_links = /a\n[download]\nfind-links =\n    /b\n    /c\nextra-index-url = https://x https://y\n"
    )
    index = read_pip_config({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(_written(tmp_path, text))})
    assert index.find_links == ("/b", "/c")
    assert index.index_urls[-2:] == ("https://x", "https://y")


def test_variables_win_over_files(tmp_path: Path) -> None:
    file = _written(tmp_path, "[global]\nindex-url = https://mirror/simple\n")
    environment = {"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(file), "PIP_INDEX_URL": "https://other/simple"}
    assert read_pip_config(environment).index_urls[0] == "https://other/simple"


def test_no_index_leaves_the_folders_only() -> None:
    environment = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/archives"}
    index = read_pip_config(environment)
    assert index.index_urls == ()
    assert index.find_links == ("/archives",)
