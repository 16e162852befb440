"""The command lines run, print what they promise, and fail when they should."""

import json
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def carry_out(monkeypatch, capsys):
    """Return what runs a script in this process, as Python does, but for modules that others have loaded."""

    def carry_out(name, *arguments):
        script = SCRIPTS / name
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        monkeypatch.syspath_prepend(script.parent)
        loaded = dict(sys.modules)
        try:
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(script), run_name="__main__")
        finally:
            for module, its in [*sys.modules.items()]:
                if module not in loaded and str(getattr(its, "__file__", None)).startswith(str(SCRIPTS)):
                    del sys.modules[module]
        said, code = capsys.readouterr(), ended.value.code
        if isinstance(code, str):
            return SimpleNamespace(returncode=1, stdout=said.out, stderr=said.err + code)
        return SimpleNamespace(returncode=code or 0, stdout=said.out, stderr=said.err)

    return carry_out


COMMANDS = [
    *(each.relative_to(ROOT) for each in (ROOT / "scripts").rglob("*.py") if "__main__" in each.read_text()),
    *(each.relative_to(ROOT) for each in ROOT.glob("problems/*/__main__.py")),
    Path("cem/__main__.py"),
]
NOTHING_DRAWN = ("scripts/benchmarks/digests.py", "scripts/mutation.py")
OURS = {  # what other names are given to it elsewhere
    "--max-time": ("--seconds", "--minutes", "--timeout", "--time", "--time-limit"),
    "--max-evaluations": ("--evaluations", "--limit", "--calls", "--budget"),
    "--runs": ("--repeats", "--repetitions", "--trials", "--n-runs"),
    "--jobs": ("--workers", "--n-jobs", "--processes", "--threads"),
    "--seed": ("--seeds", "--rng", "--random-state"),
    "--dims": ("--dimensions",),
    "--keep": ("--log", "--save", "--store"),
}
OTHER_THINGS = {  # than the names above stand for
    "scripts/benchmarks/worker_schemes.py": "--workers",  # those simulated
    "scripts/benchmarks/rare_event/compare.py": "--minutes",  # of all runs
    "scripts/benchmarks/rare_event/ingredients.py": "--minutes",
}


@pytest.mark.parametrize("command", sorted(COMMANDS), ids=str)
def test_help_names_the_same_things_alike(carry_out, command):
    done = carry_out(ROOT / command, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", done.stdout))
    assert "--json" in options
    assert "--seed" in options or str(command) in NOTHING_DRAWN
    elsewhere = {name for names in OURS.values() for name in names} - {OTHER_THINGS.get(str(command))}
    assert not options & elsewhere


def test_what_a_benchmark_prints_comes_as_json(carry_out):
    few = ("--workers", 100, "--batches", 200, "--runs", 1, "--dimension", 3, "--tails", "Pareto 2.5")
    said = json.loads(carry_out("benchmarks/worker_schemes.py", *few, "--json").stdout)
    assert any("synchronous" in line for line in said["text"])


def test_ctrl_c_ends_a_benchmark_and_not_one_run():
    path = SCRIPTS / "benchmarks/continuous/claims.py"
    command = [sys.executable, "-u", str(path), "ours", "--runs", "1000"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "| solver |" in child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_wrong_file_is_said_without_a_traceback(carry_out):
    for arguments in (("digests.py", "--compare", "no such"), ("maxcut/tori.py", "no such")):
        done = carry_out(f"benchmarks/{arguments[0]}", *arguments[1:])
        assert done.returncode in (1, 2)
        assert "error: [Errno 2] No such file or directory: 'no such'" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("rare_event/claims.py", "--only", "["),
        ("rare_event/claims.py", "--only", "no such"),
        ("rare_event/few_quantiles.py", "--only", "no such"),
        ("rare_event/ingredients.py", "--cases", "no such"),
        ("continuous/claims.py", "--kinds", "no such"),
        ("continuous/compare.py", "--large", "--dims", "no such"),
        ("maxcut/tori.py", "--sizes", "5y5"),
        ("maxcut/densities.py", "--vertices", 1),
        ("overhead.py", "--dims", 0),
        ("kills.py", "--kills", 0),
        ("improving.py", "--only", "no such"),
    ],
    ids=lambda each: " ".join(map(str, each)),
)
def test_what_no_benchmark_can_do_is_said_before_it_begins(carry_out, arguments):
    done = carry_out(f"benchmarks/{arguments[0]}", *arguments[1:])
    assert done.returncode == 2
    assert f"{Path(arguments[0]).name}: error: " in done.stderr
    assert str(arguments[-1]) in done.stderr


