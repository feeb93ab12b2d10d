"""label_wav.py: the same labels as the reference, frozen graphs as they are, bad files named."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import label_wav
from golden import reference
from quant_models.audio import read_clip
from quant_models.checkpoint import load_checkpoint
from quant_models.features import fingerprints
from quant_models.labelling import doubts
from tests.commands.conftest import Trained, run_script
from tests.repository import REPOSITORY
from tests.speech_folder import RATE_HZ, spoken_word, write_wav

(NETWORK,) = REPOSITORY.glob("weights/*/network.npz")
RIGHT = {"DNN_S": 1_776, "DS_CNN_S": 1_992, "GRU_S": 1_971, "LSTM_S": 1_940}  # of 2,240


def scores_in(path: Path) -> dict[str, list[float]]:
    """The scores that a CSV file holds, by the name of the recording."""
    with path.open(encoding="utf-8") as stream:
        _, *rows = csv.reader(stream)
    return {Path(row[0]).name: [float(score) for score in row[2:]] for row in rows}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen graph with three outputs, which depend on every bit of the first second."""
    import tensorflow as tf

    path = tmp_path_factory.mktemp("graph") / "graph.pb"
    with tf.Graph().as_default() as built:
        wav = tf.compat.v1.placeholder(tf.string, [], name="wav_data")
        samples = tf.audio.decode_wav(wav, 1, RATE_HZ).audio[:, 0]
        weights = tf.constant(np.random.default_rng(0).normal(size=(RATE_HZ, 3)), tf.float32)
        tf.nn.softmax(tf.linalg.matmul(samples[None], weights), name="labels_softmax")
    path.write_bytes(built.as_graph_def().SerializeToString())
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("one\ntwo\nthree\n")
    return path


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[str, str]]]:
    def call(*flags: object) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["label_wav.py", *map(str, flags)])
        label_wav.main()
        return tuple(capsys.readouterr())

    yield call


