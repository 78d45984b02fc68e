#!/usr/bin/env python3
"""Writes decode.json: one second of synthetic sound in many codings.

Needs ffmpeg, lame, flac and oggenc. The sound is a rising tone with its octave, which the tests compute from
the same formula. The file contains no recording."""
import base64
import json
import math
import os
import struct
import subprocess
import tempfile
import wave

RATE = 22050
SECONDS = 1


def sample(n, rate, channel):
    """The tone; tests/common/mod.rs of crates/decode has the same formula."""
    t = n / rate
    phase = 2 * math.pi * (300 * t + 200 * t * t)
    return 0.4 * math.sin(phase) + (0.1 if channel == 0 else 0.2) * math.sin(2 * phase)


def write(name, channels, rate):
    with wave.open(name, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        frames = range(SECONDS * rate)
        values = (round(32767 * sample(n, rate, c)) for n in frames for c in range(channels))
        out.writeframes(b"".join(struct.pack("<h", value) for value in values))


# name: (rate, channels, command); IN and OUT are the files.
FF = "ffmpeg -v error -y -fflags +bitexact -i IN -map_metadata -1 -flags:a +bitexact "
VIDEO = "-f lavfi -i color=black:s=16x16:r=5:d=1 "
FIXTURES = {
    "mp2": (RATE, 1, FF + "-c:a mp2 -b:a 24k OUT.mp2"),
    "mp3": (RATE, 1, "lame --quiet --resample 22.05 -V9 IN OUT.mp3"),
    "mp3 stereo": (RATE, 2, "lame --quiet -V9 IN OUT.mp3"),
    "mp3 without tag": (RATE, 1, "lame --quiet --resample 22.05 -t -b 16 IN OUT.mp3"),
    "aac adts": (RATE, 1, FF + "-c:a aac -b:a 24k OUT.aac"),
    "aac m4a": (32000, 2, FF + "-c:a aac -b:a 48k OUT.m4a"),
    "aac fragmented": (RATE, 1, FF + "-c:a aac -b:a 24k -movflags frag_keyframe+empty_moov -frag_duration 500000 OUT.mp4"),
    "aac with video": (RATE, 1, FF.replace("-i IN", VIDEO + "-i IN") + "-c:v mpeg4 -c:a aac -b:a 24k -shortest OUT.mp4"),
    "aac matroska": (RATE, 1, FF + "-c:a aac -b:a 24k OUT.mka"),
    "alac": (4000, 1, FF + "-c:a alac OUT.m4a"),
    "alac caf": (4000, 1, FF + "-c:a alac OUT.caf"),
    "flac": (5000, 1, "flac -s -f --no-padding --no-seektable -o OUT.flac IN"),
    "flac ogg": (4000, 1, FF + "-c:a flac -f ogg OUT.oga"),
    "flac mp4": (4000, 1, FF + "-c:a flac -strict -2 OUT.mp4"),
    "vorbis": (RATE, 1, "oggenc -Q -q 0 -s 1 -o OUT.ogg IN"),
    "vorbis webm": (RATE, 1, FF + "-c:a libvorbis -q:a 0 OUT.webm"),
    "opus": (48000, 2, FF + "-c:a libopus -b:a 24k -f opus OUT.opus"),
    "opus speech": (16000, 1, FF + "-c:a libopus -application voip -b:a 16k -f opus OUT.opus"),
    "opus webm": (48000, 1, FF + "-c:a libopus -b:a 16k OUT.webm"),
    "opus mp4": (48000, 1, FF + "-c:a libopus -b:a 20k -strict -2 OUT.mp4"),
    "opus with video": (48000, 1, FF.replace("-i IN", VIDEO + "-i IN") + "-c:v libvpx -c:a libopus -b:a 20k -shortest OUT.webm"),
    "adpcm ms": (8000, 1, FF + "-c:a adpcm_ms OUT.wav"),
    "adpcm ima": (6000, 1, FF + "-c:a adpcm_ima_wav OUT.wav"),
    "ima4 mov": (8000, 1, FF + "-c:a adpcm_ima_qt OUT.mov"),
    "ima4 aifc": (8000, 1, FF + "-c:a adpcm_ima_qt -f aiff OUT.aifc"),
}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    fixtures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (rate, channels, command) in FIXTURES.items():
            source = os.path.join(folder, f"{rate}-{channels}.wav")
            if not os.path.exists(source):
                write(source, channels, rate)
            target = os.path.join(folder, name.replace(" ", "-"))
            words = [w.replace("IN", source).replace("OUT", target) for w in command.split()]
            subprocess.run(words, check=True)
            made = next(word for word in words if word.startswith(target))
            with open(made, "rb") as encoded:
                data = encoded.read()
            fixtures[name] = {
                "extension": made.rsplit(".", 1)[1],
                "rate": 48000 if "opus" in name else rate,
                "channels": channels,
                "bytes": base64.b64encode(data).decode(),
            }
            print(f"{name:20} {len(data):6}")
    with open(os.path.join(here, "decode.json"), "w", encoding="utf-8") as out:
        json.dump(fixtures, out, indent=0)
        out.write("\n")
    print("all", os.path.getsize(os.path.join(here, "decode.json")))


main()
