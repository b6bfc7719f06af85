"""A company is found where it is spoken of, and not where its name means something else."""

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from MLOps.market.company_names import CompanyNames
from MLOps.settings.company_names import Company
from MLOps.settings.project import project_root

TABLE = {
    key: Company.model_validate(company)
    for key, company in yaml.safe_load((project_root() / "config/company_names.yaml").read_text())["companies"].items()
}
NAMES = CompanyNames(TABLE)
META = {"META", "FB"}
GOOGLE = {"GOOG", "GOOGL"}


def company(**changes: tuple[str, ...]) -> Company:
    fields = {"tickers": ("ACM",), "names": ("Acme",), "products": (), "company_contexts": (), "other_contexts": ()}
    return Company.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("sentence", "tickers"),
    [
        ("Apple's chief executive met the prime minister.", {"AAPL"}),
        ("Apple\u2019s chief executive met the prime minister.", {"AAPL"}),
        ("APPLE SUES SAMSUNG", {"AAPL"}),
        ("(Apple, Google) and Amazon.com Inc fell.", {"AAPL", "AMZN"} | GOOGLE),
        ("Supplies for the next iPhone are short.", {"AAPL"}),
        ("The Amazon founder was in space.", {"AMZN"}),
        ("Facebook is unusually difficult about implementing German law.", META),
        ("Meta Platforms cut a tenth of its staff.", META),
        ("The court put a fine on Facebook.", META),
        ("The regulator insists on Facebook's word.", META),
        ("Facebook posts record profit.", META),
        ("Google's parent company Alphabet filed a lawsuit.", GOOGLE),
        ("The new device will run on Google's Android system.", GOOGLE),
        ("Chips of rival NVIDIA sold well.", {"NVDA"}),
        ("I bought $NFLX, $GOOGL and $FB today.", {"NFLX"} | GOOGLE | META),
        ("Netflix (NASDAQ: NFLX) and Walmart (NYSE:WMT) rose.", {"NFLX", "WMT"}),
        ("Procter & Gamble and J.P. Morgan beat Johnson & Johnson.", {"PG", "JPM", "JNJ"}),
        ("Wal-Mart and Coca-Cola", {"WMT", "KO"}),
        ("The former Exxon Mobil CEO spoke.", {"XOM"}),
    ],
)
def test_finds_the_company_that_is_spoken_of(sentence: str, tickers: set[str]) -> None:
    assert NAMES.find(sentence) == tickers


@pytest.mark.parametrize(
    "sentence",
    [
        "An apple pie, Apple pie, and more apples.",
        "Love and dating in the Big Apple.",
        "Their album is out exclusively on Apple Music.",
        "The Star-Apple Kingdom",
        "Vulnerable rainforests - including the Amazon - burn.",
        "Amazon rainforest, the Amazon River, and Peru's Amazon basin",
        "His book became available on Amazon last November.",
        "A meta-analysis, Meta-analysis or META ANALYSIS of trials",
        "Metallica and metadata",
        "Our time together is netflix; the best Netflix recs.",
        "They tried to Google his name; you googled it.",
        "Alphabet soup",
        "Our reader's friends at a Walmart parking lot",
        "Pepsi and Shirlie sang along.",
        "write to someone@Google or @Google, visit plus.Google.com and Google+",
        "A$AP Rocky paid $META4, $APPLE and $5.",
        "",
        " \t\n",
        "\U0001f34e\U0001f600",
    ],
)
def test_finds_no_company_where_the_name_means_something_else(sentence: str) -> None:
    assert NAMES.find(sentence) == set()


