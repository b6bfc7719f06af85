"""The trading rule: golden numbers by hand, and what must hold for any orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.errors import DataError, ModelError
from MLOps.market.accounting import execute


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_sells_first_so_that_their_proceeds_pay_for_buys():
    fill = execute(0.0, array(10, 0), array(50.0, 100.0), array(-10, 4), buy_cost=0.01, sell_cost=0.02)
    # sells 10 x 50 x 0.98 = 490; buys 4 x 101 = 404; costs 10 + 4
    assert fill.cash == pytest.approx(86.0)
    assert fill.shares.tolist() == [0, 4]
    assert fill.traded.tolist() == [-10, 4]
    assert fill.cost == pytest.approx(14.0)


def test_largest_buy_takes_the_cash_first():
    fill = execute(100.0, array(0, 0, 0), array(10.0, 10.0, 10.0), array(3, 8, 5), buy_cost=0.0, sell_cost=0.0)
    assert fill.traded.tolist() == [0, 8, 2]


def test_equal_buys_are_filled_from_the_last_ticker_backwards():
    fill = execute(50.0, np.zeros(20), np.full(20, 10.0), np.full(20, 3.0), buy_cost=0.0, sell_cost=0.0)
    assert fill.traded.tolist() == [0] * 18 + [2, 3]


def test_sell_stops_at_what_is_held():
    fill = execute(0.0, array(3), array(10.0), array(-7), buy_cost=0.0, sell_cost=0.0)
    assert (fill.cash, fill.shares.tolist()) == (30.0, [0])


@pytest.mark.parametrize(("order", "traded"), [(2.9, 2.0), (-2.9, -2.0), (0.9, 0.0)])
def test_orders_are_cut_to_whole_shares_towards_zero(order, traded):
    assert execute(1e3, array(5), array(1.0), array(order), 0.0, 0.0).traded.tolist() == [traded]


def test_the_shares_given_are_left_as_they_were():
    shares = array(5, 5)
    execute(1e3, shares, array(1.0, 2.0), array(-5, 5), 0.0, 0.0)
    assert shares.tolist() == [5, 5]


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
def test_refuses_a_price_that_is_no_price(price):
    with pytest.raises(DataError, match="price"):
        execute(1.0, array(0, 0), array(1.0, price), array(1, 1), 0.0, 0.0)


def test_refuses_an_order_that_is_not_finite():
    with pytest.raises(ModelError, match="nan"):
        execute(1.0, array(0), array(1.0), array(np.nan), 0.0, 0.0)


counts = st.integers(0, 10_000).map(float)
costs = st.floats(0.0, 0.2)


@st.composite
def accounts(draw):
    size = draw(st.integers(1, 8))

    def row(values):
        return np.array(draw(st.lists(values, min_size=size, max_size=size)))

    orders = row(st.integers(-20_000, 20_000).map(float))
    return draw(st.floats(0, 1e7)), row(counts), row(st.floats(0.01, 1e4)), orders


@given(accounts(), costs, costs)
def test_wealth_is_conserved_and_nothing_becomes_negative(account, buy_cost, sell_cost):
    cash, shares, prices, orders = account
    fill = execute(cash, shares, prices, orders, buy_cost, sell_cost)
    before, after = cash + shares @ prices, fill.cash + fill.shares @ prices
    assert after + fill.cost == pytest.approx(before, rel=1e-12)
    assert fill.cash >= 0
    assert (fill.shares >= 0).all()
    np.testing.assert_array_equal(fill.shares, shares + fill.traded)


@given(accounts(), costs, costs)
def test_no_order_is_overfilled_or_turned_round(account, buy_cost, sell_cost):
    cash, shares, prices, orders = account
    traded = execute(cash, shares, prices, orders, buy_cost, sell_cost).traded
    assert (np.abs(traded) <= np.abs(orders)).all()
    assert (traded * orders >= 0).all()
