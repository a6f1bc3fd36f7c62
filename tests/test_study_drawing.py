"""Drawing of studies: what is drawn, and what is missing."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ordered_mix.parameterization.catalog import names
from ordered_mix.study.drawing import (
    FEWEST_FOR_BARS,
    LOOKS,
    NO_RUNS,
    PALETTE,
    brief,
    curves,
    dots,
    heat,
    in_order,
    interval,
    legend,
    lines,
    looks,
    mark,
    medians,
    panels,
    plain_ticks,
    short,
)
from ordered_mix.study.effects import mean, paired_ratio
from ordered_mix.theory.mean_coordinates import COORDINATES

RUNS = pd.DataFrame(
    [
        {"separation": at, "name": name, "value": level * (at + 1) * (1 + 0.1 * r), "replicate": r}
        for at in (0.2, 4.0)
        for name, level in (("ordered", 1.0), ("relative(link=log)", 2.0))
        for r in range(6)
    ]
)


@pytest.fixture
def axes():
    return Figure(layout="constrained").subplots()


# --- drawing --------------------------------------------------------------------------------------


def test_names_without_code():
    assert short("relative(link=log)") == "relative log"
    assert short("moment(signed=False)") == "moment positive"
    assert short("moment(gap=pooled), low_rank") == "moment pooled, low rank"
    assert short("relative_square") == "relative square"
    assert [short(value) for value in (0.5, 3.0, 200)] == ["0.5", "3", "200"]
    assert [brief(v) for v in (37, 99.7, 999.4, 1234, 34_900, 2e6)] == [
        "37", "100", "999", "1.2k", "35k", "2M",
    ]  # fmt: skip


def test_every_parameterization_has_one_look_everywhere():
    shipped = names()
    assert len(set(looks(shipped).values())) == len(shipped)
    assert all(look.color == PALETTE.get(name, look.color) for name, look in LOOKS.items())
    assert len(set(LOOKS.values())) == len(LOOKS)
    assert looks(COORDINATES) == {name: LOOKS[short(name).replace(",", "")] for name in COORDINATES}
    found = looks(["mine", "relative_softplus", "ordered", "yours"])
    assert found["relative_softplus"] == LOOKS["relative softplus"]
    assert found["mine"] != found["yours"]
    assert in_order(["mine", "resolved", "ordered", "unordered"]) == [
        "unordered", "ordered", "resolved", "mine",
    ]  # fmt: skip


def test_heat_writes_what_there_is(axes):
    grid = pd.DataFrame({0.0: [1.0, np.nan], 3.0: [0.0, 50.0]}, index=["ordered", "a_b"])
    image = heat(axes, grid, "{:.0f}".format, "cividis", (0, 50))
    assert [text.get_text() for text in axes.texts] == ["1", "0", "50"]
    assert [text.get_color() for text in axes.texts] == ["white", "white", "#111111"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["ordered", "a b"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "3"]
    assert image.get_array().mask.sum() == 1


@pytest.mark.parametrize("grid", [pd.DataFrame(), pd.DataFrame({"a": [np.nan]})])
def test_an_empty_panel_says_so(axes, grid):
    assert heat(axes, grid, "{:.0f}".format) is None
    assert axes.texts[0].get_text() == NO_RUNS


def test_a_heat_map_of_equal_numbers_has_a_scale(axes):
    heat(axes, pd.DataFrame({"a": [2.0, 2.0]}), "{:.0f}".format)
    axes.figure.draw_without_rendering()


def test_texts_may_differ_from_the_numbers(axes):
    grid = pd.DataFrame({"a": [1.0, 2.0]})
    heat(axes, grid, pd.DataFrame({"a": ["one", "(two)"]}))
    assert [text.get_text() for text in axes.texts] == ["one", "(two)"]


def test_curves_are_means_with_their_intervals(axes):
    curves(axes, RUNS, "value", "name", looks(["ordered", "relative(link=log)"]))
    first, second = axes.containers
    assert (first.get_label(), second.get_label()) == ("ordered", "relative log")
    line, _, (bars,) = first
    wanted = mean(RUNS["value"][(RUNS["name"] == "ordered") & (RUNS["separation"] == 4)])
    assert line.get_ydata()[1] == pytest.approx(wanted.estimate)
    assert bars.get_segments()[1][:, 1] == pytest.approx([wanted.low, wanted.high])
    assert axes.get_xlabel() == "separation / sigma"
    # one beside the other, around the same place
    assert line.get_xdata() + second[0].get_xdata() == pytest.approx([0.0, 2.0])


def test_logarithmic_curves_are_geometric_means(axes):
    rows = pd.concat([RUNS, RUNS.iloc[:1].assign(value=0.0), RUNS.iloc[:1].assign(value=np.inf)])
    curves(axes, rows, "value", "name", looks(["ordered"]), log=True)
    values = RUNS["value"][(RUNS["name"] == "ordered") & (RUNS["separation"] == 0.2)]
    assert axes.get_yscale() == "log"
    assert axes.containers[0][0].get_ydata()[0] == pytest.approx(np.exp(np.log(values).mean()))


def test_too_few_values_have_no_bar():
    few = [1.0, 2.0, 4.0]
    assert interval(few) == pytest.approx((7 / 3,) * 3)
    assert interval(few, log=True) == pytest.approx((2, 2, 2))
    many = [1.0, 2.0, 4.0, 8.0, 16.0]
    assert len(many) == FEWEST_FOR_BARS
    assert interval(many) == pytest.approx(mean(many)[:3])
    assert interval(many, log=True) == pytest.approx(paired_ratio(many, np.ones(5))[:3])


@pytest.mark.parametrize("draw", [curves, dots])
def test_what_is_missing_leaves_a_gap(axes, draw):
    more = ("separation", [0.2, 4.0, 8.0]) if draw is dots else ()
    for rows in (RUNS.iloc[:0], RUNS.drop(columns="value"), RUNS.assign(value=np.nan)):
        draw(axes, rows, "value", "name", looks(["ordered"]), *more)
    assert not axes.containers
    draw(axes, RUNS, "value", "name", looks(["ordered", "absent"]), *more)
    assert len(axes.containers) == 1


def test_dots_go_down_in_the_given_order(axes):
    dots(axes, RUNS, "value", "name", looks(["ordered"]), "separation", [4.0, 0.2])
    line = axes.containers[0][0]
    assert line.get_ydata().tolist() == [0, 1] and line.get_xdata()[0] > line.get_xdata()[1]
    assert axes.yaxis_inverted()


def test_lines_follow_the_order_of_x(axes):
    rows = pd.DataFrame({"x": [3, 1, 2], "y": [9.0, 1.0, 4.0], "kind": ["a", "a", "b_c"]})
    lines(axes, rows, "x", "y", "kind")
    first, second = axes.lines
    assert first.get_ydata().tolist() == [1, 9] and second.get_label() == "b c"
    lines(axes, rows.iloc[:0], "x", "y", "kind")
    assert axes.texts[0].get_text() == NO_RUNS


@pytest.mark.parametrize(("replicates", "bands"), [(5, 0), (6, 1)])
def test_medians_have_a_band_if_there_are_enough(axes, replicates, bands):
    rows = pd.DataFrame(
        [{"x": x, "y": x * 2.0**r, "replicate": r} for r in range(replicates) for x in (2, 1)]
    )
    medians(axes, rows, "x", "y", color="black", label="drawn")
    medians(axes, rows, "x", "y", band=False, color="black")
    middle = np.median(2.0 ** np.arange(replicates))
    assert axes.lines[0].get_xydata().tolist() == [[1, middle], [2, 2 * middle]]
    assert len(axes.collections) == bands
    if bands:
        low, high = axes.collections[0].get_paths()[0].get_extents().get_points()
        assert (low.tolist(), high.tolist()) == ([1, 1], [2, 64])


def test_a_legend_names_each_label_once():
    figure, grid = panels(1, 2, (6, 3), sharey=True)
    assert legend(figure, grid) is figure and not figure.legends
    for axes in grid.ravel():
        axes.plot([0, 1], label="both")
    grid[0, 1].plot([1, 0], label="one")
    (drawn,) = legend(figure, grid).legends
    assert [text.get_text() for text in drawn.get_texts()] == ["both", "one"]
    assert panels(0, 2, (6, 3))[1].shape == (1, 2)


def test_marks_and_ticks(axes):
    mark(axes, 0.5, "chance")
    axes.set_xscale("log")
    plain_ticks(axes.xaxis, [10, 300])
    axes.figure.draw_without_rendering()
    assert axes.texts[0].get_text() == "chance"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "300"]
