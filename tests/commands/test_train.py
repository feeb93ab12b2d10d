"""`train.py` from the command line: what it leaves, and what it says to bad input."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import train
from golden.network import FeatureSettings
from quant_models import data_settings, dataset, features
from quant_models.architectures.dnn import Dnn
from quant_models.architectures.ds_cnn import DsCnn
from quant_models.checkpoint import Checkpoint, load_checkpoint
from quant_models.model_size import DEFAULT_SHIFTS, FLOOR_SHIFT
from quant_models.shift_rule import ACTIVATION_BITS, LAST_BITS, QUANTILE
from quant_models.training_settings import TrainingSettings
from scripts.console.command_line import run_command
from scripts.experiments import recipe_flags
from tests.checkpoints import SMALL, ds_cnn_size, random_checkpoint
from tests.commands.conftest import TRAINING_FLAGS, Trained, environment
from tests.repository import REPOSITORY
from tests.speech_folder import RATE_HZ, make_speech_folder, write_wav

ISSUED = (
    "--model_size_info 2 48 4 4 2 2 16 3 3 1 1 "
    "--learning_rate 0.00001,0.00005,0.0006,0.0003,0.0001 "
    "--how_many_training_steps 1000,1000,12000,10000,1000"
)
ORIGINAL = (
    "--model_architecture ds_cnn --wanted_words yes,no --data_dir data "
    "--data_url http://host/a.tgz --train_dir run --batch_size 100 --window_size_ms 40 "
    "--window_stride_ms 33 "
    "--dct_coefficient_count 10 --silence_percentage 10 --unknown_percentage 10 "
    "--background_volume 0.1 --background_frequency 0.8 --time_shift_ms 100 "
    "--validation_percentage 10 --testing_percentage 10 --eval_step_interval 400 "
    "--start_checkpoint best/a --seed 3"
)


def parsed(monkeypatch: pytest.MonkeyPatch, *flags: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    return train.parse_flags()


def curves(folder: Path) -> list[dict[str, str]]:
    with (folder / "work/DS_CNN/training/curves.csv").open() as lines:
        return list(csv.DictReader(lines))


# ---- a run


def test_a_short_training_tells_the_words_apart(trained: Trained) -> None:
    (path,) = trained.best
    match = re.fullmatch(r"ds_cnn_(\d{4,5})\.ckpt-(100|200)\.npz", path.name)
    assert match and int(match[1]) >= 9_000
    output = trained.printed("stdout")
    assert "labels      _silence_ _unknown_ yes no\n" in output
    assert "examples    1,500 for training, " in output
    assert f"checkpoint  work/DS_CNN/training/best/{path.name}\n" in output
    assert re.search(r"accuracy    \d+\.\d\d% of the validation clips at step (100|200)\n", output)


def test_a_run_prints_nothing_on_stderr(trained: Trained) -> None:
    assert trained.printed("stderr") == ""


def test_a_run_leaves_curves_and_one_checkpoint(trained: Trained) -> None:
    folder = trained.folder / "work/DS_CNN/training"
    assert sorted(path.name for path in folder.iterdir()) == ["best", "curves.csv", "curves.png"]
    points = curves(trained.folder)
    assert [(point["step"], point["learning_rate"]) for point in points] == [
        ("100", "0.004"),
        ("200", "0.001"),
    ]
    best = load_checkpoint(trained.checkpoint)
    assert max(float(point["validation_accuracy"]) for point in points) == best.accuracy


def test_a_checkpoint_carries_what_is_needed_to_use_it(trained: Trained) -> None:
    best = load_checkpoint(trained.checkpoint)
    assert best.size.architecture.info == (2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1)
    assert best.size.shifts == (3, 4, 8)
    assert best.labels == ("_silence_", "_unknown_", "yes", "no")
    assert best.features == FeatureSettings()
    assert best.cases.shape == (1_024, 30, 10)
    assert best.case_labels[:4].tolist() == [3, 2, 1, 0]
    assert best.training["seed"] == 1 and best.training["steps"] == [150, 50]
    assert best.training["augmented_examples"] == 1_500


def test_a_second_run_starts_from_the_cache_and_from_a_checkpoint(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def poison(*arguments: object) -> None:
        raise AssertionError("computed although it was kept")

    for module, name in ((features, "mfcc"), (features, "fingerprints"), (dataset, "read_clip")):
        monkeypatch.setattr(module, name, poison)
    monkeypatch.setattr(signal, "signal", lambda *arguments: None)
    monkeypatch.chdir(trained.folder)
    arguments = ["--data_dir", str(trained.data_dir), *TRAINING_FLAGS.split()]
    arguments += ["--start_checkpoint", str(trained.checkpoint), "--train_dir", str(tmp_path)]
    arguments += ["--learning_rate", "1e-12", "--how_many_training_steps", "1"]
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    run_command(train.main)
    (path,) = (tmp_path / "best").iterdir()
    before, after = load_checkpoint(trained.checkpoint), load_checkpoint(path)
    assert (after.accuracy, after.step) == (before.accuracy, 1)
    assert after.network().digest == before.network().digest


def test_an_interrupt_keeps_what_was_reached_and_the_seed_repeats_the_run(
    trained: Trained, tmp_path: Path
) -> None:
    command = [sys.executable, str(REPOSITORY / "train.py"), *TRAINING_FLAGS.split()]
    command += ["--data_dir", str(trained.data_dir), "--cache_dir"]
    command += [str(trained.folder / "work/cache")]
    command += ["--learning_rate", "0.004", "--how_many_training_steps", "1000000"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    points = tmp_path / "work/DS_CNN/training/curves.csv"
    end = time.monotonic() + 300
    while not points.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, b"")
    interrupted = re.search(rb"interrupted at step ([\d,]+)\n", output)
    assert interrupted
    assert int(interrupted[1].replace(b",", b"")) == int(curves(tmp_path)[-1]["step"])
    (path,) = (tmp_path / "work/DS_CNN/training/best").iterdir()
    assert load_checkpoint(path).labels == ("_silence_", "_unknown_", "yes", "no")
    assert (tmp_path / "work/DS_CNN/training/curves.png").stat().st_size > 0
    # The first 100 steps are those of the other run: the same seed, another process.
    assert curves(tmp_path)[0] == curves(trained.folder)[0]


DEEP_FLAGS = (
    "--model_size_info 3 6 4 4 2 2 8 3 3 1 1 8 3 3 1 1 --padding valid same valid "
    "--batch_size 50 --augmented_examples 1500 --coloration 0.5 --seed 1 "
    "--learning_rate 0.01 --how_many_training_steps 2"
)


def train_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trained: Trained, *flags: object
) -> Checkpoint:
    """Train on the tones in this process, from the cache; return the checkpoint."""
    monkeypatch.setattr(signal, "signal", lambda *arguments: None)
    monkeypatch.chdir(trained.folder)
    arguments = ["--data_dir", trained.data_dir, "--train_dir", folder, *flags]
    monkeypatch.setattr(sys, "argv", ["train.py", *map(str, arguments)])
    run_command(train.main)
    (path,) = (folder / "best").iterdir()
    return load_checkpoint(path)


def test_a_deeper_network_trains_with_shifts_from_observed_ranges(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = train_in(tmp_path / "a", monkeypatch, trained, *DEEP_FLAGS.split())
    assert checkpoint.size.architecture.info == (3, 6, 4, 4, 2, 2, 8, 3, 3, 1, 1, 8, 3, 3, 1, 1)
    assert checkpoint.size.architecture.padding == ("VALID", "SAME", "VALID")
    names = [node.name for node in checkpoint.network().nodes]
    assert names[-5:] == ["dw_conv_2_relu", "max_pool", "pw_conv_2", "pw_conv_2_relu", "fc1"]
    shifts = " ".join(map(str, checkpoint.size.shifts))
    assert f"shifts      {shifts}\n" in capsys.readouterr().out
    again = train_in(tmp_path / "b", monkeypatch, trained, *DEEP_FLAGS.split())
    assert again.to_bytes() == checkpoint.to_bytes()


def test_shifts_that_are_given_or_of_the_start_checkpoint_are_taken(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = DEEP_FLAGS.split()
    first = train_in(tmp_path / "a", monkeypatch, trained, *flags, "--shifts", *"54635")
    assert first.size.shifts == (5, 4, 6, 3, 5)
    start = first.save(tmp_path)
    second = train_in(tmp_path / "b", monkeypatch, trained, *flags, "--start_checkpoint", start)
    assert second.size == first.size


# ---- flags


def test_the_command_line_of_the_original_parses_as_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = parsed(monkeypatch, *ISSUED.split())
    settings = recipe_flags.settings_for_training(flags)
    assert settings.learning_rates == (0.00001, 0.00005, 0.0006, 0.0003, 0.0001)
    assert settings.steps == (1_000, 1_000, 12_000, 10_000, 1_000)
    assert tuple(flags.model_size_info) == (2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1)
    assert recipe_flags.network_of(flags) == (DsCnn.parse(flags.model_size_info), FLOOR_SHIFT)


def test_every_flag_of_the_original_reaches_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = parsed(monkeypatch, *ORIGINAL.split())
    data, training = (
        recipe_flags.settings_for_data(flags),
        recipe_flags.settings_for_training(flags),
    )
    assert data.wanted_words == ("yes", "no")
    assert (data.silence_percentage, data.unknown_percentage) == (10.0, 10.0)
    assert (data.validation_percentage, data.testing_percentage) == (10.0, 10.0)
    varied = data.augmentation
    assert (varied.background_volume, varied.background_frequency) == (0.1, 0.8)
    assert varied.time_shift_ms == 100.0
    assert (training.batch_size, training.eval_step_interval, training.seed) == (100, 400, 3)
    settings = recipe_flags.feature_settings(flags)
    assert (settings.window_ms, settings.stride_ms, settings.coefficients) == (40.0, 33.0, 10)
    assert (flags.data_dir, flags.train_dir) == ([Path("data")], Path("run"))
    assert (flags.data_url, flags.start_checkpoint) == ("http://host/a.tgz", Path("best/a"))


def test_defaults_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = parsed(monkeypatch)
    assert recipe_flags.settings_for_data(flags) == data_settings.DataSettings()
    assert recipe_flags.settings_for_training(flags) == TrainingSettings()
    assert recipe_flags.feature_settings(flags) == FeatureSettings()


def test_help_shows_defaults_and_the_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(monkeypatch, "--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for flag in re.findall(r"--\w+", ISSUED + ORIGINAL):
        assert flag in text
    words = " ".join(text.split())
    assert "--batch_size BATCH_SIZE examples a step (default: 100)" in words
    assert (
        f"for a ds_cnn of two layers {' '.join(map(str, DEFAULT_SHIFTS))}; else the smallest"
        in words
    )
    assert f"{QUANTILE:.1%}".replace("%", " %") + " of the values behind each ReLU" in words
    assert f"fit {ACTIVATION_BITS} bits, and {LAST_BITS} bits behind the last" in words
    assert f"example: {train.EXAMPLE}" in words


def test_weights_of_words_and_shares_reach_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given = "--other_noise 0.3 --spoken_share 0 --noise_dirs rain sea --word_weights"
    flags = parsed(monkeypatch, *given.split(), "go=8, down=2.5")
    settings = recipe_flags.settings_for_data(flags)
    assert settings.word_weights == (("go", 8.0), ("down", 2.5))
    assert (settings.other_noise, settings.spoken_share) == (0.3, 0.0)
    assert flags.noise_dirs == [Path("rain"), Path("sea")]


def test_the_example_of_the_help_parses(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = parsed(monkeypatch, *train.EXAMPLE.split()[2:])
    recipe_flags.settings_for_training(flags)
    recipe_flags.settings_for_data(flags)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--learning_rate 0.1,0.2 --how_many_training_steps 10",
         "learning_rate and how_many_training_steps: expected lists of equal length, got 2 and 1"),
        ("--learning_rate 0.1,a",
         r"argument --learning_rate: .*'0.1,a' \(--help lists the flags\)"),
        ("--how_many_training_steps 1.5", "argument --how_many_training_steps: .*'1.5' .*"),
        ("--learning_rate nan --how_many_training_steps 1",
         "learning_rate: expected finite numbers, got nan"),
        ("--model_size_info 2 48", r"model_size_info: expected the number of layers .*, got 2 48"),
        ("--model_size_info 2 48 4 4 2 2 16 3 3 1 2",
         "model_size_info: expected equal strides in layer 2, .*, got 1 and 2"),
        ("--model_size_info 2 48 31 4 2 2 16 3 3 1 1",
         "model_size_info: expected the kernel of layer 1 within the fingerprint of 30 x 10, "
         "got 31 x 4"),
        ("--dct_coefficient_count 3",
         "model_size_info: expected the kernel of layer 1 within the fingerprint of 30 x 3, "
         "got 4 x 4"),
        ("--dct_coefficient_count 50", r"features.coefficients: expected at most .*, got 50"),
        ("--window_size_ms 2000", r"features.window_ms: expected at most .*, got 2000.0"),
        ("--model_architecture tcn", r"argument --model_architecture: .*'tcn' .*"),
        ("--shifts 1 2 40", r"shifts: expected 3 in 0\.\.31, one for each ReLU, got 1 2 40"),
        ("--shifts 3 4", r"shifts: expected 3 in 0\.\.31, one for each ReLU, got 3 4"),
        ("--model_size_info 3 4 4 4 2 2 4 3 3 1 1 4 3 3 1 1 --shifts 3 4 8",
         r"shifts: expected 5 in 0\.\.31, one for each ReLU, got 3 4 8"),
        ("--padding valid", "padding: expected SAME or VALID for each of 2 layers, got VALID"),
        ("--padding valid full",
         "padding: expected SAME or VALID for each of 2 layers, got VALID FULL"),
        ("--wanted_words ,", "wanted_words: expected at least one word, got none"),
        ("--wanted_words yes,yes", r"wanted_words: expected each word once .*, got yes,yes"),
        ("--held_out_words yes", "held_out_words: expected no wanted word, got 'yes'"),
        ("--validation_percentage 60 --testing_percentage 40",
         r"validation_percentage and testing_percentage: .*, got 60.0 and 40.0"),
        ("--silence_percentage inf", r"silence_percentage: expected 0\.\.10000, got inf"),
        ("--loudness_db inf", r"loudness_db: expected 0\.\.100, got inf"),
        ("--background_volume 2", r"background_volume: expected 0\.\.1, got 2.0"),
        ("--batch_size 0", "batch_size: expected 1 or more, got 0"),
        ("--augmented_examples 0", "augmented_examples: expected 1 or more, got 0"),
        ("--seed -1", r"seed: expected 0\.\.4294967295, got -1"),
        ("--data_sha256 00", "data_sha256: expected together with data_url, got it alone"),
        ("--start_checkpoint nothing",
         "nothing: expected a ds_cnn checkpoint file, found nothing there"),
        ("--data_dir nowhere", "nowhere: expected a folder of words, found nothing there"),
        ("--data_dir .", r"\.: expected <word>/<clip>.wav, found no audio file"),
        ("--no_such_flag", r"unrecognized arguments: --no_such_flag .*"),
    ],
)  # fmt: skip
def test_bad_flags_are_refused_in_one_line(
    refused: Callable[..., str], flags: str, message: str
) -> None:
    found = refused(train.main, *flags.split())
    assert re.fullmatch(message, found), found


def test_what_no_flag_describes_is_taken_from_the_start_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = ds_cnn_size(SMALL, padding=("same", "same"))
    start = random_checkpoint(size=size)
    flags = parsed(monkeypatch, "--start_checkpoint", "a")
    train.follow_checkpoint(flags, start)
    assert recipe_flags.network_of(flags) == (size.architecture, FLOOR_SHIFT)
    other = parsed(monkeypatch, "--start_checkpoint", "a", "--model_architecture", "dnn")
    train.follow_checkpoint(other, start)
    assert recipe_flags.network_of(other)[0] == Dnn.parse(Dnn.DEFAULT_INFO)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ("--model_size_info 2 32 4 4 2 2 16 3 3 1 1", "model_size_info"),
        ("--shifts 3 4 7", "shifts"),
        ("--padding same same", "padding"),
        ("--form float", "form"),
        ("--model_architecture dnn --model_size_info 9", "model_architecture"),
        ("--wanted_words no,yes", "labels"),
        ("--window_stride_ms 32", "features"),
    ],
)
def test_a_start_checkpoint_of_another_network_is_refused(
    refused: Callable[..., str], trained: Trained, flags: str, name: str
) -> None:
    found = refused(train.main, "--start_checkpoint", trained.checkpoint, *flags.split())
    assert found.startswith(f"{trained.checkpoint}: expected {name} ")
    if name == "model_size_info":
        assert found.endswith(
            "(2, 32, 4, 4, 2, 2, 16, 3, 3, 1, 1) as the flags say, "
            "got (2, 48, 4, 4, 2, 2, 16, 3, 3, 1, 1)"
        )


@pytest.mark.parametrize(
    ("flags", "name"),
    [("--wanted_words bird,no", "labels"), ("--dct_coefficient_count 8", "features")],
)
def test_a_teacher_of_other_labels_or_features_is_refused(
    refused: Callable[..., str], trained: Trained, flags: str, name: str
) -> None:
    found = refused(train.main, "--teachers", trained.checkpoint, *flags.split())
    assert found.startswith(f"{trained.checkpoint}: expected {name} ") and "of a teacher" in found


# ---- data and folders


def bad_clip(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("yes, no")
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        samples = {
            "short": np.zeros(RATE_HZ // 20),
            "long": np.zeros(4 * RATE_HZ),
            "nan": np.full(RATE_HZ, np.nan),
        }[kind]
        soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "expected a sound file (WAV, FLAC, Ogg, ...), got something else"),
        ("empty", "expected a sound file (WAV, FLAC, Ogg, ...), got an empty file (0 bytes)"),
        ("short", "expected at least 100 ms of sound, got 50 ms"),
        ("long", "expected at most 3 s for one clip, got 4 s"),
        ("nan", "expected samples in -1..1, got nan in frame 0, channel 0"),
    ],
)
def test_a_bad_clip_is_refused_in_one_line(
    refused: Callable[..., str], tmp_path: Path, kind: str, message: str
) -> None:
    folder = make_speech_folder(tmp_path / "data", speakers=20, noise_seconds=(4.0,))
    path = folder / "bird" / "00000003_nohash_0.wav"
    bad_clip(path, kind)
    assert refused(train.main, "--data_dir", folder) == f"{path}: {message}"


def test_an_unknown_word_is_refused_with_those_that_there_are(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    write_wav(mkdir(folder / "yes") / "a.wav", np.zeros(RATE_HZ))
    found = refused(train.main, "--data_dir", folder)
    assert found == f"wanted_words: expected words that {folder} has (yes), got 'no'"


def test_the_user_s_own_keras_settings_stay_outside(trained: Trained, tmp_path: Path) -> None:
    settings = {
        "floatx": "float16",
        "epsilon": 0.5,
        "backend": "jax",
        "image_data_format": "channels_first",
        "dtype_policy": "mixed_float16",
    }
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    made = []
    for name, user in (
        ("plain", {}),
        ("jax", {"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path)}),
    ):
        folder = mkdir(tmp_path / name)
        done = subprocess.run(
            [
                *(sys.executable, str(REPOSITORY / "train.py"), *TRAINING_FLAGS.split()),
                *("--data_dir", str(trained.data_dir), "--how_many_training_steps", "20"),
                *("--learning_rate", "0.004", "--augmented_examples", "100"),
            ],
            cwd=folder,
            env={**environment(), **user},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        (checkpoint,) = (folder / "work/DS_CNN/training/best").iterdir()
        made.append(checkpoint.read_bytes())
    assert made[0] == made[1]


def test_no_address_means_the_folder_as_it_is(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = parsed(monkeypatch, "--data_url=", "--data_dir", str(trained.data_dir))
    train.prepare_data(flags)
    assert trained.data_dir.is_dir()


def mkdir(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    refused: Callable[..., str], trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("trained although nothing can be written")

    monkeypatch.setattr("quant_models.training.train", never)
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file" / "run", Path("/proc/run")):
        found = refused(
            train.main, "--data_dir", trained.data_dir, *TRAINING_FLAGS.split(),
            "--cache_dir", trained.folder / "work/cache", "--train_dir", folder,
        )  # fmt: skip
        assert found.startswith(str(folder)), found
    assert (tmp_path / "file").read_text() == "in the way"
    assert not os.path.lexists("/proc/run")
