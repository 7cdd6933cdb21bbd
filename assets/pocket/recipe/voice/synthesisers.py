"""The speech synthesisers espeak-ng, flite and SVOX Pico, through ctypes. (festival.py has two more.)

Each class has `say(text, voice)`, which gives 16 kHz int16 and for each word the second where it starts. Libraries and
data come from the folder POCKET_LIBRARIES (lib/, espeak-ng-data/, pico/, festival/), without it from the system.
"""
from __future__ import annotations

import ctypes
import functools
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy
from scipy.signal import resample_poly

RATE = 16000
FOLDER = os.environ.get("POCKET_LIBRARIES", "")
C_LIBRARY = ctypes.CDLL(None)


@dataclass(frozen=True)
class Voice:
    """speed, pitch and formants are factors, 1 is the synthesiser's own; formants below 1 is a bigger speaker."""
    synthesiser: str          # "espeak", "flite", "pico", "festival" or "hts"
    name: str                 # "en+f2", "slt", "en-GB", "kal_diphone", ...
    speed: float = 1.0
    pitch: float = 1.0
    formants: float = 1.0
    intonation: int = 50      # espeak only, 0 is monotone

    def __str__(self) -> str:
        return f"{self.synthesiser}:{self.name} speed {self.speed:g} pitch {self.pitch:g} formants {self.formants:g}"


Words = list[tuple[str, float]]   # each word with the second where it starts


def library(name: str) -> ctypes.CDLL:
    """A shared library from POCKET_LIBRARIES, else the system."""
    return ctypes.CDLL(str(Path(FOLDER, "lib", name)) if FOLDER else name, mode=ctypes.RTLD_GLOBAL)


@functools.cache
def preload() -> None:
    """Loads what the libraries in POCKET_LIBRARIES lean on: all that loads, again until nothing is new."""
    waiting = {path.name for path in Path(FOLDER, "lib").iterdir() if "flite" not in path.name} if FOLDER else set()
    loaded = {""}
    while loaded:
        loaded = set()
        for name in sorted(waiting):
            try:
                library(name)
                loaded.add(name)
            except OSError:
                continue
        waiting -= loaded


def resample(samples: numpy.ndarray, factor: float) -> numpy.ndarray:
    """Makes samples `factor` times as many."""
    ratio = Fraction(factor).limit_denominator(400)
    if ratio == 1:
        return samples
    result = resample_poly(samples.astype(numpy.float32), ratio.numerator, ratio.denominator)
    return numpy.clip(numpy.round(result), -32767, 32767).astype(numpy.int16)


class Espeak:
    """espeak-ng; voices "language+variant" ("en" is British)."""
    RATE, PITCH, INTONATION, WORD_EVENT = 1, 3, 4, 1

    class Event(ctypes.Structure):
        _fields_ = [("type", ctypes.c_int), ("identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
                    ("length", ctypes.c_int), ("milliseconds", ctypes.c_int), ("sample", ctypes.c_int),
                    ("user", ctypes.c_void_p), ("value", ctypes.c_char * 8)]

    def __init__(self) -> None:
        preload()
        self.library = library("libespeak-ng.so.1")
        self.rate = self.library.espeak_Initialize(2, 0, FOLDER.encode() if FOLDER else None, 0)
        if self.rate <= 0:
            raise RuntimeError("espeak-ng does not find its data")
        self.parts: list[numpy.ndarray] = []
        self.words: list[tuple[int, int, int]] = []
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int,
                                     ctypes.POINTER(self.Event))
        self.callback = prototype(self.receive)
        self.library.espeak_SetSynthCallback(self.callback)
        self.current = ""

    def receive(self, samples, count: int, events) -> int:
        if samples and count > 0:
            self.parts.append(numpy.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events and events[i].type:
            if events[i].type == self.WORD_EVENT:
                self.words.append((events[i].text_position, events[i].length, events[i].sample))
            i += 1
        return 0

    def say(self, text: str, voice: Voice) -> tuple[numpy.ndarray, Words]:
        if voice.name != self.current:
            if self.library.espeak_SetVoiceByName(voice.name.encode()):
                raise ValueError(f"espeak-ng has no voice {voice.name}")
            self.current = voice.name
        for parameter, value in ((self.RATE, 170 * voice.speed), (self.PITCH, 50 * voice.pitch),
                                 (self.INTONATION, voice.intonation)):
            self.library.espeak_SetParameter(parameter, round(value), 0)
        self.parts, self.words = [], []
        data = text.encode() + b"\0"
        self.library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, 1, None, None)
        samples = numpy.concatenate(self.parts) if self.parts else numpy.zeros(100, numpy.int16)
        words = [(text[start - 1:start - 1 + length], sample / self.rate) for start, length, sample in self.words]
        return resample(samples, RATE / self.rate), words


