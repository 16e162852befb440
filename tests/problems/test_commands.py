"""The commands that come with the package: python -m problems.maxcut and its like."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import cem
from problems import command
from problems.flowshop.__main__ import main as flowshop
from problems.knapsack.__main__ import main as knapsack
from problems.maxcut import MaxCut
from problems.maxcut.__main__ import main as maxcut
from problems.maxsat.__main__ import main as maxsat
from problems.qap.__main__ import main as qap
from problems.qubo.__main__ import main as qubo
from problems.rare_event.__main__ import main as rare_event
from problems.tsp.__main__ import main as tsp

FILES = {  # a command, what its file holds, the best score
    "maxcut": (maxcut, "4 4\n1 2 1\n2 3 1\n3 4 1\n4 1 1\n", 4),
    "tsp": (
        tsp,
        "NAME: square\nTYPE: TSP\nDIMENSION: 4\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n"
        "1 0 0\n2 0 10\n3 10 10\n4 10 0\nEOF\n",
        40,
    ),
    "flowshop": (flowshop, "3 2\n1 2 3\n3 2 1\n", 7),
    "qap": (qap, "2\n0 1\n1 0\n0 5\n5 0\n", 10),
    "maxsat": (maxsat, "p cnf 2 3\n1 2 0\n-1 0\n-2 0\n", None),
    "qubo": (qubo, "%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n1 1 -1\n2 1 1.5\n", -1),
    "knapsack": (knapsack, "1\n2 1 5\n5 4\n3 3\n4\n", 5),
}


@pytest.fixture
def square(tmp_path):
    path = tmp_path / "square.txt"
    path.write_text(FILES["maxcut"][1])
    (tmp_path / "best.csv").write_text("instance,best_known\nsquare,4\n")
    return path


@pytest.mark.parametrize("name", FILES)
def test_it_solves_a_file(name, tmp_path, capsys):
    main, text, best = FILES[name]
    path = tmp_path / "tiny.cnf"
    path.write_text(text)
    assert main([str(path), "--max-time", "5", "--json", "--solution-dir", str(tmp_path)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    if best is not None:
        assert row["score"] == best
    assert row["seed"] == 1
    solution = (tmp_path / f"{row['instance']}.solution").read_text().split()
    assert [int(number) for number in solution] == row["x"]


@pytest.mark.slow
def test_the_table_says_the_gaps(square, capsys):
    arguments = [str(square), "--runs", "2", "--seed", "7", "--bound"]
    assert maxcut([*arguments, "--best-known", str(square.parent / "best.csv")]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2
    assert heading.split()[:4] == ["instance", "n", "seed", "score"]
    assert len(heading) <= len(rows[0])
    for row, seed in zip(rows, "78", strict=True):
        words = row.split()
        assert words[:4] == ["square", "4", seed, "4"]
        assert words[6:8] == ["4", "0.000"]
        assert words[9] == "0.000"
        assert words[-1] in ("CONVERGED", "COLLAPSED")


@pytest.mark.slow
def test_seeds_repeat_a_run(tmp_path, capsys):
    graph = MaxCut.random(30, rng=1)
    path = tmp_path / "graph.txt"
    lines = [f"{graph.n} {len(graph.edges)}", *(f"{i + 1} {j + 1}" for i, j in graph.edges)]
    path.write_text("\n".join(lines))
    found = []
    for _ in range(2):
        maxcut([str(path), "--seed", "3", "--json"])
        (row,) = json.loads(capsys.readouterr().out)
        found.append((row["score"], row["x"], row["evaluations"]))
    assert found[0] == found[1]
    assert found[0][0] == graph.cut_value(found[0][1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no such file"], "No such file"),
        (["{square}", "--runs", "0"], "--runs"),
        (["{square}", "--max-time", "-1"], "--max-time"),
        (["{square}", "{square}", "--solution-dir", "."], "different names"),
        (["{square}", "--best-known", "{square}"], "expected columns"),
        (["{square}", "--solution-dir", "{square}"], "File exists"),
        (["{square}", "--seed", "-1"], "whole number from 0 on value: '-1'"),
        (["{square}", "--jobs", "0"], "whole number from 1 on value: '0'"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(arguments, said, square, capsys):
    with pytest.raises(SystemExit) as ended:
        maxcut([each.format(square=square) for each in arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--levels", "1e9"], "the probability of level 1e+09 is zero"),
        (["--levels", "-5"], "--levels"),
        (["RP22", "--levels", "2"], "give one of them"),
        (["RP22", "--target-cv", "2"], "positive float below 1"),
        (["no such"], "no case is called no such"),
    ],
)
def test_what_is_wrong_of_a_study_is_said_before_it_begins(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        rare_event([*arguments, "--runs", "1"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_picture_that_cannot_be_written_ends_it_at_once(square, capsys):
    pytest.importorskip("matplotlib")
    for picture, said in (("cut.xyz", "--plot writes avif, eps"), ("no such/cut.png", "no folder 'no such'")):
        with pytest.raises(SystemExit) as ended:
            maxcut([str(square), "--plot", picture])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


def test_a_missing_extra_is_named(square, monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        maxcut([str(square), "--plot", "x.png"])
    assert "pip install cemkit[plots]" in capsys.readouterr().err

    def needs_more():
        raise ImportError("this needs numba: pip install cemkit[fast]")

    with pytest.raises(SystemExit) as ended:
        command.carry_out(needs_more)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: this needs numba: pip install cemkit[fast]\n"


@pytest.mark.slow
def test_plots_are_written(square, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert maxcut([str(square), "--plot", str(tmp_path / "cut.png")]) == 0
    assert (tmp_path / "cut.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_ends_it_with_what_there_is(square, monkeypatch, capsys):
    ran = []

    def optimize(problem, **options):
        ran.append(options["rng"])
        r = cem.OptimizeResult(
            x=np.array([0, 1, 0, 1]),
            fun=4.0,
            status=cem.Status.CONVERGED if len(ran) < 2 else cem.Status.INTERRUPTED,
            message="",
            history=[],
            elapsed=1.0,
            nfev=3,
        )
        return r

    monkeypatch.setattr(cem, "optimize", optimize)
    assert maxcut([str(square), "--runs", "5", "--json"]) == 130
    rows = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in rows] == ["CONVERGED", "INTERRUPTED"]

    def presses():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        command.carry_out(presses)
    assert ended.value.code == 130


@pytest.mark.slow
def test_a_real_ctrl_c(square):
    graph = MaxCut.random(500, edge_probability=0.02, rng=1)
    lines = [f"{graph.n} {len(graph.edges)}", *(f"{i + 1} {j + 1}" for i, j in graph.edges)]
    square.write_text("\n".join(lines))
    asked = [sys.executable, "-m", "problems.maxcut", str(square), "--max-time", "1", "--runs", "500"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert first[1].startswith("square")
    assert "INTERRUPTED" in rest or said == "interrupted\n"


@pytest.mark.slow
def test_rare_events(capsys):
    assert rare_event(["RP22", "--runs", "2", "--target-cv", "0.2", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["case"] == "RP22"
    assert row["runs"] == 2
    assert abs(row["mean"] / row["exact"] - 1) < 5 * 0.2 / np.sqrt(2)
    assert rare_event(["--list", "--json"]) == 0
    assert {"RP22", "credit 250"} <= {row["case"] for row in json.loads(capsys.readouterr().out)}
    with pytest.raises(SystemExit):
        rare_event(["no such"])
    assert "no case is called no such" in capsys.readouterr().err


def test_a_table_of_rare_events(capsys):
    assert rare_event(["RP22", "--runs", "1", "--target-cv", "0.2", "--max-time", "60"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert len(heading) == len(row)
    assert row.split()[0] == "RP22"
    assert row.split()[3] == "–"


def test_numbers_that_json_does_not_know(capsys):
    command.print_json({"a": np.inf, "b": [np.nan, np.float64(1.5)], "c": np.array([1, 2]), "d": (True,)})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": [1, 2], "d": [True]}


def test_a_peer_that_is_not_installed_is_named_and_left_out(capsys):
    kept = command.keep_installed(["ours", "peer", "scipy"], {"peer": "no_such_package", "scipy": "scipy"})
    assert kept == ["ours", "scipy"]
    assert capsys.readouterr().out == (
        "peer is left out, no_such_package is not installed: nothing is said about it\n"
    )


def test_the_tables_of_a_text_are_read():
    text = "Before\n\n| a | b |\n|---|---:|\n| x | 1,000.5 |\n| y | – |\n\n| c |\n|---|\n| 2 |\nafter"
    assert command.read_tables(text) == {
        "tables": [[{"a": "x", "b": 1000.5}, {"a": "y", "b": "–"}], [{"c": 2.0}]],
        "text": ["Before", "after"],
    }


def test_a_benchmark_takes_what_it_has_a_default_for():
    given = command.make_benchmark_parser(None, seed=3, runs=2).parse_args(["--runs", "5", "--json"])
    assert vars(given) == {"seed": 3, "runs": 5, "json": True}
    with pytest.raises(SystemExit):
        command.make_benchmark_parser(None, seed=None, runs=1).parse_args(["--runs", "0"])


def test_json_has_what_was_printed_before_the_end(monkeypatch, capsys):
    def main():
        sys.stdout.write("| a |\n|---|\n| 1 |\n")
        signal.raise_signal(signal.SIGINT)
        sys.stdout.write("never")

    monkeypatch.setattr(sys, "argv", ["benchmark", "--json"])
    with pytest.raises(SystemExit) as end:
        command.carry_out_benchmark(main)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert end.value.code == 130
    assert json.loads(capsys.readouterr().out) == {"tables": [[{"a": 1.0}]], "text": []}


def test_a_reader_who_stops_early_is_no_traceback():
    code = "import problems.command as c\ndef main():\n    while True: print('x' * 1000)\nc.carry_out(main)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 1


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (command.whole(0), "0", "-1"),
        (command.whole(1, but=-1), "-1", "0"),
        (command.positive(int), "1", "0"),
        (command.positive(float, below=1), "0.5", "1"),
        (command.positive(float), "inf", "nan"),
    ],
)
def test_numbers_of_command_lines(read, right, wrong):
    assert read(right) == float(right)
    with pytest.raises(ValueError, match=wrong):
        read(wrong)
