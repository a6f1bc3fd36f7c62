"""How the report words a prior, and the command that repeats it."""

import shlex
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ordered_mix import default_prior
from ordered_mix.cli import compare as cli
from ordered_mix.compare.comparison import Settings
from ordered_mix.data import load
from ordered_mix.prior import Prior
from ordered_mix.report.words import command, prior_in_words

DATA = load("faithful:waiting")
ASKED = [
    "",
    "--prior fixed",
    "--prior half-normal --prior-scale 3.5",
    "--prior-mean 60.0 --prior-weights 1.0",
    "--prior fixed --prior-scale 2.0 --prior-mean 60.0,12.5 --prior-weights 0.5",
    "--scales common",
    "--fixed w=0.25,0.75 --fixed sigma=5.0,5.0",
    "--prior fixed --fixed mu=50.0,80.0",
]


def line(prior):
    return command(SimpleNamespace(data=DATA, settings=Settings(), prior=prior, several=None))


def asked_for(options, monkeypatch):
    """The prior that the command line makes of these options."""
    found = []
    monkeypatch.setattr(cli, "_compare", lambda data, settings, prior, *rest: found.append(prior))
    app = cli.typer.Typer()
    app.command()(cli.compare_command)
    done = CliRunner().invoke(app, ["faithful:waiting", "--quiet", *shlex.split(options)])
    assert done.exit_code == 0, done.output
    return found[0]


@pytest.mark.parametrize("options", ASKED)
def test_the_command_to_run_again_gives_the_same_prior(options, monkeypatch):
    prior = asked_for(options, monkeypatch)
    again = line(prior)
    assert again.endswith(f"--seed 1 {options}".strip())
    assert asked_for(again.partition("--seed 1")[2], monkeypatch) == prior


def test_options_set_what_they_say(monkeypatch):
    given = asked_for(ASKED[4], monkeypatch)
    assert given == Prior(60.0, 12.5, 2.0, 0.5)
    assert asked_for("", monkeypatch) == default_prior(DATA)


def test_what_only_python_can_give_is_a_call():
    native = Prior(native=True).affine(float(DATA.location), float(DATA.scale))
    assert line(native).startswith("ordered_mix.compare(data, prior=Prior(")


def test_words_of_each_family():
    prior = Prior(1.0, 2.0, 0.5, scale_family="adaptive")
    assert prior_in_words(prior) == (
        "means ~ Normal(1, sd 2), variances ~ InverseGamma(2, β), "
        "β ~ InverseGamma(1/2, (0.5/10)²), weights ~ Dirichlet(2, …); matched between them"
    )
    assert "variances ~ InverseGamma(2, 0.5²)" in prior_in_words(Prior())
    assert "scales ~ HalfNormal(0.5)" in prior_in_words(Prior(scale_family="half_normal"))
