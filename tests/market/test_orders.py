"""From actions to orders: golden numbers by hand."""

import numpy as np
import pytest

from MLOps.market.orders import action_weights, orders_of_action, share_orders, weight_orders

A_THIRD = 1 / 3


def test_an_action_of_one_asks_for_the_greatest_order():
    orders = np.empty(4)
    share_orders(np.array([1, -1, 0.5, 0], np.float32), np.float32(7), orders)
    assert orders.tolist() == [7, -7, 3.5, 0]


def test_shares_are_multiplied_in_float32_as_finrl_does():
    orders = np.empty(1)
    share_orders(np.array([0.29], np.float32), np.float32(100), orders)
    assert orders.tolist() == [29.0]
    assert np.float64(np.float32(0.29)) * 100 < 29  # in float64 it would be 28 shares


@pytest.mark.parametrize(
    ("action", "weights"),
    [
        ([0.25, 0.5, 0.0], [0.25, 0.5, 0.0]),  # a quarter stays cash
        ([1.0, 0.5, 0.5], [0.5, 0.25, 0.25]),  # scaled down to sum to 1
        ([-1.0, 0.5, -0.5], [0.0, 0.5, 0.0]),  # no short positions
        ([-1.0, 0.0, -0.5], [0.0, 0.0, 0.0]),
        ([1.0, 1.0, 1.0], [A_THIRD, A_THIRD, A_THIRD]),
    ],
)
def test_weights_are_the_positive_part_summing_to_one_at_most(action, weights):
    written = np.full(3, np.nan)
    action_weights(np.array(action, np.float32), written)
    assert written.tolist() == weights


@pytest.mark.parametrize(
    ("is_fractional", "expected"),
    [(False, [3.0, -4.0, -1.0]), (True, [3.0, -3.5, -0.5])],
    ids=["whole", "fractional"],
)
def test_weight_orders_lead_from_what_is_held_to_the_weights(is_fractional, expected):
    # wealth 40 + 2 x 10 + 6 x 20 + 4 x 5 = 200: targets 50 / 10 = 5, 50 / 20 = 2.5 and 17.5 / 5 = 3.5
    orders = np.empty(3)
    weights, shares = np.array([0.25, 0.25, 0.0875]), np.array([2.0, 6.0, 4.0])
    weight_orders(weights, 40.0, shares, np.array([10.0, 20.0, 5.0]), is_fractional, orders)
    assert orders.tolist() == expected


def test_weight_orders_may_be_written_over_the_weights():
    weights, shares, prices = np.array([0.5, 0.5]), np.array([1.0, 3.0]), np.array([10.0, 30.0])
    orders = np.empty(2)
    weight_orders(weights, 100.0, shares, prices, False, orders)
    weight_orders(weights, 100.0, shares, prices, False, weights)
    assert orders.tolist() == weights.tolist() == [9.0, 0.0]


def test_without_cash_for_costs_the_weights_are_of_the_wealth_all_the_same():
    orders = np.empty(1)
    weight_orders(np.array([1.0]), 100.0, np.zeros(1), np.array([10.0]), False, orders)
    assert orders.tolist() == [10.0]  # filling stops it at the cash


@pytest.mark.parametrize(
    ("takes_weights", "is_fractional", "expected"),
    [
        (False, False, [5.0, -2.0]),
        (False, True, [5.25, -2.625]),
        (True, False, [6.0, -2.0]),
        (True, True, [6.5, -2.0]),
    ],
)
def test_an_action_is_read_by_its_kind(takes_weights, is_fractional, expected):
    # wealth 50 + 1 x 10 + 2 x 20 = 100; three quarters of it are 7.5 shares at 10
    action = np.array([0.75, -0.375], np.float32)
    orders = orders_of_action(
        action, takes_weights, np.float32(7), is_fractional, 50.0, np.array([1.0, 2.0]), np.array([10.0, 20.0])
    )
    assert orders.tolist() == expected