def test_network_and_checkpoint_say_what_the_reference_says(
    trained: Trained, tmp_path: Path, run: Callable[..., tuple[str, str]]
) -> None:
    done = run_script(
        tmp_path, "quant_test.py", "--checkpoint", str(trained.checkpoint),
        "--data_dir", str(trained.data_dir),
        "--output_dir", "weights", "--vectors_dir", "vectors",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    network = load_checkpoint(trained.checkpoint).network()
    places = [trained.data_dir / word for word in ("yes", "no", "dog")]
    clips = [path for place in places for path in sorted(place.iterdir())]
    waves = np.stack([read_clip(path, RATE_HZ, RATE_HZ) for path in clips])
    assert network.features is not None
    found = reference.run(network, fingerprints(waves, network.features))
    expected = [network.labels[index] for index in found.label_indices]
    table = tmp_path / "scores.csv"
    for flags in (("--network", tmp_path / "weights/network.npz"),
                  ("--checkpoint", trained.checkpoint)):  # fmt: skip
        printed, warned = run("--wav", *places, *flags, "--how_many_labels", 1, "--csv", table)
        lines = printed.splitlines()
        assert lines[::2] == list(map(str, clips)) and "warning" not in warned
        assert [line.split(" (score = ")[0] for line in lines[1::2]] == expected
        with table.open() as stream:
            header, *rows = csv.reader(stream)
        assert header == ["file", "label", *network.labels]
        assert [row[:2] for row in rows] == [
            [str(path), label] for path, label in zip(clips, expected, strict=True)
        ]
        assert all(abs(sum(map(float, row[2:])) - 1) < 1e-4 for row in rows)


def test_one_recording_prints_its_labels_alone(run: Callable[..., tuple[str, str]], tmp_path: Path):
    path = write_wav(tmp_path / "a.wav", spoken_word("yes", np.random.default_rng(1)))
    printed, _ = run("--wav", path, "--network", NETWORK, "--how_many_labels", 2)
    first, second = (float(line.split(" = ")[1][:-1]) for line in printed.splitlines())
    assert 1 > first >= second > 0 and printed.count("(score = ") == 2


def test_a_network_needs_no_tensorflow(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", spoken_word("yes", np.random.default_rng(1)))
    code = "import label_wav, sys; label_wav.main(); sys.exit('tensorflow' in sys.modules)"
    flags = ["--wav", str(path), "--network", str(NETWORK)]
    done = subprocess.run([sys.executable, "-c", code, *flags], cwd=REPOSITORY, check=False)
    assert done.returncode == 0


def test_a_graph_gets_the_samples_as_they_are(
    graph: Path, labels: Path, tmp_path: Path, run: Callable[..., tuple[str, str]]
) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(2)
    paths = [write_wav(tmp_path / f"{n}.wav", rng.uniform(-1, 1, size=n)) for n in (9_000, 16_000)]
    paths.append(tmp_path / "lossless.flac")
    soundfile.write(paths[-1], soundfile.read(paths[1], dtype="int16")[0], RATE_HZ)
    table = tmp_path / "scores.csv"
    run("--wav", *paths, "--graph", graph, "--labels", labels, "--csv", table)
    definition = tf.compat.v1.GraphDef.FromString(graph.read_bytes())
    with tf.Graph().as_default() as built:
        tf.compat.v1.import_graph_def(definition, name="")
    with tf.compat.v1.Session(graph=built) as session:
        expected = {
            path.name: session.run("labels_softmax:0", {"wav_data:0": path.read_bytes()})[0]
            for path in paths[:2]
        }
    found = scores_in(table)
    for name, scores in expected.items():
        assert found[name] == [float(f"{score:.5f}") for score in scores]
    assert found["lossless.flac"] == found["16000.wav"]


def test_a_file_that_is_no_sound_is_named_and_the_rest_is_labelled(
    tmp_path: Path, run: Callable[..., tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    for name in ("a", "c"):
        write_wav(tmp_path / f"{name}.wav", spoken_word("no", rng))
    (tmp_path / "b.wav").write_bytes(b"no sound")
    table = tmp_path / "scores.csv"
    with pytest.raises(SystemExit) as caught:
        run("--wav", f"{tmp_path}/*.wav", "--network", NETWORK, "--csv", table)
    assert caught.value.code == 1
    printed, error = capsys.readouterr()
    assert error.splitlines()[-1].startswith(f"error: {tmp_path}/b.wav: expected a sound file")
    assert printed.count("(score = ") == 6 and list(scores_in(table)) == ["a.wav", "c.wav"]


@pytest.mark.parametrize(
    ("clip", "doubt"),
    [
        (np.zeros(9), "silent: no sample is louder than 0 of 32,768"),
        (np.full(9, 3 / 32_768), "silent: no sample is louder than 3 of 32,768"),
        (np.array([1.0, -1.0, 0.1, 0.1]), "clipped: 50.0% of its samples are at full scale"),
        (np.array([0.9, -0.9, 0.1, 0.1]), None),
    ],
)
def test_silent_and_clipped_recordings_are_doubted(clip: np.ndarray, doubt: str | None) -> None:
    assert doubts(clip.astype(np.float32)) == doubt


def test_a_doubt_is_a_warning_beside_the_labels(
    tmp_path: Path, run: Callable[..., tuple[str, str]]
) -> None:
    path = write_wav(tmp_path / "a.wav", np.zeros(RATE_HZ))
    printed, warned = run("--wav", path, "--network", NETWORK)
    assert warned == f"warning: {path} is silent: no sample is louder than 0 of 32,768\n"
    assert printed.startswith("_silence_ (score = ")


def test_words_are_detected_in_a_stream_where_they_were_said(
    trained: Trained, tmp_path: Path, run: Callable[..., tuple[str, str]]
) -> None:
    rng = np.random.default_rng(5)
    track = 0.002 * rng.standard_normal(60 * RATE_HZ)
    said = [("yes", 3_000), ("dog", 9_500), ("no", 15_250), ("no", 24_000), ("cat", 33_000),
            ("yes", 40_400), ("bird", 47_000), ("no", 54_000)]  # fmt: skip
    for word, time_ms in said:
        start = time_ms * RATE_HZ // 1_000
        track[start : start + RATE_HZ] += spoken_word(word, rng)
    wav, truth, table = (tmp_path / name for name in ("track.wav", "truth.txt", "found.csv"))
    write_wav(wav, track)
    wanted = [each for each in said if each[0] in ("yes", "no")]
    truth.write_text("".join(f"{word},{time_ms}\n" for word, time_ms in wanted))
    printed, _ = run("--wav", wav, "--checkpoint", trained.checkpoint, "--stream",
                     "--truth", truth, "--csv", table)  # fmt: skip
    with table.open() as stream:
        found = [(row["label"], int(row["time_ms"])) for row in csv.DictReader(stream)]
    assert [word for word, _ in found] == [word for word, _ in wanted]
    assert all(abs(a - b) <= 750 for (_, a), (_, b) in zip(found, wanted, strict=True))
    lines = printed.splitlines()
    assert lines[0].startswith(f"{found[0][1]}ms: yes (score = 0.")
    assert lines[len(found) :] == [
        "detections  5 in 60.0 s, 300.00 an hour",
        "hits        5 of 5 words",
        "misses      0, taken for another word 0",
        "false       0 alarms, 0.00 an hour",
    ]


def test_bad_input_is_one_line(graph: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    wav = write_wav(tmp_path / "a.wav", spoken_word("yes", np.random.default_rng(1)))
    labels, few, text = (tmp_path / name for name in ("labels.txt", "few.txt", "text.pb"))
    labels.write_text("one\ntwo\nthree\n")
    few.write_text("one\ntwo\n")
    text.write_text("no graph at all")

    def line(*flags: object) -> str:
        return refused(label_wav.main, "--wav", wav, *flags)

    given = "--graph", graph, "--labels"
    assert line(*given, few) == (
        f"labels: expected 3, as many as labels_softmax:0 of {graph} has outputs, got 2"
    )
    assert line(*given, labels, "--input_name", "wav:0") == (
        f"{graph}: expected a node wav:0, found none (inputs: wav_data; last node: labels_softmax)"
    )
    assert line("--graph", text, "--labels", labels) == (
        f"{text}: expected a frozen TensorFlow graph, got another file"
    )
    assert line("--graph", graph) == "labels: expected together with --graph, got none"
    assert line("--network", NETWORK, "--labels", labels) == (
        "graph: expected together with --labels, got none"
    )
    stream = "--network", NETWORK, "--stream"
    assert line(*stream, "--detection_threshold", 2) == (
        "detection_threshold: expected 0..1, got 2.0"
    )
    assert refused(label_wav.main, "--wav", wav, *stream, "--truth", few).startswith(
        f"{few}: expected label,time_ms with one of _silence_, _unknown_, yes, no in line 1, got"
    )
    nothing = f"{tmp_path}/*.flac"
    assert refused(label_wav.main, "--wav", nothing, "--network", NETWORK) == (
        f"{nothing}: expected recordings, found none"
    )


@pytest.mark.data
@pytest.mark.parametrize("name", RIGHT)
def test_published_graphs_have_as_many_right_as_published(
    name: str,
    models_dir: Path,
    speech_dir: Path,
    tmp_path: Path,
    run: Callable[..., tuple[str, str]],
) -> None:
    table = tmp_path / "scores.csv"
    graph = "--graph", models_dir / f"{name}.pb", "--labels", models_dir / "labels.txt"
    run("--wav", speech_dir / "speech_commands_test", *graph, "--csv", table)
    with table.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2_240
    assert sum(Path(row["file"]).parent.name == row["label"] for row in rows) == RIGHT[name]
