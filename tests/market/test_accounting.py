"""The trading rule: golden numbers by hand, a plain reading of FinRL's rule, and what must hold for any orders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.errors import DataError, ModelError
from MLOps.market.accounting import TradingTerms, execute, flat_terms
from MLOps.market.fill_rule import AT_THE_CLOSE

FREE = 0.0, 0.0


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def terms_with(tickers: int = 1, buy_cost: float = 0.0, sell_cost: float = 0.0, **rule: float) -> TradingTerms:
    return TradingTerms(np.full(tickers, buy_cost), np.full(tickers, sell_cost), AT_THE_CLOSE._replace(**rule))


# Cash, costs and the order of fills


def test_sells_first_so_that_their_proceeds_pay_for_buys():
    fill = execute(0.0, array(10, 0), array(50.0, 100.0), array(-10, 4), flat_terms(2, buy_cost=0.01, sell_cost=0.02))
    # sells 10 x 50 x 0.98 = 490; buys 4 x 101 = 404; costs 10 + 4
    assert fill.cash == pytest.approx(86.0)
    assert fill.shares.tolist() == [0, 4]
    assert fill.traded.tolist() == [-10, 4]
    assert fill.cost == pytest.approx(14.0)


def test_costs_may_differ_by_ticker():
    terms = TradingTerms(buy_cost=array(0.01, 0.02), sell_cost=array(0.03, 0.04))
    fill = execute(1_000.0, array(10, 0), array(10.0, 10.0), array(-10, 20), terms)
    # 100 - 3 + 1,000 - 200 - 4
    assert (fill.cash, fill.cost) == (pytest.approx(893.0), pytest.approx(7.0))


def test_largest_buy_takes_the_cash_first():
    fill = execute(100.0, np.zeros(3), np.full(3, 10.0), array(3, 8, 5), flat_terms(3, *FREE))
    assert fill.traded.tolist() == [0, 8, 2]


def test_equal_buys_are_filled_from_the_last_ticker_backwards():
    fill = execute(50.0, np.zeros(20), np.full(20, 10.0), np.full(20, 3.0), flat_terms(20, *FREE))
    assert fill.traded.tolist() == [0] * 18 + [2, 3]


def test_fractional_orders_are_ranked_to_the_last_bit():
    orders = array(np.nextafter(3.0, 4.0), 3.000001, 3.0)
    fill = execute(40.0, np.zeros(3), np.full(3, 10.0), orders, terms_with(3, is_fractional=True))
    np.testing.assert_allclose(fill.traded, [40 / 10 - 3.000001, 3.000001, 0], rtol=1e-12)


def test_sell_stops_at_what_is_held():
    fill = execute(0.0, array(3), array(10.0), array(-7), flat_terms(1, *FREE))
    assert (fill.cash, fill.shares.tolist(), fill.traded.tolist()) == (30.0, [0], [-3])


def test_buy_stops_at_whole_shares_that_the_cash_pays_for():
    fill = execute(100.0, array(0), array(10.0), array(50), flat_terms(1, buy_cost=0.05, sell_cost=0.0))
    assert fill.shares.tolist() == [9]  # at 10.5 each
    assert (fill.cash, fill.cost) == (pytest.approx(5.5), pytest.approx(4.5))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 9, 10, 33, 57, 1_000_000])
def test_an_exact_multiple_of_the_price_buys_them_all(count):
    price = 10 * (1 + 0.001)
    fill = execute(count * price, array(0), array(10.0), array(2e6), flat_terms(1, 0.001, 0.0))
    assert fill.shares.tolist() == [(count * price) // price]
    assert 0.0 <= fill.cash < price


def test_a_buy_never_spends_more_than_the_cash_by_rounding():
    # 30.029999999999994 // 10.01 is 3, but 10 * 3 * 1.001 is 30.029999999999998
    one, two = (
        execute(30.029999999999994, array(0), array(10.0), array(3), terms_with(1, 0.001, may_overdraw=may_overdraw))
        for may_overdraw in (False, True)
    )
    assert one.traded.tolist() == two.traded.tolist() == [3]
    assert (one.cash, two.cash) == (0.0, -3.552713678800501e-15)


def test_with_cash_overdrawn_finrls_buy_sells_one_share():
    fill = execute(-1e-12, array(4), array(10.0), array(9), terms_with(1, may_overdraw=True))
    assert (fill.traded.tolist(), fill.shares.tolist(), fill.cash) == ([-1], [3], pytest.approx(10.0))


@pytest.mark.parametrize(("order", "traded"), [(2.9, 2.0), (-2.9, -2.0), (0.9, 0.0), (-0.9, 0.0)])
def test_orders_are_cut_to_whole_shares_towards_zero(order, traded):
    assert execute(1e3, array(5), array(1.0), array(order), flat_terms(1, *FREE)).traded.tolist() == [traded]


def test_parts_of_a_share_are_traded_where_allowed():
    terms = terms_with(2, is_fractional=True)
    fill = execute(100.0, array(0, 2.5), array(30.0, 10.0), array(9, -1.25), terms)
    assert fill.traded.tolist() == [pytest.approx(112.5 / 30), -1.25]
    assert fill.cash == 0.0


# Slippage and impact


def test_slippage_makes_every_fill_worse_and_counts_as_cost():
    terms = terms_with(2, buy_cost=0.01, sell_cost=0.02, slippage=0.01)
    fill = execute(0.0, array(10, 0), array(50.0, 100.0), array(-10, 4), terms)
    # 500 x 0.99 x 0.98 = 485.10; 400 x 1.01 x 1.01 = 408.04
    assert fill.cash == pytest.approx(485.10 - 408.04)
    assert fill.cost == pytest.approx(14.90 + 8.04)


def test_linear_impact_grows_with_the_part_of_the_volume():
    terms, volume = terms_with(2, linear_impact=0.1), array(100, 100)
    fill = execute(1_000.0, array(0, 20), array(10.0, 10.0), array(10, -20), terms, volume)
    # buys a tenth of the volume 1% dearer, sells a fifth 2% cheaper: 1,000 - 101 + 196
    assert (fill.cash, fill.cost) == (pytest.approx(1_095.0), pytest.approx(1 + 4))


def test_root_impact_grows_with_the_root_of_the_part_of_the_volume():
    terms, volume = terms_with(2, root_impact=0.1, slippage=0.01, buy_cost=0.5), array(100, 400)
    fill = execute(1_000.0, array(0, 4), array(10.0, 10.0), array(25, -4), terms, volume)
    # buys a quarter of the volume 0.01 + 0.1 x 0.5 dearer, sells a hundredth 0.01 + 0.1 x 0.1 cheaper
    assert fill.cash == pytest.approx(1_000 - 250 * 1.06 * 1.5 + 40 * 0.98)
    assert fill.cost == pytest.approx(250 * 1.06 * 1.5 - 250 + 40 * 0.02)


@pytest.mark.parametrize(("is_fractional", "most"), [(False, 7.0), (True, 7.5)])
def test_with_impact_a_fill_stops_at_the_volume(is_fractional, most):
    terms = terms_with(2, linear_impact=0.1, is_fractional=is_fractional)
    fill = execute(1e6, array(0, 20), array(10.0, 10.0), array(10, -20), terms, array(7.5, 7.5))
    assert fill.traded.tolist() == [most, -most]


def test_nothing_is_traded_where_the_market_traded_nothing():
    terms = terms_with(2, linear_impact=0.1, root_impact=0.1)
    fill = execute(1e6, array(0, 20), array(10.0, 10.0), array(10, -20), terms, np.zeros(2))
    assert (fill.traded.tolist(), fill.cash, fill.cost) == ([0, 0], 1e6, 0)


@pytest.mark.parametrize(
    ("rule", "cash", "bought"),
    [
        ({"linear_impact": 0.5}, 105.0, 10.0),  # 10 q (1 + 0.5 q / 100) at q = 10
        ({"linear_impact": 0.5}, 104.99, 9.0),
        ({"root_impact": 0.5}, 312.5, 25.0),  # 10 q (1 + 0.5 sqrt(q / 100)) at q = 25
        ({"root_impact": 0.5}, 312.49, 24.0),
        ({"root_impact": 0.5, "is_fractional": True}, 312.5, 25.0),
        ({"linear_impact": 0.5, "is_fractional": True}, 104.99, -100 + np.sqrt(100**2 + 20 * 104.99)),
    ],
)
def test_a_buy_that_moves_the_price_stops_at_the_cash(rule, cash, bought):
    fill = execute(cash, array(0), array(10.0), array(90), terms_with(**rule), array(100))
    assert fill.traded.tolist() == [pytest.approx(bought, rel=1e-12)]
    assert fill.cash == pytest.approx(0.0, abs=1e-9) if rule.get("is_fractional") else fill.cash >= 0


# What is refused


def test_the_arrays_given_are_left_as_they_were():
    shares, orders = array(5, 5), array(-5.5, 5.5)
    execute(1e3, shares, array(1.0, 2.0), orders, flat_terms(2, *FREE))
    assert (shares.tolist(), orders.tolist()) == ([5, 5], [-5.5, 5.5])


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
def test_refuses_a_price_that_is_no_price(price):
    with pytest.raises(DataError, match="price"):
        execute(1.0, array(0, 0), array(1.0, price), array(1, 1), flat_terms(2, *FREE))


@pytest.mark.parametrize("order", [np.nan, np.inf, -np.inf])
def test_refuses_an_order_that_is_not_finite(order):
    with pytest.raises(ModelError, match=str(order)):
        execute(1.0, array(0), array(1.0), array(order), flat_terms(1, *FREE))


@pytest.mark.parametrize("rule", [{"linear_impact": 0.1}, {"root_impact": 0.1}])
def test_refuses_impact_where_the_volume_is_not_known(rule):
    with pytest.raises(DataError, match="volume"):
        execute(1.0, array(0), array(1.0), array(1), terms_with(**rule))


# For any account

COSTS = st.floats(0.0, 0.2)


@st.composite
def accounts(draw):
    size = draw(st.integers(1, 8))

    def row(values):
        return np.array(draw(st.lists(values, min_size=size, max_size=size)))

    counts = st.integers(0, 10_000).map(float)
    sizes = st.sampled_from([1.0, 100.0, 20_000.0])
    orders = row(st.integers(-20, 20).map(float)) / 20 * draw(sizes)
    prices = row(st.one_of(st.sampled_from([0.01, 1.0, 10.0]), st.floats(0.01, 1e4)))
    cash = draw(st.one_of(st.floats(0, 1e7), st.integers(0, 50).map(lambda count: count * float(prices[0]))))
    return cash, row(counts), prices, orders, row(counts), row(COSTS), row(COSTS)


FRACTIONS = st.sampled_from([0.0, 1e-4, 0.3])
RULES = st.builds(
    AT_THE_CLOSE._replace,
    slippage=FRACTIONS,
    linear_impact=FRACTIONS,
    root_impact=FRACTIONS,
    is_fractional=st.booleans(),
)


@settings(deadline=None)
@given(accounts(), RULES)
def test_wealth_is_conserved_and_nothing_becomes_negative(account, rule):
    cash, shares, prices, orders, volume, buy_cost, sell_cost = account
    fill = execute(cash, shares, prices, orders, TradingTerms(buy_cost, sell_cost, rule), volume)
    before, after = cash + shares @ prices, fill.cash + fill.shares @ prices
    assert after + fill.cost == pytest.approx(before, rel=1e-12, abs=1e-12)
    assert fill.cash >= 0
    assert fill.cost >= 0
    assert (fill.shares >= 0).all()
    np.testing.assert_array_equal(fill.shares, shares + fill.traded)


@settings(deadline=None)
@given(accounts(), RULES)
def test_no_order_is_overfilled_turned_round_or_beyond_the_volume(account, rule):
    cash, shares, prices, orders, volume, buy_cost, sell_cost = account
    traded = execute(cash, shares, prices, orders, TradingTerms(buy_cost, sell_cost, rule), volume).traded
    assert (np.abs(traded) <= np.abs(orders)).all()
    assert (traded * orders >= 0).all()
    if rule.linear_impact or rule.root_impact:
        assert (np.abs(traded) <= volume).all()
    if not rule.is_fractional:
        np.testing.assert_array_equal(traded, np.trunc(traded))


@settings(deadline=None, max_examples=300)
@given(accounts(), st.booleans())
def test_fills_are_those_of_finrls_rule_in_plain_python(account, may_overdraw):
    cash, shares, prices, orders, _, buy_cost, sell_cost = account
    rule = AT_THE_CLOSE._replace(may_overdraw=may_overdraw)
    fill = execute(cash, shares, prices, orders, TradingTerms(buy_cost, sell_cost, rule))
    left, held = in_plain_python(cash, shares, prices, orders, buy_cost, sell_cost, may_overdraw)
    assert fill.cash == left
    assert fill.shares.tolist() == held


def in_plain_python(cash, shares, prices, orders, buy_cost, sell_cost, may_overdraw):
    shares, wanted = shares.tolist(), [int(order) for order in orders]
    ascending = sorted(range(len(wanted)), key=wanted.__getitem__)
    for k in ascending:
        if wanted[k] < 0 < shares[k]:
            sold = min(-wanted[k], shares[k])
            cash += prices[k] * sold * (1 - sell_cost[k])
            shares[k] -= sold
    for k in reversed(ascending):
        if wanted[k] > 0:
            bought = min(cash // (prices[k] * (1 + buy_cost[k])), wanted[k])
            spent = prices[k] * bought * (1 + buy_cost[k])
            cash -= spent if may_overdraw else min(spent, cash)
            shares[k] += bought
    return cash, shares


def test_many_tickers_are_ranked_as_few_are():
    generator = np.random.default_rng(2)
    orders = generator.integers(-3, 4, 700) * 10.0
    prices, shares = generator.uniform(1, 9, 700), generator.integers(0, 40, 700) * 1.0
    costs = np.full(700, 0.001)
    fill = execute(2_000.0, shares, prices, orders, TradingTerms(costs, costs))
    left, held = in_plain_python(2_000.0, shares, prices, orders, costs, costs, may_overdraw=False)
    assert (fill.cash, fill.shares.tolist()) == (left, held)
    assert fill.cash < 20  # the order of the buys has decided


@pytest.mark.parametrize("volume", [None, array(100, -5), array(100, np.nan)])
def test_impact_needs_a_volume_that_is_known(volume):
    with pytest.raises(DataError, match="volume"):
        execute(1000.0, array(5, 5), array(10, 10), array(0, 0), terms_with(2, linear_impact=0.1), volume)


def test_an_order_beyond_any_integer_is_filled_all_the_same():
    fill = execute(1e12, array(0), array(1e-8), array(1e25), terms_with(1))
    assert fill.shares.tolist() == [1e20]
    assert fill.cash == pytest.approx(0, abs=1e-3)