class Flite:
    """flite's built-in voices slt, rms, awb and kal16."""

    class Wave(ctypes.Structure):
        _fields_ = [("type", ctypes.c_char_p), ("rate", ctypes.c_int), ("count", ctypes.c_int),
                    ("channels", ctypes.c_int), ("samples", ctypes.POINTER(ctypes.c_short))]

    class Speaker(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]

    def __init__(self) -> None:
        preload()
        self.library = library("libflite.so.1")
        self.library.flite_init()
        for name in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
            library(name)
        for name, result, arguments in (
                ("flite_synth_text", ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_void_p]),
                ("utt_wave", ctypes.POINTER(self.Wave), [ctypes.c_void_p]),
                ("delete_utterance", None, [ctypes.c_void_p]),
                ("flite_feat_set_float", None, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]),
                ("utt_relation", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
                ("relation_head", ctypes.c_void_p, [ctypes.c_void_p]),
                ("item_next", ctypes.c_void_p, [ctypes.c_void_p]),
                ("ffeature_float", ctypes.c_float, [ctypes.c_void_p, ctypes.c_char_p]),
                ("ffeature_string", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_char_p])):
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, arguments

    @functools.cache
    def speaker(self, name: str) -> int:
        function = getattr(library(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
        function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        return function(None)

    def say(self, text: str, voice: Voice) -> tuple[numpy.ndarray, Words]:
        speaker = self.speaker(voice.name)
        features = self.Speaker.from_address(speaker).features
        self.library.flite_feat_set_float(features, b"duration_stretch", 1 / voice.speed)
        self.library.flite_feat_set_float(features, b"f0_shift", voice.pitch)
        utterance = self.library.flite_synth_text(text.encode(), speaker)
        result = self.library.utt_wave(utterance).contents
        samples = resample(numpy.ctypeslib.as_array(result.samples, (result.count,)).copy(), RATE / result.rate)
        words = []
        relation = self.library.utt_relation(utterance, b"Word")
        item = self.library.relation_head(relation) if relation else None
        while item:
            first = b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"
            words.append((self.library.ffeature_string(item, b"name").decode(),
                          self.library.ffeature_float(item, first)))
            item = self.library.item_next(item)
        self.library.delete_utterance(utterance)
        return samples, words


class Pico:
    """SVOX Pico's English voices en-GB and en-US.

    A mark before each word comes out of the engine between the pieces of sound. The public call drops marks, so the
    engine's step is called here as that call does it (the layout of the engine is the same in every release).
    """
    RESOURCES = {"en-GB": ("en-GB_ta.bin", "en-GB_kh0_sg.bin"), "en-US": ("en-US_ta.bin", "en-US_lh0_sg.bin")}
    CONTROL, OUTPUT, STEP = 4, 6, 1      # places in the engine's and the control unit's structures
    IDLE, FRAME, COMMAND = 1, b"f", b"c"
    DELAY = 0.036                        # seconds from a mark to the sound after it

    def __init__(self) -> None:
        self.library = library("libttspico.so.0")
        self.library.pico_resetEngine.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        self.library.picodata_cbGetItem.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint16,
                                                    ctypes.POINTER(ctypes.c_uint16)]
        self.memory: list = []

    def check(self, status: int) -> None:
        if status:
            raise RuntimeError(f"SVOX Pico reports {status}")

    @functools.cache
    def engine(self, name: str):
        folder = Path(FOLDER, "pico") if FOLDER else Path("/usr/share/pico/lang")
        memory = ctypes.create_string_buffer(2500000)
        system, engine = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.library.pico_initialize(memory, len(memory), ctypes.byref(system)))
        self.check(self.library.pico_createVoiceDefinition(system, b"voice"))
        for file in self.RESOURCES[name]:
            resource, title = ctypes.c_void_p(), ctypes.create_string_buffer(200)
            self.check(self.library.pico_loadResource(system, str(folder / file).encode(), ctypes.byref(resource)))
            self.check(self.library.pico_getResourceName(system, resource, title))
            self.check(self.library.pico_addResourceToVoiceDefinition(system, b"voice", title.value))
        self.check(self.library.pico_newEngine(system, b"voice", ctypes.byref(engine)))
        self.memory.append((memory, system))
        fields = ctypes.cast(engine, ctypes.POINTER(ctypes.c_void_p))
        control, output = fields[self.CONTROL], fields[self.OUTPUT]
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int16, ctypes.POINTER(ctypes.c_uint16))
        step = prototype(ctypes.cast(control, ctypes.POINTER(ctypes.c_void_p))[self.STEP])
        return engine, control, output, step

    def say(self, text: str, voice: Voice) -> tuple[numpy.ndarray, Words]:
        engine, control, output, step = self.engine(voice.name)
        names = text.split()
        marked = " ".join(f'<mark name="{i}"/>{word}' for i, word in enumerate(names))
        level = round(100 * voice.speed), round(100 * voice.pitch)
        data = f'<speed level="{level[0]}"><pitch level="{level[1]}">{marked}</pitch></speed>'.encode() + b"\0"
        self.check(self.library.pico_resetEngine(engine, 0))
        parts, words, done, put = [], [], 0, ctypes.c_int16()
        buffer, count, ignored = ctypes.create_string_buffer(600), ctypes.c_uint16(), ctypes.c_uint16()
        length = 0
        while done < len(data):
            rest = data[done:]
            self.check(self.library.pico_putTextUtf8(engine, rest, ctypes.c_int16(len(rest)), ctypes.byref(put)))
            done += put.value
            idle = False
            while not idle:
                idle = step(control, 0, ctypes.byref(ignored)) == self.IDLE
                while self.library.picodata_cbGetItem(output, buffer, 600, ctypes.byref(count)) == 0 and count.value:
                    item = buffer.raw[:count.value]
                    idle = False
                    if item[:1] == self.FRAME:
                        parts.append(item[4:])
                        length += len(item[4:]) // 2
                    elif item[:2] == self.COMMAND + b"m":
                        words.append((names[int(item[4:])], length / RATE + self.DELAY))
        return numpy.frombuffer(b"".join(parts), numpy.int16), words