@pytest.mark.parametrize(
    "sentence",
    [
        "Follow us on Facebook, on Twitter @BBCNewsEnts, or on Instagram.",
        "Join the conversation - find us on Facebook, Instagram, Snapchat and Twitter.",
        "You can follow Quora on Twitter, Facebook, and Google+.",
        "Like us on\nFacebook and tell us your story.",
        "Like Quartz on-Facebook-or sign up for the daily brief.",
        "Send Facebook Twitter Google+ Whatsapp Tumblr linkedin stumble Digg reddit",
        "The director of the news agency wrote on Facebook.",
        "It is known from a Facebook post on Jan 23.",
        "A statement posted on its Facebook page told of it.",
        "Similar posts are appearing ON FACEBOOK.",
        "He said so in Facebook messages and via Facebook.",
        "While Facebook and Instagram accounts show him enjoying riches, he kept silent.",
        "It's unclear what the charge was (Pic: Facebook Politie).",
    ],
)
def test_whoever_writes_on_facebook_says_nothing_of_the_company(sentence: str) -> None:
    assert NAMES.find(sentence) == set()


def test_a_company_beside_its_platform_is_found() -> None:
    assert NAMES.find("Facebook announced new ways on its Facebook Live tool.") == META
    assert NAMES.find("Facebook and Google cooperate, said a Facebook post.") == META | GOOGLE


def test_every_ticker_of_the_packaged_universes_has_its_company() -> None:
    tickers = {ticker for each in TABLE.values() for ticker in each.tickers}
    assert tickers >= {"AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"}  # us_large_caps
    assert tickers >= {"AAPL", "FB", "GOOG", "IBM", "MSFT"}  # public_domain
    assert tickers >= {"AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO"}  # sp500_close_only
    assert tickers >= {"LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM"}
    for each in TABLE.values():
        for name in (*each.names, *each.products, *(f"${ticker}" for ticker in each.tickers)):
            assert NAMES.find(f"{name} fell.") == set(each.tickers), name


@settings(deadline=None)  # the clock of a busy machine is not what is tested
@given(st.text(), st.text())
def test_any_text_is_read_and_a_name_as_a_word_of_its_own_is_found(before: str, after: str) -> None:
    assert NAMES.find(before) <= {ticker for each in TABLE.values() for ticker in each.tickers}
    assert "NVDA" in NAMES.find(f"{before}. Nvidia; {after}")


@settings(deadline=None)  # the clock of a busy machine is not what is tested
@given(st.sampled_from(string.ascii_letters + string.digits + "_@#$"))
def test_a_name_inside_a_word_is_none(character: str) -> None:
    assert CompanyNames({"acme": company()}).find(f"{character}Acme") == set()
    assert character in "@#$" or CompanyNames({"acme": company()}).find(f"Acme{character}") == set()


def test_the_first_context_that_fits_decides() -> None:
    names = CompanyNames(
        {"acme": company(other_contexts=("old|new {name}",), company_contexts=("the new {name} car",))}
    )
    assert names.find("the old Acme") == set()
    assert names.find("the new ACME car") == {"ACM"}
    assert names.find("The   New-Acme Car") == {"ACM"}
    assert names.find("the new Acme carpet") == set()
    assert names.find("the new Acme, and Acme itself") == {"ACM"}


@pytest.mark.parametrize(("words", "is_found"), [(0, False), (4, False), (5, True)])
def test_an_ellipsis_is_up_to_four_words(words: int, is_found: bool) -> None:
    names = CompanyNames({"acme": company(other_contexts=("see ... {name}",))})
    assert bool(names.find("see " + "us, " * words + "Acme")) is is_found


@pytest.mark.parametrize(
    "context", ["", "{name}", "on", "on {name} {name}", "on {names}", "... {name}", "on {name} ..."]
)
def test_refuses_a_context_that_is_no_words_around_the_name(context: str) -> None:
    with pytest.raises(ValidationError, match="must"):
        company(other_contexts=(context,))


@pytest.mark.parametrize(
    "unit",
    ["follow - ", "on ", "Facebook ", "on Facebook, ", "$", "Facebook Twitter ", "see\n", "A", "\u2028", "the big "],
)
def test_a_long_text_of_anything_is_read(unit: str) -> None:
    """A pattern that tried every pair of places would not come to an end here."""
    assert NAMES.find(unit * (200_000 // len(unit)) + "; Google, Facebook and Nvidia fell.") >= {"NVDA", "GOOG"}