@pytest.mark.slow
def test_demo_is_right():
    done = run("demo.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all three are right" in done.stdout


def test_a_fuzz_finds_nothing_in_a_case_of_each_kind():
    done = run("fuzz.py", "--cases", 2, "--seed", 1)
    assert done.returncode == 0, done.stdout
    assert "0 findings in 18 cases" in done.stdout


@pytest.mark.slow
def test_a_minute_of_fuzz_finds_nothing():
    done = run("fuzz.py", "--max-time", 60, "--seed", 1000)
    assert done.returncode == 0, done.stdout


def test_optimize_function(carry_out):
    done = carry_out("optimize_function.py", "sphere", "--dimension", 3, "--history")
    assert done.returncode == 0, done.stderr
    assert "CONVERGED" in done.stdout


@pytest.mark.slow
def test_study_rare_event():
    done = run("study_rare_event.py", "RP22", "--runs", 2, "--error", 0.2)
    assert done.returncode == 0, done.stderr
    assert "RP22" in done.stdout
    done = run("study_rare_event.py", "--levels", 1.5, "--runs", 3, "--method", "multilevel")
    assert done.returncode == 0, done.stderr
    assert "3.34089e-04" in done.stdout


def test_study_rare_event_lists_the_cases(carry_out):
    done = carry_out("study_rare_event.py", "--list")
    assert done.returncode == 0, done.stderr
    assert "credit 250" in done.stdout
    assert carry_out("study_rare_event.py", "no such").returncode != 0


@pytest.mark.slow
def test_study_ingredients(tmp_path):
    log = tmp_path / "runs.jsonl"
    for _ in range(2):
        done = run(
            "benchmarks/rare_event/ingredients.py",
            "the resolution",
            "--cases",
            "plane 5",
            "--runs",
            1,
            "--keep",
            log,
        )
        assert done.returncode == 0, done.stderr
        assert "the resolution" in done.stdout
    assert len(log.read_text().splitlines()) == 2
    assert run("benchmarks/rare_event/ingredients.py", "no such").returncode != 0


@pytest.mark.slow
def test_simulate_workers():
    few = ("--workers", 100, "--batches", 200, "--runs", 1, "--dimension", 3, "--tails", "Pareto 2.5")
    done = run("benchmarks/worker_schemes.py", *few)
    assert done.returncode == 0, done.stderr
    for scheme in ("synchronous", "asynchronous", "islands"):
        assert scheme in done.stdout


@pytest.fixture
def square(tmp_path):
    graph = tmp_path / "square.txt"
    graph.write_text("4 4\n1 2 1\n2 3 1\n3 4 1\n4 1 1\n")
    (tmp_path / "best_known.csv").write_text("instance,best_known\nsquare,4\n")
    return graph


@pytest.mark.slow
def test_maxcut_writes_the_solution_and_knows_the_gaps(square):
    folder = square.parent
    done = run(
        "cut_graph.py", square, "--max-time", 5, "--bound", "--best-known", folder / "best_known.csv",
        "--solution-dir", folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "annealing" in done.stdout
    assert done.stdout.count(" 0.000 ") == 2
    sides = (folder / "square.solution").read_text().split()
    assert sides[0] == sides[2] != sides[1] == sides[3]


@pytest.mark.slow
def test_benchmark_maxcut_stops_at_the_best_known_value(square):
    arguments = (square, "--max-time", 100, "--solvers", "cem-numpy", "--stop-at-best")
    done = run("benchmarks/maxcut/compare.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert "| cem-numpy | 1 | 1 (100 %) | 0.0000 |" in done.stdout


@pytest.mark.slow
def test_benchmark_rare_event_goes_on_where_it_stopped(tmp_path):
    log = tmp_path / "runs.jsonl"
    given = ("RP22", "M/M/1 overflow", "--methods", "ours", "--error", 0.2, "--keep", log, "--runs")
    assert run("benchmarks/rare_event/compare.py", *given, 1).returncode == 0
    first = log.read_text().splitlines()
    done = run("benchmarks/rare_event/compare.py", *given, 2)
    assert len(first) == 2
    assert log.read_text().splitlines()[:2] == first
    assert len(log.read_text().splitlines()) == 4
    assert "own s" in done.stdout


@pytest.mark.slow
def test_benchmark_continuous_constrained():
    done = run("benchmarks/continuous/compare.py", "--constrained", "ours", "--problems", "g08", "--runs", 1)
    assert done.returncode == 0, done.stderr
    assert "ours: 1/1 solved" in done.stdout


@pytest.mark.slow
def test_benchmark_continuous_large():
    done = run(
        "benchmarks/continuous/compare.py", "--large", "ours", "separable", "--dims", 20, "--max-time", 5
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("D = 20") == 6


@pytest.mark.slow
def test_benchmark_continuous_on_bbob(tmp_path):
    pytest.importorskip("cocoex")
    kept = tmp_path / "hits.json"
    tiny = ("ours", "random", "--functions", 1, 15, "--dims", 2, "--instances", 11, "--multiple", 100)
    first = run("benchmarks/continuous/compare.py", *tiny, "--keep", kept)
    assert first.returncode == 0, first.stderr
    assert "ours − random" in first.stdout
    table = first.stdout[first.stdout.index("|") :]
    assert run("benchmarks/continuous/compare.py", *tiny, "--keep", kept).stdout.endswith(table)


def test_benchmark_continuous_refuses_names_it_does_not_know(carry_out):
    done = carry_out("benchmarks/continuous/compare.py", "ours", "nobody")
    assert done.returncode != 0
    assert "nobody" in done.stderr
