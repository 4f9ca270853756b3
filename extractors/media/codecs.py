"""The decoders that a clip may use, by ffmpeg's names: what cameras, phones, browsers and editors write.

Of the some 500 that come with PyAV most are for games and scanners of decades ago. Hardly anybody reads them through
for what a hostile file makes of them, so they are left out rather than trusted.

Beside its codec a picture's format counts. ffmpeg's scaler aborts the whole process over the raw picture of a camera's
sensor (Bayer) at few pixels, and over some of floating point (yaf32) at any size: both found by trying every format
that it names at nine sizes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import av

PICTURES = frozenset((
    "h264", "hevc", "h263", "h263p", "mpeg4", "mpegvideo", "mpeg1video", "mpeg2video", "msmpeg4", "msmpeg4v1",
    "msmpeg4v2", "flv", "wmv1", "wmv2", "wmv3", "vc1", "vp3", "theora", "vp6", "vp6f", "vp8", "libvpx", "vp9",
    "libvpx-vp9", "av1", "libdav1d", "libaom-av1", "mjpeg", "gif", "png", "apng", "webp", "dnxhd", "cfhd", "prores",
    "dvvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo", "qtrle", "cinepak", "svq1", "svq3",
))  # fmt: skip
SOUND = frozenset((
    "aac", "aac_fixed", "aac_latm", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "ac3", "ac3_fixed",
    "eac3", "dca", "truehd", "mlp", "opus", "libopus", "vorbis", "flac", "alac", "wavpack", "tta", "wmav1", "wmav2",
    "wmapro", "wmalossless", "wmavoice", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms",
    "speex", "libspeex", "g722", "ilbc", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_swf", "adpcm_yamaha",
    "qdm2", "pcm_alaw", "pcm_mulaw", "pcm_bluray", "pcm_dvd", "pcm_u8", "pcm_s8", "pcm_s8_planar", "pcm_s16be",
    "pcm_s16be_planar", "pcm_s16le", "pcm_s16le_planar", "pcm_u16be", "pcm_u16le", "pcm_s24be", "pcm_s24le",
    "pcm_s24le_planar", "pcm_u24be", "pcm_u24le", "pcm_s32be", "pcm_s32le", "pcm_s32le_planar", "pcm_u32be",
    "pcm_u32le", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_s64be", "pcm_s64le",
))  # fmt: skip
TEXTS = frozenset((
    "mov_text", "subrip", "srt", "webvtt", "ass", "ssa", "text",
))  # fmt: skip
BY_KIND = {"video": PICTURES, "audio": SOUND}
# Opening a clip looks into its streams with their decoders, these alone.
WHITELIST = ",".join(sorted(PICTURES | SOUND | TEXTS))
_FLOATS = re.compile(r"f(16|32)(be|le)$")
LEAST_SIDE = 16  # pixels of a picture's shorter side: a face of fewer than 24 is not found


def is_read(stream: Any, kind: str) -> bool:
    """Whether the stream, "video" or "audio", is of a codec that is decoded here."""
    return stream.codec_context is not None and stream.codec_context.name in BY_KIND[kind]


def is_drawable(frame: Any) -> bool:
    """Whether a decoded picture can be given to ffmpeg's scaler."""
    return min(frame.width, frame.height) >= LEAST_SIDE and _is_scaled(frame.format.name)


@cache
def _is_scaled(form: str) -> bool:
    """Whether the scaler takes pictures of the format: some it refuses, and some it must not be asked about."""
    if form.startswith("bayer") or _FLOATS.search(form):
        return False
    try:
        av.VideoFrame(LEAST_SIDE, LEAST_SIDE, form).reformat(format="bgr24", interpolation="AREA")
    except (av.FFmpegError, OSError, ValueError):
        return False
    return True
