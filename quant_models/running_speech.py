"""Longer recordings of speech, from which clips are cut that have speech in them.

Between sentences and around phrases a recording is quiet, more than half of its time as a rule. A
clip cut from there is silence: as an example of unknown words it would teach the opposite.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quant_models.audio import Samples

_FRAME_MS = 20
_LOUD_QUANTILE = 0.95
_SPOKEN = 0.1  # of the loud frames' root mean square: 20 dB below it


def spoken_starts(
    recording: Samples, clip_samples: int, rate_hz: int, least_share: float
) -> npt.NDArray[np.int64]:
    """Return where clips of `clip_samples` with speech in them begin, in samples, 20 ms apart.

    Speech is what is at most 20 dB quieter than the loudest twentieth of the recording. At least
    `least_share` of a clip is speech; in a recording without such a clip, it is the one with most.
    The recording is as long as a clip or longer.
    """
    frame = _FRAME_MS * rate_hz // 1_000
    count = len(recording) // frame
    frames = recording[: count * frame].reshape(count, frame)
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    spoken = rms >= _SPOKEN * np.quantile(rms, _LOUD_QUANTILE)
    before = np.concatenate([[0], np.cumsum(spoken)])
    length = min(clip_samples // frame, count)
    share = (before[length:] - before[:-length]) / length
    good = np.flatnonzero(share >= least_share)
    starts = (good if len(good) else np.array([share.argmax()])) * frame
    return np.minimum(starts, len(recording) - clip_samples)
